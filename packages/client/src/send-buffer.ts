/**
 * Room for calls that are not settled: bounded, and given in the order in which it was asked for.
 * Each takes its messages' bytes and what a call itself takes: small ones would have no bound.
 */

import type { SendCall } from "./send-call.ts";

/**
 * Of calls that wait for room: their messages are somebody else's memory, their promises are not.
 */
const WAITING_MAX = 100_000;
/** About, of a call and its promise, beside its messages. */
const CALL_BYTES = 512;

export class SendBuffer {
  readonly #bytesMax: number;
  /** Settled ones among them are passed over. */
  readonly #waiting: SendCall[] = [];
  #head = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get hasWaiting(): boolean {
    return this.#head < this.#waiting.length;
  }

  /** One call is taken by an empty buffer whatever its size. */
  hasRoom(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes + CALL_BYTES <= this.#bytesMax;
  }

  take(bytes: number): void {
    this.#bytes += bytes + CALL_BYTES;
  }

  release(bytes: number): void {
    this.#bytes -= bytes + CALL_BYTES;
  }

  /** @returns false if too many wait already. */
  wait(call: SendCall): boolean {
    if (this.#waiting.length - this.#head >= WAITING_MAX) return false;
    this.#waiting.push(call);
    return true;
  }

  /** The first that waits, once there is room for it. */
  next(): SendCall | undefined {
    while (this.hasWaiting) {
      const call = this.#waiting[this.#head] as SendCall;
      if (!call.isSettled && !this.hasRoom(call.bytes)) return undefined;
      this.#head += 1;
      if (this.#head > 1_024 && this.#head * 2 > this.#waiting.length) {
        this.#waiting.splice(0, this.#head);
        this.#head = 0;
      }
      if (!call.isSettled) return call;
    }
    return undefined;
  }
}
