/**
 * The file system of the machine, with the part that a power loss takes away kept in this process:
 * bytes until their file is synced, names until their directory is. So `kill -9` is power loss.
 *
 *     write ──────────────────> memory of this process ──sync──────────> real file
 *     create, rename, remove ─> memory of this process ──syncDirectory─> real directory
 *                                       └────── some of it, now and then ──────┘
 *
 * A file that was created is a real one under a hidden name until its own name is synced. What was
 * written through survives `kill -9` in the page cache of the kernel, so no real sync is done.
 */

import type { DirectoryLock, Done, FileSystem, OpenFile } from "@quorumlog/log";
import { nodeFileSystem } from "@quorumlog/log";
import { assert, type Prng, required } from "@quorumlog/std";
import { constants, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { UnsyncedInode } from "./unsynced-inode.ts";

export interface UnsyncedFileSystemInit {
  /** Decides what leaks. */
  readonly prng: Prng;
  /** How often some of what is not synced is written through, in ms; `undefined`: never. */
  readonly leakEveryMs?: number;
}

/** A file gets a name, or loses it; not on the disk yet. */
interface NameChange {
  readonly kind: "place" | "remove";
  readonly path: string;
  readonly inode: UnsyncedInode;
}

interface Directory {
  /** As this process sees them; `undefined` for a file that nobody has opened. */
  readonly names: Map<string, UnsyncedInode | undefined>;
  /** In order. */
  readonly changes: NameChange[];
}

const HIDDEN_PREFIX = ".unsynced-";
const OWNER_ONLY_FILE = 0o600;
const CREATE_FLAGS = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR;

export class UnsyncedFileSystem implements FileSystem {
  readonly #prng: Prng;
  readonly #directories = new Map<string, Directory>();
  readonly #timer: NodeJS.Timeout | undefined;
  #hiddenCount = 0;

  constructor({ prng, leakEveryMs }: UnsyncedFileSystemInit) {
    this.#prng = prng;
    if (leakEveryMs === undefined) return;
    this.#timer = setInterval(() => {
      this.leak();
    }, leakEveryMs);
    this.#timer.unref();
  }

  /** Writes some of what is not synced through. */
  leak(): void {
    for (const { names, changes } of this.#directories.values()) {
      for (const inode of names.values()) inode?.leak(this.#prng);
      if (changes.length > 0 && this.#prng.chance(0.5))
        apply(changes, 1 + this.#prng.below(changes.length));
    }
  }

  /** Nothing leaks any more. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** Writes that a power loss would take away. */
  pendingCount(): number {
    let count = 0;
    for (const { names, changes } of this.#directories.values()) {
      count += changes.length;
      for (const inode of names.values()) count += inode?.pendingCount ?? 0;
    }
    return count;
  }

  /** The same in bytes of files: what a power loss takes away. */
  pendingBytes(): number {
    let bytes = 0;
    for (const { names } of this.#directories.values())
      for (const inode of names.values()) bytes += inode?.pendingBytes ?? 0;
    return bytes;
  }

  /**
   * Everything reaches the real files, as if the kernel had it: for a process that is to end as by
   * a crash of its own, on a machine that goes on. Nothing may be asked of it any more.
   */
  writeThrough(): void {
    for (const { names, changes } of this.#directories.values()) {
      for (const inode of names.values()) inode?.writeThrough();
      apply(changes, changes.length);
    }
  }

  /** Directories are on the disk at once. */
  makeDirectory(path: string): void {
    nodeFileSystem.makeDirectory(path);
    this.#directories.get(dirname(path))?.names.set(basename(path), undefined);
  }

  list(path: string): string[] | undefined {
    if (nodeFileSystem.list(path) === undefined) return undefined;
    return [...this.#directory(path).names.keys()].sort();
  }

  open(path: string, _access: "read" | "readWrite"): OpenFile {
    const { names } = this.#directory(dirname(path));
    const name = basename(path);
    if (!names.has(name)) throw noSuchFile(path);
    const inode = names.get(name) ?? new UnsyncedInode(path, constants.O_RDWR, OWNER_ONLY_FILE);
    names.set(name, inode);
    return new UnsyncedFile(path, inode);
  }

  create(path: string): OpenFile {
    const { names, changes } = this.#directory(dirname(path));
    const name = basename(path);
    if (names.has(name)) throw Object.assign(new Error(`EEXIST: ${path}`), { code: "EEXIST" });
    const hidden = `${HIDDEN_PREFIX}${process.pid}-${this.#hiddenCount}`;
    this.#hiddenCount += 1;
    const inode = new UnsyncedInode(join(dirname(path), hidden), CREATE_FLAGS, OWNER_ONLY_FILE);
    names.set(name, inode);
    changes.push({ kind: "place", path, inode });
    return new UnsyncedFile(path, inode);
  }

  rename(from: string, to: string): void {
    assert(dirname(from) === dirname(to), "a file stays in its directory");
    const { names, changes } = this.#directory(dirname(from));
    const inode = this.#take(from);
    names.get(basename(to))?.unname();
    names.set(basename(to), inode);
    changes.push({ kind: "place", path: to, inode });
  }

  remove(path: string): void {
    const { changes } = this.#directory(dirname(path));
    const inode = this.#take(path);
    changes.push({ kind: "remove", path, inode });
    inode.unname();
  }

  syncDirectory(path: string): void {
    const { changes } = this.#directory(path);
    apply(changes, changes.length);
  }

  syncDirectoryLater(path: string, done: Done): void {
    const { changes } = this.#directory(path);
    const last = changes.at(-1);
    setImmediate(() => {
      try {
        // Some may have leaked by now; what came since is left.
        apply(changes, last === undefined ? 0 : changes.indexOf(last) + 1);
      } catch (error) {
        done(error as Error);
        return;
      }
      done(undefined);
    });
  }

  freeBytes(path: string): number {
    return nodeFileSystem.freeBytes(path);
  }

  totalBytes(path: string): number {
    return nodeFileSystem.totalBytes(path);
  }

  lock(path: string): DirectoryLock | { readonly heldBy: string } {
    return nodeFileSystem.lock(path);
  }

  /** The names of a directory as a power loss has left them, at first. */
  #directory(path: string): Directory {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const names = new Map<string, UnsyncedInode | undefined>();
    for (const name of readdirSync(path))
      if (name.startsWith(HIDDEN_PREFIX)) rmSync(join(path, name));
      else names.set(name, undefined);
    const directory = { names, changes: [] };
    this.#directories.set(path, directory);
    return directory;
  }

  /** The file loses its name, as this process sees it. */
  #take(path: string): UnsyncedInode {
    const { names } = this.#directory(dirname(path));
    const name = basename(path);
    if (!names.has(name)) throw noSuchFile(path);
    if (names.get(name) === undefined) this.open(path, "readWrite").close();
    const inode = required(names.get(name), "a file that was opened is known");
    names.delete(name);
    return inode;
  }
}

class UnsyncedFile implements OpenFile {
  readonly path: string;
  readonly #inode: UnsyncedInode;
  #isClosed = false;

  constructor(path: string, inode: UnsyncedInode) {
    this.path = path;
    this.#inode = inode;
    inode.retain();
  }

  size(): number {
    return this.#inode.size();
  }

  readNow(target: Uint8Array, position: number): number {
    assert(!this.#isClosed, "a file that is closed is not read");
    return this.#inode.read(target, position);
  }

  writeNow(bytes: Uint8Array, position: number): void {
    assert(!this.#isClosed, "a file that is closed is not written");
    this.#inode.write(bytes, position);
  }

  syncNow(): void {
    this.#inode.syncNow();
  }

  write(parts: readonly Uint8Array[], position: number, done: Done): void {
    let at = position;
    for (const part of parts) {
      this.writeNow(part, at);
      at += part.byteLength;
    }
    setImmediate(done, undefined);
  }

  append(parts: readonly Uint8Array[], position: number, done: Done): void {
    this.write(parts, position, done);
  }

  appendSynced(parts: readonly Uint8Array[], position: number, done: Done): void {
    this.write(parts, position, (error) => {
      if (error === undefined) this.sync(done);
      else done(error);
    });
  }

  sync(done: Done): void {
    this.#inode.sync(done);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#inode.release();
  }
}

/** The first changes reach the disk. */
function apply(changes: NameChange[], count: number): void {
  for (const { kind, path, inode } of changes.splice(0, count))
    if (kind === "remove") rmSync(inode.realPath);
    else {
      renameSync(inode.realPath, path);
      inode.realPath = path;
    }
}

function noSuchFile(path: string): Error {
  return Object.assign(new Error(`ENOENT: ${path}`), { code: "ENOENT" });
}
