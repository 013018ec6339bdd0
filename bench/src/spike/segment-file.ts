/**
 * Three ways to make a turn's bytes durable in preallocated segments, for the spike.
 *
 *     pool     writev, then fdatasync, on libuv's threads
 *     dsync    one writev on a file opened with O_DSYNC, on libuv's threads
 *     thread   the bytes are copied to a ring that a thread of its own writes and syncs
 */

import { close, constants, fdatasync, fdatasyncSync, openSync, writeSync, writev } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

export type SyncKind = "pool" | "dsync" | "thread";

const SEGMENT_BYTES = 32 << 20;
const RING_BYTES = 16 << 20;

type Done = () => void;

/** Appends bytes; one append is under way at a time, the caller gathers meanwhile. */
export class SegmentFile {
  readonly #dir: string;
  readonly #kind: SyncKind;
  #fd: number;
  #next: number;
  #position = 0;
  #count = 0;
  readonly #ring = new Uint8Array(new SharedArrayBuffer(RING_BYTES));
  #worker: Worker | undefined;
  #workerDone: Done = () => undefined;

  constructor(dir: string, kind: SyncKind) {
    this.#dir = dir;
    this.#kind = kind;
    this.#fd = this.#create();
    this.#next = this.#create();
    if (kind === "thread") this.#startWorker();
  }

  append(parts: Buffer[], bytes: number, done: Done): void {
    if (this.#position + bytes > SEGMENT_BYTES) this.#roll();
    const position = this.#position;
    this.#position += bytes;
    if (this.#kind === "thread") {
      let at = 0;
      for (const part of parts) {
        this.#ring.set(part, at);
        at += part.length;
      }
      this.#workerDone = done;
      this.#worker?.postMessage({ fd: this.#fd, bytes, position });
      return;
    }
    writev(this.#fd, parts, position, (error, written) => {
      if (error !== null || written !== bytes) throw error ?? new Error("short write");
      if (this.#kind === "dsync") done();
      else
        fdatasync(this.#fd, (failure) => {
          if (failure !== null) throw failure;
          done();
        });
    });
  }

  #startWorker(): void {
    this.#worker = new Worker(new URL("./sync-thread.js", import.meta.url), {
      workerData: this.#ring.buffer,
    });
    this.#worker.on("message", () => this.#workerDone());
    this.#worker.unref();
  }

  /** The next segment is made ready while this one fills, and its zeros are on disk. */
  #roll(): void {
    const old = this.#fd;
    close(old, () => undefined);
    this.#fd = this.#next;
    this.#position = 0;
    this.#next = this.#create();
  }

  #create(): number {
    const flags = constants.O_CREAT | constants.O_RDWR;
    const isDsync = this.#kind === "dsync";
    const path = join(this.#dir, `${this.#count++ % 2}.seg`);
    const plain = openSync(path, flags);
    if (this.#count <= 2) {
      const zeros = Buffer.alloc(1 << 20);
      for (let at = 0; at < SEGMENT_BYTES; at += zeros.length)
        writeSync(plain, zeros, 0, zeros.length, at);
      fdatasyncSync(plain);
    }
    return isDsync ? openSync(path, flags | constants.O_DSYNC) : plain;
  }
}
