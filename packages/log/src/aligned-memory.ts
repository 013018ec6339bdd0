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
/** What is kept for the next one that asks; more are left to the collector. */
const FREE_COUNT_MAX = 4;

export class AlignedMemory {
  readonly bytes: number;
  readonly #free: Buffer[] = [];

  /** @param bytes - Of each buffer; a multiple of 64 KiB. */
  constructor(bytes: number) {
    this.bytes = bytes;
  }

  static get isThere(): boolean {
    return typeof WebAssembly !== "undefined";
  }

  /** A buffer that is the caller's until it gives it back; what is in it may be anything. */
  take(): Buffer {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    assert(WebAssembly !== undefined, "who asks for memory has seen that there is any");
    const pages = this.bytes / WASM_PAGE_BYTES;
    return Buffer.from(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer);
  }

  give(buffer: Buffer): void {
    if (this.#free.length < FREE_COUNT_MAX) this.#free.push(buffer);
  }
}
