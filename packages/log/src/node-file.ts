/** A file of the machine. */

import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  readSync,
  writeSync,
  writev,
} from "node:fs";
import { assert } from "@quorumlog/std";
import { type AppendCall, DirectFile, DirectRefusal } from "./direct-file.ts";
import type { Done, OpenFile } from "./file-system.ts";

/** How appends go to the disk, if there are both ways. */
export type AppendPath = "direct" | "cached";

/** The kernel takes no more buffers in one call (IOV_MAX). */
const BUFFER_COUNT_MAX = 1_024;

export class NodeFile implements OpenFile {
  readonly path: string;
  readonly #fd: number;
  #appendPath: AppendPath;
  /** From an append on, until something is written otherwise. */
  #direct: DirectFile | undefined;
  #isAppending = false;
  /** Operations that the kernel has not answered. */
  #pendingCount = 0;
  #isClosed = false;

  constructor(path: string, fd: number, appendPath: AppendPath) {
    this.path = path;
    this.#fd = fd;
    this.#appendPath = appendPath;
  }

  size(): number {
    return fstatSync(this.#fd).size;
  }

  readNow(target: Uint8Array, position: number): number {
    assert(!this.#isClosed, "a file that is closed is not read");
    let count = 0;
    while (count < target.length) {
      const read = readSync(this.#fd, target, count, target.length - count, position + count);
      if (read === 0) break;
      count += read;
    }
    return count;
  }

  writeNow(bytes: Uint8Array, position: number): void {
    this.#endAppends();
    let count = 0;
    while (count < bytes.length)
      count += writeSync(this.#fd, bytes, count, bytes.length - count, position + count);
  }

  syncNow(): void {
    fdatasyncSync(this.#fd);
  }

  write(parts: readonly Uint8Array[], position: number, done: Done): void {
    try {
      this.#endAppends();
    } catch (error) {
      setImmediate(done, error as Error);
      return;
    }
    this.#writeCached(parts, position, done);
  }

  append(parts: readonly Uint8Array[], position: number, done: Done): void {
    this.#append({ parts, position, isSynced: false }, done);
  }

  appendSynced(parts: readonly Uint8Array[], position: number, done: Done): void {
    this.#append({ parts, position, isSynced: true }, done);
  }

  sync(done: Done): void {
    this.#pendingCount += 1;
    fdatasync(this.#fd, (error) => {
      const failure = this.#settle();
      done(error ?? failure);
    });
  }

  /** A file that is still written to is let go later: its number must not become another's. */
  close(): void {
    this.#isClosed = true;
    if (this.#pendingCount === 0) this.#letGo();
  }

  #append(call: AppendCall, done: Done): void {
    assert(!this.#isAppending, "one append is under way at a time");
    const { parts, position, isSynced } = call;
    if (this.#appendPath === "direct") this.#direct ??= DirectFile.open(this.#fd);
    const direct = this.#direct;
    if (direct === undefined) {
      this.#appendPath = "cached";
      this.#appendCached(call, done);
      return;
    }
    this.#isAppending = true;
    this.#pendingCount += 1;
    // Of several writes the last one's sync says nothing of the others.
    const isSyncedByWrite = isSynced && direct.takesAtOnce(parts, position);
    direct.append({ parts, position, isSynced: isSyncedByWrite }, (error) => {
      this.#isAppending = false;
      const next = this.#afterDirect(call, error, isSyncedByWrite);
      next?.(done);
      // What comes next counts by now: the file is not let go of in between.
      const settled = this.#settle();
      if (next === undefined) done(error ?? settled);
    });
  }

  /** @returns what is left to do of an append that was written past the cache, or refused. */
  #afterDirect(
    call: AppendCall,
    error: Error | undefined,
    isSyncedByWrite: boolean,
  ): ((done: Done) => void) | undefined {
    if (error instanceof DirectRefusal) {
      this.#endAppends();
      this.#appendPath = "cached";
      return (done) => {
        this.#appendCached(call, done);
      };
    }
    if (error !== undefined || !call.isSynced || isSyncedByWrite) return undefined;
    return (done) => {
      this.sync(done);
    };
  }

  #appendCached({ parts, position, isSynced }: AppendCall, done: Done): void {
    this.#pendingCount += 1;
    this.#writeCached(parts, position, (error) => {
      const isNext = error === undefined && isSynced;
      if (isNext) this.sync(done);
      const settled = this.#settle();
      if (!isNext) done(error ?? settled);
    });
  }

  #writeCached(parts: readonly Uint8Array[], position: number, done: Done): void {
    const now = parts.length > BUFFER_COUNT_MAX ? parts.slice(0, BUFFER_COUNT_MAX) : parts;
    const bytes = now.reduce((sum, part) => sum + part.byteLength, 0);
    this.#pendingCount += 1;
    writev(this.#fd, now, position, (error, written) => {
      const isShort = written < bytes;
      const isNext = error === null && (isShort || now.length < parts.length);
      // What comes next counts before this does not: the file is not let go of in between.
      if (isNext && isShort) this.#writeCached(without(parts, written), position + written, done);
      else if (isNext) this.#writeCached(parts.slice(BUFFER_COUNT_MAX), position + bytes, done);
      const settled = this.#settle();
      if (!isNext) done(error ?? settled);
    });
  }

  /** What is known of the last block may change. A segment that is sealed is not appended to. */
  #endAppends(): void {
    assert(!this.#isAppending, "nothing else is written while something is appended");
    const direct = this.#direct;
    this.#direct = undefined;
    direct?.close();
  }

  /** @returns what went wrong when the file was let go at last. */
  #settle(): Error | undefined {
    this.#pendingCount -= 1;
    if (!this.#isClosed || this.#pendingCount > 0) return undefined;
    try {
      this.#letGo();
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  #letGo(): void {
    try {
      this.#direct?.close();
    } finally {
      closeSync(this.#fd);
    }
  }
}

/** What is left of `parts` behind the first `count` bytes. */
function without(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count;
  const rest: Uint8Array[] = [];
  for (const part of parts) {
    if (skip < part.byteLength) rest.push(part.subarray(skip));
    skip = Math.max(0, skip - part.byteLength);
  }
  return rest;
}
