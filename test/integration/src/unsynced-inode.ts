/**
 * The bytes of one file: what is in the real one, and over it what was written and not synced,
 * which is in this process alone and ends with it.
 */

import { assert, type Prng } from "@quorumlog/std";
import { closeSync, fstatSync, openSync, readSync, write, writeSync } from "node:fs";

interface Write {
  readonly position: number;
  readonly bytes: Uint8Array;
}

interface Sync {
  /** Up to this one, it is written through; `undefined` if nothing was pending. */
  readonly last: Write | undefined;
  readonly done: (error: Error | undefined) => void;
}

const SECTOR_BYTES = 512;

export class UnsyncedInode {
  /** Where the real file is, as of now. */
  realPath: string;
  readonly #fd: number;
  /** Not synced, in order; those that a sync is writing through are among them. */
  readonly #pending: Write[] = [];
  readonly #syncs: Sync[] = [];
  #handleCount = 0;
  #isNamed = true;
  #isClosed = false;

  constructor(realPath: string, flags: number, mode: number) {
    this.realPath = realPath;
    this.#fd = openSync(realPath, flags, mode);
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  get pendingBytes(): number {
    return this.#pending.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  }

  /** Also what a sync is writing through already: once more, in order. */
  writeThrough(): void {
    for (const { bytes, position } of this.#pending) this.#writeThrough(bytes, position);
  }

  retain(): void {
    this.#handleCount += 1;
  }

  release(): void {
    this.#handleCount -= 1;
    this.#maybeClose();
  }

  /** Its name is gone for good: nobody can open it any more. */
  unname(): void {
    this.#isNamed = false;
    this.#maybeClose();
  }

  size(): number {
    let size = fstatSync(this.#fd).size;
    for (const { position, bytes } of this.#pending)
      size = Math.max(size, position + bytes.byteLength);
    return size;
  }

  read(target: Uint8Array, position: number): number {
    const count = Math.min(target.byteLength, Math.max(0, this.size() - position));
    target.fill(0, 0, count);
    for (let at = 0; at < count;) {
      const read = readSync(this.#fd, target, at, count - at, position + at);
      if (read === 0) break;
      at += read;
    }
    for (const { position: start, bytes } of this.#pending) {
      const low = Math.max(position, start);
      const high = Math.min(position + count, start + bytes.byteLength);
      if (low < high) target.set(bytes.subarray(low - start, high - start), low - position);
    }
    return count;
  }

  write(bytes: Uint8Array, position: number): void {
    if (bytes.byteLength > 0) this.#pending.push({ position, bytes: Uint8Array.from(bytes) });
  }

  syncNow(): void {
    assert(this.#syncs.length === 0, "nothing is synced at once while a sync is under way");
    for (const { bytes, position } of this.#pending.splice(0)) this.#writeThrough(bytes, position);
  }

  /** Writes through what was written before this call. One sync after the other. */
  sync(done: (error: Error | undefined) => void): void {
    this.#syncs.push({ last: this.#pending.at(-1), done });
    if (this.#syncs.length === 1) this.#runSync();
  }

  /** Writes some sectors of what is not synced through, in any order, as a disk may. */
  leak(prng: Prng): void {
    // What a sync has just written must not be overwritten by what was written before it.
    if (this.#syncs.length > 0) return;
    for (const { position, bytes } of this.#pending) {
      if (prng.chance(0.5)) continue;
      for (let at = 0; at < bytes.byteLength;) {
        const sector = Math.floor((position + at) / SECTOR_BYTES) + 1;
        const end = Math.min(bytes.byteLength, sector * SECTOR_BYTES - position);
        if (prng.chance(0.5)) this.#writeThrough(bytes.subarray(at, end), position + at);
        at = end;
      }
    }
  }

  #runSync(): void {
    const sync = this.#syncs[0];
    if (sync === undefined) {
      this.#maybeClose();
      return;
    }
    const end = sync.last === undefined ? 0 : this.#pending.indexOf(sync.last) + 1;
    const writes = this.#pending.slice(0, end);
    const finish = (error: Error | undefined): void => {
      // What a sync failed to write counts as clean: no later one writes it (ATC '20).
      this.#pending.splice(0, writes.length);
      this.#syncs.shift();
      const isAnyWaiting = this.#syncs.length > 0;
      sync.done(error);
      // One that the callback has asked for runs already, if it is the only one.
      if (isAnyWaiting || this.#syncs.length === 0) this.#runSync();
    };
    if (writes.length === 0) setImmediate(finish, undefined);
    else this.#writeNext(writes, { number: 0, done: 0 }, finish);
  }

  #writeNext(
    writes: readonly Write[],
    at: { readonly number: number; readonly done: number },
    finish: (error: Error | undefined) => void,
  ): void {
    const next = writes[at.number];
    if (next === undefined) {
      finish(undefined);
      return;
    }
    const { bytes, position } = next;
    const left = bytes.byteLength - at.done;
    write(this.#fd, bytes, at.done, left, position + at.done, (error, written) => {
      if (error !== null) finish(error);
      else if (written < left)
        this.#writeNext(writes, { number: at.number, done: at.done + written }, finish);
      else this.#writeNext(writes, { number: at.number + 1, done: 0 }, finish);
    });
  }

  #writeThrough(bytes: Uint8Array, position: number): void {
    for (let at = 0; at < bytes.byteLength;)
      at += writeSync(this.#fd, bytes, at, bytes.byteLength - at, position + at);
  }

  #maybeClose(): void {
    if (this.#isClosed || this.#isNamed) return;
    if (this.#handleCount > 0 || this.#syncs.length > 0) return;
    this.#isClosed = true;
    closeSync(this.#fd);
  }
}
