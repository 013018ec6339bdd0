/**
 * Memory that begins at the beginning of a page, as direct I/O wants it (open(2), O_DIRECT).
 *
 * Node.js allocates buffers wherever there is room. A WebAssembly memory is made of whole pages:
 * it is the only one that does not depend on the allocator of the machine.
 */

import { assert } from "@quorumlog/std";

/** What is used of it: the types of Node.js leave it out. `undefined` where it is switched off. */
declare const WebAssembly:
  | {
      readonly Memory: new (limits: { readonly initial: number; readonly maximum: number }) => {
        readonly buffer: ArrayBuffer;
      };
    }
  | undefined;

const WASM_PAGE_BYTES = 65_536;

/** A few buffers of one size, for all files of the process: whoever finds none waits for one. */
export class AlignedMemory {
  /** Of each buffer. */
  readonly bytes: number;
  readonly #count: number;
  #free: Buffer[] | undefined;
  readonly #waiting: ((buffer: Buffer) => void)[] = [];

  /**
   * @param bytes - Of each buffer; a multiple of 64 KiB.
   * @param count - Of all of them in one memory, as each takes ten gigabytes of addresses.
   */
  constructor(bytes: number, count: number) {
    this.bytes = bytes;
    this.#count = count;
  }

  /** @returns whether there is any: addresses may be limited, or WebAssembly switched off. */
  prepare(): boolean {
    if (this.#free !== undefined) return true;
    if (typeof WebAssembly === "undefined") return false;
    const pages = (this.#count * this.bytes) / WASM_PAGE_BYTES;
    try {
      const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
      this.#free = Array.from({ length: this.#count }, (_, at) =>
        Buffer.from(buffer, at * this.bytes, this.bytes),
      );
      return true;
    } catch {
      // Then there is none.
      return false;
    }
  }

  /** Runs `use` with a buffer that is its own until it gives it back: at once, or later. */
  take(use: (buffer: Buffer) => void): void {
    assert(this.#free !== undefined, "who asks for memory has prepared it");
    const free = this.#free.pop();
    if (free === undefined) this.#waiting.push(use);
    else use(free);
  }

  give(buffer: Buffer): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free?.push(buffer);
    else next(buffer);
  }
}
