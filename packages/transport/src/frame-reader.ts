/**
 * From the chunks of a stream to frames.
 *
 * Nothing of a chunk is kept. A frame's bytes are collected: those of a short one in small memory
 * of its own, which nobody has to release; those of others in a slab, which is used again; those
 * longer than a slab in memory that grows as they come, by a third more than they need: whoever
 * announces a large frame has to send it before it costs much.
 */

import { releaseBytes, type SlabPool } from "@quorumlog/std";
import { FRAME_HEADER_BYTES, type FrameKind, type FrameProblem, headerProblem } from "./frame.ts";

/** @param payload - Held for the receiver, who may release it; shares memory with other frames. */
export type OnFrame = (kind: FrameKind, groupId: number, payload: Uint8Array) => void;

const NOTHING: Uint8Array = new Uint8Array(0);
const GROWTH = 4;
/** Up to here a frame is no part of a slab, which it would keep as a whole. */
const SHORT_BYTES_MAX = 2_048;

export class FrameReader {
  readonly #lengthMax: number;
  readonly #memory: SlabPool;
  readonly #onFrame: OnFrame;
  readonly #header: Buffer = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  /** Of the payload of the frame whose header is complete. */
  #length = 0;
  #body: Uint8Array = NOTHING;
  #bodyBytes = 0;
  #isStopped = false;

  constructor(lengthMax: number, memory: SlabPool, onFrame: OnFrame) {
    this.#lengthMax = lengthMax;
    this.#memory = memory;
    this.#onFrame = onFrame;
  }

  /** Nothing is read any more, even of the chunk that is being read. */
  stop(): void {
    this.#isStopped = true;
    this.#body = NOTHING;
  }

  /**
   * @param chunk - Is read before it returns.
   * @returns what is wrong with the stream; nothing behind it is read.
   */
  push(chunk: Uint8Array): FrameProblem | undefined {
    let at = 0;
    while (!this.#isStopped) {
      if (this.#headerBytes < FRAME_HEADER_BYTES) {
        at += this.#fillHeader(chunk, at);
        if (this.#headerBytes < FRAME_HEADER_BYTES) return undefined;
        const problem = headerProblem(this.#header, this.#lengthMax);
        if (problem !== undefined) {
          this.stop();
          return problem;
        }
        this.#length = this.#header.readUInt32LE(0);
      }
      const count = Math.min(this.#length - this.#bodyBytes, chunk.byteLength - at);
      const part = chunk.subarray(at, at + count);
      at += count;
      if (this.#collect(part)) this.#deliver(this.#body);
      else return undefined;
    }
    return undefined;
  }

  #fillHeader(chunk: Uint8Array, at: number): number {
    const count = Math.min(FRAME_HEADER_BYTES - this.#headerBytes, chunk.byteLength - at);
    for (let i = 0; i < count; i++) this.#header[this.#headerBytes + i] = chunk[at + i] as number;
    this.#headerBytes += count;
    return count;
  }

  /** @returns whether the frame is complete. */
  #collect(part: Uint8Array): boolean {
    const bytes = this.#bodyBytes + part.byteLength;
    if (bytes > this.#body.byteLength) {
      const former = this.#body;
      this.#body = this.#grown(bytes);
      this.#body.set(former.subarray(0, this.#bodyBytes));
      releaseBytes(former);
    }
    this.#body.set(part, this.#bodyBytes);
    this.#bodyBytes = bytes;
    return bytes === this.#length;
  }

  /** @param bytes - What it has to have at least. */
  #grown(bytes: number): Uint8Array {
    if (this.#length <= SHORT_BYTES_MAX) return Buffer.allocUnsafe(this.#length);
    const wanted = Math.max(this.#memory.slabBytes, this.#body.byteLength * GROWTH, bytes);
    return this.#memory.take(Math.min(this.#length, wanted));
  }

  #deliver(payload: Uint8Array): void {
    this.#headerBytes = 0;
    this.#body = NOTHING;
    this.#bodyBytes = 0;
    this.#onFrame(this.#header.readUInt32LE(8) as FrameKind, this.#header.readUInt32LE(4), payload);
  }
}
