/** The file system of the machine. */

import {
  close,
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsync,
  fsyncSync,
  mkdirSync,
  open,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  writev,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { assert } from "@quorumlog/std";
import { DirectFile } from "./direct-file.ts";
import { lockDirectory } from "./directory-lock.ts";
import type { DirectoryLock, Done, FileSystem, OpenFile } from "./file-system.ts";

const OWNER_ONLY_DIRECTORY = 0o700;
const OWNER_ONLY_FILE = 0o600;
/** The kernel takes no more buffers in one call (IOV_MAX). */
const BUFFER_COUNT_MAX = 1_024;

class NodeFile implements OpenFile {
  readonly path: string;
  readonly #fd: number;
  /** Since something was appended; `undefined` where there is no such way. */
  #direct: DirectFile | undefined;
  #isDirectTried: boolean;
  #isAppending = false;
  /** Operations that the kernel has not answered. */
  #pendingCount = 0;
  #isClosed = false;

  constructor(path: string, fd: number, appendPath: AppendPath) {
    this.path = path;
    this.#fd = fd;
    this.#isDirectTried = appendPath === "cached";
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
    this.#direct?.forget();
    let count = 0;
    while (count < bytes.length)
      count += writeSync(this.#fd, bytes, count, bytes.length - count, position + count);
  }

  syncNow(): void {
    fdatasyncSync(this.#fd);
  }

  write(parts: readonly Uint8Array[], position: number, done: Done): void {
    this.#direct?.forget();
    const now = parts.length > BUFFER_COUNT_MAX ? parts.slice(0, BUFFER_COUNT_MAX) : parts;
    const bytes = now.reduce((sum, part) => sum + part.byteLength, 0);
    this.#pendingCount += 1;
    writev(this.#fd, now, position, (error, written) => {
      const settled = this.#settle();
      const failure = error ?? settled;
      if (failure !== undefined) done(failure);
      else if (written < bytes) this.write(without(parts, written), position + written, done);
      else if (now.length < parts.length)
        this.write(parts.slice(BUFFER_COUNT_MAX), position + bytes, done);
      else done(undefined);
    });
  }

  append(parts: readonly Uint8Array[], position: number, done: Done): void {
    assert(!this.#isAppending, "one append is under way at a time");
    if (!this.#isDirectTried) this.#direct = DirectFile.open(this.#fd);
    this.#isDirectTried = true;
    const direct = this.#direct;
    if (direct === undefined) {
      this.write(parts, position, done);
      return;
    }
    this.#isAppending = true;
    this.#pendingCount += 1;
    direct.append(parts, position, (failure) => {
      this.#isAppending = false;
      if (failure === "refused") {
        direct.close();
        this.#direct = undefined;
        this.write(parts, position, done);
      }
      const settled = this.#settle();
      if (failure !== "refused") done(failure ?? settled);
    });
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
    this.#direct?.close();
    closeSync(this.#fd);
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

export const nodeFileSystem: FileSystem = {
  makeDirectory(path: string): void {
    const first = mkdirSync(path, { recursive: true, mode: OWNER_ONLY_DIRECTORY });
    if (first === undefined) return;
    // Each new name is on the disk when the directory that holds it is synced.
    const top = dirname(resolve(first));
    for (let holder = dirname(resolve(path)); ; holder = dirname(holder)) {
      nodeFileSystem.syncDirectory(holder);
      if (holder === top) return;
    }
  },

  list(path: string): string[] | undefined {
    try {
      return readdirSync(path).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  },

  open: (path, access) => openFile(path, access, "direct"),
  create: (path) => createFile(path, "direct"),

  rename(from: string, to: string): void {
    renameSync(from, to);
  },

  remove(path: string): void {
    rmSync(path);
  },

  syncDirectory(path: string): void {
    const fd = openSync(path, constants.O_RDONLY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  },

  syncDirectoryLater(path: string, done: Done): void {
    open(path, constants.O_RDONLY, (openError, fd) => {
      if (openError !== null) {
        done(openError);
        return;
      }
      fsync(fd, (error) => {
        close(fd, (closeError) => {
          done(error ?? closeError ?? undefined);
        });
      });
    });
  },

  freeBytes(path: string): number {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  },

  totalBytes(path: string): number {
    const { blocks, bsize } = statfsSync(path);
    return blocks * bsize;
  },

  lock(path: string): DirectoryLock | { readonly heldBy: string } {
    return lockDirectory(path);
  },
};

/** The same, which appends through the cache of the system: for disks that it does good. */
export const cachedFileSystem: FileSystem = {
  ...nodeFileSystem,
  open: (path, access) => openFile(path, access, "cached"),
  create: (path) => createFile(path, "cached"),
};

/** How appends go to the disk, if there are both ways. */
type AppendPath = "direct" | "cached";

function openFile(path: string, access: "read" | "readWrite", appendPath: AppendPath): OpenFile {
  const flags = access === "read" ? constants.O_RDONLY : constants.O_RDWR;
  return new NodeFile(path, openSync(path, flags), appendPath);
}

function createFile(path: string, appendPath: AppendPath): OpenFile {
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR;
  return new NodeFile(path, openSync(path, flags, OWNER_ONLY_FILE), appendPath);
}
