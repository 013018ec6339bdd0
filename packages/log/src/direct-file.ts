/**
 * Appends to a file past the cache of the kernel (open(2), O_DIRECT).
 *
 *     parts ──copy──> aligned memory, in whole blocks ──write──> disk
 *                       ^                      │
 *                       └── the last block, ───┘
 *                           which is not full
 *
 * A log is written once, and read from memory while it is news: a copy of it in the kernel's cache
 * takes a page that somebody else could use, and a turn of the kernel's to write it. What goes
 * wrong is told by the write itself, not by a sync that comes later, once, to whoever asks first.
 *
 * Reads go through the cache, as ever: only file systems that keep both ways coherent are trusted.
 */

import { closeSync, constants, fstatSync, openSync, readSync, statfsSync, write } from "node:fs";
import { AlignedMemory } from "./aligned-memory.ts";
import type { Done } from "./file-system.ts";

/** What is written is whole blocks of the file: no disk in use has larger ones. */
const BLOCK_BYTES = 4_096;
/**
 * In a file with holes a small append brings zeros up to the next multiple of this: the file system
 * finds blocks for them, and notes them in its journal, once instead of for every block.
 */
const AHEAD_BYTES = 128 * 1_024;
/** A larger append finds blocks for all of its bytes at once. */
const SMALL_BYTES_MAX = 16 * 1_024;
/** As stat(2) counts them. */
const STAT_BLOCK_BYTES = 512;
/** Written by one call at most. */
const MEMORY = new AlignedMemory(2 << 20, 8);

/** As Linux numbers them (statfs(2)). */
const TRUSTED_TYPES: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // xfs
  0x9123683e, // btrfs
  0xf2f52010, // f2fs
  0x794c7630, // overlayfs, of what it lies over
  0x01021994, // tmpfs, which tests use
]);

/** This file cannot be written in this way: it is to be written in another one, all of it. */
export class DirectRefusal extends Error {
  override readonly name = "DirectRefusal";
}

export interface AppendCall {
  /** Borrowed until the append is done. */
  readonly parts: readonly Uint8Array[];
  readonly position: number;
  /** Whether it has to be on the disk when it is answered. */
  readonly isSynced: boolean;
}

/** An append that is under way. */
interface Append {
  readonly parts: readonly Uint8Array[];
  /** Which part is next, and how many of its bytes are copied. */
  part: number;
  offset: number;
  readonly fd: number;
  readonly memory: Buffer;
  readonly done: Done;
}

export class DirectFile {
  readonly #fd: number;
  /** Of which each write is synced (O_DSYNC). */
  readonly #syncedFd: number;
  /** Reads through the cache. */
  readonly #cachedFd: number;
  /** The last block that was written, and how much of it counts. */
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  #blockAt = -1;
  #blockFill = 0;
  /** Of a file with holes the end of its last whole block; 0 of others. */
  readonly #holesEnd: number;
  /** Before it, no append meets a hole. */
  #foundTo = 0;

  /** @returns `undefined` where there is no such way, or none that is known to keep its word. */
  static open(cachedFd: number): DirectFile | undefined {
    if (process.platform !== "linux" || !isTrusted(cachedFd) || !MEMORY.prepare()) return undefined;
    let fd: number | undefined;
    try {
      const holesEnd = holesEndOf(cachedFd);
      fd = openDirect(cachedFd, 0);
      const syncedFd = openDirect(cachedFd, constants.O_DSYNC);
      return new DirectFile({ fd, syncedFd, cachedFd, holesEnd });
    } catch {
      // Why it cannot be, nobody needs to know: the cache is there.
      if (fd !== undefined) closeSync(fd);
      return undefined;
    }
  }

  private constructor(opened: {
    readonly fd: number;
    readonly syncedFd: number;
    readonly cachedFd: number;
    readonly holesEnd: number;
  }) {
    this.#fd = opened.fd;
    this.#syncedFd = opened.syncedFd;
    this.#cachedFd = opened.cachedFd;
    this.#holesEnd = opened.holesEnd;
  }

