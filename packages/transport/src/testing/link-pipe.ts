/**
 * One direction of a connection through a proxy: bytes from one socket to another, with faults.
 *
 * It holds little: while more than that is held, the source is not read.
 */

import type { Socket } from "node:net";

export interface LinkShape {
  /** Nothing passes, and no end of a connection. */
  readonly isStalled: boolean;
  readonly bytesPerSecond: number;
  readonly delayMs: number;
}

export interface LinkPipeInit {
  readonly source: Socket;
  readonly sink: Socket;
  readonly shape: LinkShape;
  readonly onBytes: (count: number) => void;
  /** The source has come to an end, which may not pass yet; and then it has passed. */
  readonly onEnd: (what: "came" | "passed", isStalled: boolean) => void;
}

const HELD_BYTES_MAX = 256 * 1024;

interface Held {
  readonly chunk: Buffer;
  /** When it may pass, in milliseconds. */
  readonly atMs: number;
}

export class LinkPipe {
  readonly #init: LinkPipeInit;
  readonly #held: Held[] = [];
  #shape: LinkShape;
  #heldBytes = 0;
  #freeAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isSinkFull = false;
  #ended: "no" | "end" | "reset" = "no";
  #hasPassedEnd = false;

  constructor(init: LinkPipeInit) {
    this.#init = init;
    this.#shape = init.shape;
    const { source, sink } = init;
    source.on("data", (chunk: Buffer) => {
      this.#onChunk(chunk);
    });
    source.on("end", () => {
      this.#onSourceEnd("end");
    });
    source.on("error", () => {
      this.#onSourceEnd("reset");
    });
    sink.on("drain", () => {
      this.#isSinkFull = false;
      this.#flush();
    });
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  reshape(shape: LinkShape): void {
    this.#shape = shape;
    this.#flush();
  }

  destroy(): void {
    clearTimeout(this.#timer);
    this.#held.length = 0;
    this.#heldBytes = 0;
  }

  #onChunk(chunk: Buffer): void {
    const now = performance.now();
    const { bytesPerSecond, delayMs } = this.#shape;
    this.#freeAtMs = Math.max(now, this.#freeAtMs) + (chunk.byteLength / bytesPerSecond) * 1_000;
    this.#held.push({ chunk, atMs: this.#freeAtMs + delayMs });
    this.#heldBytes += chunk.byteLength;
    this.#flush();
  }

  #onSourceEnd(how: "end" | "reset"): void {
    if (this.#ended !== "no") return;
    this.#ended = how;
    this.#init.onEnd("came", this.#shape.isStalled);
    this.#flush();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    const { source, sink, onBytes } = this.#init;
    while (!this.#shape.isStalled && !this.#isSinkFull) {
      const next = this.#held[0];
      if (next === undefined) break;
      const waitMs = next.atMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => {
          this.#flush();
        }, waitMs);
        break;
      }
      this.#held.shift();
      this.#heldBytes -= next.chunk.byteLength;
      onBytes(next.chunk.byteLength);
      this.#isSinkFull = !sink.write(next.chunk);
    }
    // Also while nothing passes it is read, up to a limit: what ends meanwhile is then known.
    const isFull = this.#heldBytes >= HELD_BYTES_MAX;
    if (isFull || this.#isSinkFull) source.pause();
    else source.resume();
    if (!this.#shape.isStalled && this.#held.length === 0) this.#passEnd();
  }

  #passEnd(): void {
    const { sink } = this.#init;
    if (this.#ended === "no" || this.#hasPassedEnd) return;
    this.#hasPassedEnd = true;
    this.#init.onEnd("passed", this.#shape.isStalled);
    if (this.#ended === "end") sink.end();
    else sink.resetAndDestroy();
  }
}