  /** Whether one write is enough for an append. */
  takesAtOnce(parts: readonly Uint8Array[], position: number): boolean {
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, position % BLOCK_BYTES);
    return bytes <= MEMORY.bytes;
  }

  /**
   * Writes the parts, and zeros behind them up to the next block, or over what holes come next. One
   * at a time.
   *
   * @param call - Synced only what is written at once.
   * @param done - {@link DirectRefusal}, or an error of the disk; never called before the return.
   */
  append({ parts, position, isSynced }: AppendCall, done: Done): void {
    MEMORY.take((memory) => {
      const begun = position % BLOCK_BYTES;
      const start = position - begun;
      try {
        if (begun > 0) this.#begin(memory, start, begun);
      } catch (error) {
        MEMORY.give(memory);
        setImmediate(done, error as Error);
        return;
      }
      const fd = isSynced ? this.#syncedFd : this.#fd;
      this.#writeNext({ parts, part: 0, offset: 0, fd, memory, done }, start, begun);
    });
  }

  close(): void {
    try {
      closeSync(this.#syncedFd);
    } finally {
      closeSync(this.#fd);
    }
  }

  /** What stands before the position in its block is written again. */
  #begin(memory: Buffer, start: number, count: number): void {
    if (this.#blockAt === start && this.#blockFill >= count) {
      this.#block.copy(memory, 0, 0, count);
      return;
    }
    const read = readSync(this.#cachedFd, memory, 0, count, start);
    if (read < count) throw new Error(`a file ends at ${start + read}, before what it holds`);
  }

  /** @param begun - Bytes that are in the memory already. */
  #writeNext(append: Append, start: number, begun: number): void {
    const { memory, parts } = append;
    const isFirst = append.part === 0 && append.offset === 0;
    const fill = copyNext(append, begun);
    const isLast = append.part === parts.length;
    const bytes = this.#bytesOf(isFirst && isLast, start, fill);
    memory.fill(0, fill, bytes);
    writeAll(append.fd, memory.subarray(0, bytes), start, (error) => {
      if (error !== undefined)
        this.#finish(append, isFirst && error.code === "EINVAL" ? new DirectRefusal() : error);
      else if (isLast) {
        this.#foundTo = Math.max(this.#foundTo, start + bytes);
        this.#remember(memory, start, fill);
        this.#finish(append, undefined);
      } else this.#writeNext(append, start + bytes, 0);
    });
  }

  /** @returns whole blocks: how much of the memory is written. */
  #bytesOf(isWhole: boolean, start: number, fill: number): number {
    const bytes = Math.ceil(fill / BLOCK_BYTES) * BLOCK_BYTES;
    const isSmall = isWhole && fill <= SMALL_BYTES_MAX;
    if (!isSmall || start + bytes <= this.#foundTo) return bytes;
    const end = Math.ceil((start + bytes) / AHEAD_BYTES) * AHEAD_BYTES;
    return Math.max(bytes, Math.min(end, this.#holesEnd) - start);
  }

  #remember(memory: Buffer, start: number, fill: number): void {
    this.#blockFill = fill % BLOCK_BYTES;
    const from = fill - this.#blockFill;
    this.#blockAt = start + from;
    memory.copy(this.#block, 0, from, fill);
  }

  #finish({ memory, done }: Append, error: Error | undefined): void {
    if (error !== undefined) this.#blockAt = -1;
    MEMORY.give(memory);
    done(error);
  }
}

/**
 * Whether direct writes of the file system are seen by who reads through the cache, and synced
 * where they are to be. Of what a server keeps, as of FUSE and network file systems, neither is
 * sure: a write that is to be synced may not be, and a page that was read may stay as it was.
 */
function isTrusted(cachedFd: number): boolean {
  try {
    return TRUSTED_TYPES.has(statfsSync(pathOf(cachedFd)).type);
  } catch {
    return false;
  }
}

/** The file itself, whatever its name is by now. */
function pathOf(cachedFd: number): string {
  return `/proc/self/fd/${cachedFd}`;
}

function holesEndOf(cachedFd: number): number {
  const { size, blocks } = fstatSync(cachedFd);
  return blocks * STAT_BLOCK_BYTES < size ? size - (size % BLOCK_BYTES) : 0;
}

function openDirect(cachedFd: number, flags: number): number {
  return openSync(pathOf(cachedFd), constants.O_WRONLY | constants.O_DIRECT | flags);
}

function writeAll(
  fd: number,
  bytes: Buffer,
  position: number,
  done: (error: NodeJS.ErrnoException | undefined) => void,
): void {
  write(fd, bytes, 0, bytes.length, position, (error, count) => {
    if (error !== null) done(error);
    else if (count === bytes.length) done(undefined);
    // The next call says what was in the way.
    else writeAll(fd, bytes.subarray(count), position + count, done);
  });
}

/** Fills the memory from `begun` on. @returns how much of it counts. */
function copyNext(append: Append, begun: number): number {
  const { memory, parts } = append;
  let fill = begun;
  for (; append.part < parts.length; append.part++) {
    const part = parts[append.part] as Uint8Array;
    const count = Math.min(part.length - append.offset, memory.length - fill);
    memory.set(part.subarray(append.offset, append.offset + count), fill);
    fill += count;
    append.offset += count;
    if (append.offset < part.length) return fill;
    append.offset = 0;
  }
  return fill;
}
