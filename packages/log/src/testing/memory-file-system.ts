/**
 * A file system in memory that keeps apart what is on the disk and what is not yet.
 *
 *     write, create, rename, remove ──> pending ──sync──> durable
 *                                          │
 *     crash("power"): some of it is lost, torn or out of order; crash("process"): nothing is
 *
 * A sync of a file covers its bytes and not its name, one of a directory the names in it and no
 * others; each covers what was asked for before it, and nothing that came while it was under way.
 *
 * For each operation a fault can be injected, and a process can be stopped at it. Time is the
 * caller's: callbacks run when it says so, so that a simulator can put them on virtual time.
 */

import { crc32 } from "node:zlib";
import { assert, type Prng } from "@quorumlog/std";
import { dirname } from "node:path/posix";
import type { DirectoryLock, Done, FileSystem, OpenFile } from "../file-system.ts";

/** What a file system is asked to do, for faults and counts. */
export type Operation =
  | "create"
  | "open"
  | "read"
  | "write"
  | "sync"
  | "rename"
  | "remove"
  | "syncDirectory"
  | "close";

export interface OperationEvent {
  readonly operation: Operation;
  readonly path: string;
  /** Of all operations of this file system, from 0 on. */
  readonly number: number;
}

/** Thrown, or passed to callbacks, once the process was stopped. Nothing it does counts. */
export class ProcessStopped extends Error {
  override readonly name = "ProcessStopped";
}

export interface MemoryFileSystemInit {
  /** Decides what power loss keeps. */
  readonly prng: Prng;
  /** Runs a callback later. Default: as soon as the present job of the event loop is over. */
  readonly schedule?: (run: () => void, event: OperationEvent) => void;
  /** Called before each operation: an error that it returns is the operation's. */
  readonly fault?: (event: OperationEvent) => Error | undefined;
  /** Bytes that may be written in all; default: no limit. */
  readonly capacityBytes?: number;
}

const SECTOR_BYTES = 512;
const BLOCK_BYTES = 4_096;
/** Of zeros that an append may bring. */
const AHEAD_BYTES = 128 * 1_024;

interface Write {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** A file's bytes, wherever its name points. */
class Inode {
  durable: Uint8Array = new Uint8Array(0);
  /** As the process sees it. */
  current: Uint8Array = new Uint8Array(0);
  pending: Write[] = [];
  /** Writes that are not pending any more. */
  #settledCount = 0;

  /** Of all writes so far: what a sync that begins now covers. */
  get writeCount(): number {
    return this.#settledCount + this.pending.length;
  }

  write(position: number, bytes: Uint8Array): void {
    this.current = overwrite(this.current, position, bytes);
    this.pending.push({ position, bytes: Uint8Array.from(bytes) });
  }

  sync(writeCount: number): void {
    for (const { position, bytes } of this.settle(writeCount))
      this.durable = overwrite(this.durable, position, bytes);
  }

  /** The writes up to `writeCount` that no sync has covered: several may be under way. */
  settle(writeCount: number): Write[] {
    const settled = this.pending.splice(0, Math.max(0, writeCount - this.#settledCount));
    this.#settledCount += settled.length;
    return settled;
  }

  /** Of what was not synced any sectors may have reached the disk, in any order. */
  crash(prng: Prng): void {
    for (const { position, bytes } of this.pending) {
      if (prng.chance(0.3)) continue;
      const isWhole = prng.chance(0.4);
      let at = 0;
      while (at < bytes.length) {
        const end = Math.min(bytes.length, nextSector(position + at) - position);
        const isKept = isWhole || prng.chance(0.6);
        if (isKept) this.durable = overwrite(this.durable, position + at, bytes.subarray(at, end));
        at = end;
      }
    }
    this.settle(this.writeCount);
    this.current = Uint8Array.from(this.durable);
  }
}

type NameChange =
  | { readonly kind: "link"; readonly path: string; readonly inode: Inode }
  | { readonly kind: "unlink"; readonly path: string };

/** What one call changes in a directory: as a whole, or not at all. */
interface NameChanges {
  readonly directory: string;
  readonly changes: readonly NameChange[];
}

export class MemoryFileSystem implements FileSystem {
  readonly #prng: Prng;
  readonly #schedule: (run: () => void, event: OperationEvent) => void;
  readonly #capacityBytes: number;
  fault: ((event: OperationEvent) => Error | undefined) | undefined;
  readonly #directories = new Set<string>();
  #durableNames = new Map<string, Inode>();
  #names = new Map<string, Inode>();
  /** Changes of names, not on the disk yet, in order; each rename is one. */
  #pendingNames: NameChanges[] = [];
  #operationCount = 0;
  /** Which life of the process this is: handles and callbacks of a former one are dead. */
  #life = 0;
  readonly #locks = new Map<string, number>();

  constructor(init: MemoryFileSystemInit) {
    this.#prng = init.prng;
    this.#schedule = init.schedule ?? ((run) => void setImmediate(run));
    this.fault = init.fault;
    this.#capacityBytes = init.capacityBytes ?? Number.POSITIVE_INFINITY;
  }

  get operationCount(): number {
    return this.#operationCount;
  }

  /**
   * The process ends. By `power` what was not synced may be lost as well, in part and out of order.
   */
  crash(kind: "process" | "power"): void {
    this.#life += 1;
    this.#locks.clear();
    if (kind === "process") return;
    // In a directory nothing is there without what came before; two of them have no order.
    const cut = new Set<string>();
    for (const { directory, changes } of this.#pendingNames) {
      if (this.#prng.chance(0.5)) cut.add(directory);
      if (!cut.has(directory)) this.#apply(this.#durableNames, changes);
    }
    this.#pendingNames = [];
    this.#names = new Map(this.#durableNames);
    for (const inode of new Set(this.#names.values())) inode.crash(this.#prng);
  }

  /** The bytes of a file as they are on the disk, to look at or to damage. */
  bytesOf(path: string): Uint8Array {
    return this.#inode(path).current;
  }

  /** Damages a file: on the disk, and as it is read. */
  damage(path: string, position: number, bytes: Uint8Array): void {
    const inode = this.#inode(path);
    inode.current = overwrite(inode.current, position, bytes);
    inode.durable = overwrite(inode.durable, position, bytes);
  }

  /** Cuts a file short: on the disk, and as it is read. */
  truncate(path: string, bytes: number): void {
    const inode = this.#inode(path);
    inode.current = inode.current.slice(0, bytes);
    inode.durable = inode.durable.slice(0, bytes);
  }

  /** Removes a file, and leaves no trace of it. */
  lose(path: string): void {
    this.#names.delete(path);
    this.#durableNames.delete(path);
  }

  makeDirectory(path: string): void {
    this.#directories.add(path);
  }

  list(path: string): string[] | undefined {
    if (!this.#directories.has(path)) return undefined;
    const prefix = `${path}/`;
    return [...this.#names.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length))
      .sort();
  }

  open(path: string): OpenFile {
    this.#begin("open", path);
    return this.#handle(path, this.#inode(path));
  }

  create(path: string): OpenFile {
    this.#begin("create", path);
    if (this.#names.has(path)) throw new Error(`EEXIST: ${path}`);
    const inode = new Inode();
    this.#change([{ kind: "link", path, inode }]);
    return this.#handle(path, inode);
  }

  rename(from: string, to: string): void {
    this.#begin("rename", to);
    const inode = this.#inode(from);
    this.#change([
      { kind: "unlink", path: from },
      { kind: "link", path: to, inode },
    ]);
  }

  remove(path: string): void {
    this.#begin("remove", path);
    this.#inode(path);
    this.#change([{ kind: "unlink", path }]);
  }

  syncDirectory(path: string): void {
    this.#begin("syncDirectory", path);
    this.#syncNames(this.#pendingIn(path));
  }

  syncDirectoryLater(path: string, done: Done): void {
    const event = this.#event("syncDirectory", path);
    const error = this.fault?.(event);
    const pending = this.#pendingIn(path);
    this.#answer(event, () => {
      if (error === undefined) this.#syncNames(pending);
      done(error);
    });
  }

  freeBytes(): number {
    let used = 0;
    for (const { current } of new Set(this.#names.values())) used += current.length;
    return Math.max(0, this.#capacityBytes - used);
  }

  totalBytes(): number {
    return this.#capacityBytes;
  }

  lock(path: string): DirectoryLock | { readonly heldBy: string } {
    if (this.#locks.has(path)) return { heldBy: "another process" };
    const life = this.#life;
    this.#locks.set(path, life);
    return {
      release: () => {
        if (this.#locks.get(path) === life) this.#locks.delete(path);
      },
    };
  }

  #handle(path: string, inode: Inode): OpenFile {
    const life = this.#life;
    let isClosed = false;
    const begin = (operation: Operation): void => {
      if (this.#life !== life) throw new ProcessStopped(operation);
      assert(!isClosed, "a file that is closed is not used");
      this.#begin(operation, path);
    };
    const put = (parts: readonly Uint8Array[], position: number): void => {
      let at = position;
      for (const part of parts) {
        const growth = at + part.length - inode.current.length;
        if (growth > this.freeBytes()) throw noSpace(path);
        inode.write(at, part);
        at += part.length;
      }
    };
    const later = (parts: readonly Uint8Array[], position: number, done: Done): void => {
      if (this.#life !== life) return;
      // The kernel may have written some of it before it says so.
      const write = (): Error | undefined => failureOf(() => put(parts, position));
      this.#writeLater(path, { parts, write, done });
    };
    const sync = (done: Done): void => {
      if (this.#life === life) this.#syncLater(path, inode, done);
    };
    let zeros = new Zeros(inode);
    return {
      path,
      size: () => inode.current.length,
      readNow: (target, position) => {
        begin("read");
        const source = inode.current.subarray(position, position + target.length);
        target.set(source);
        return source.length;
      },
      writeNow: (bytes, position) => {
        begin("write");
        zeros = new Zeros(inode);
        put([bytes], position);
      },
      syncNow: () => {
        syncInode(inode, () => {
          begin("sync");
        });
      },
      write: (parts, position, done) => {
        zeros = new Zeros(inode);
        later(parts, position, done);
      },
      append: (parts, position, done) => {
        later([...parts, zeros.behind(parts, position)], position, done);
      },
      appendSynced: (parts, position, done) => {
        assert(inode.pending.length === 0, "what is behind it is synced before what comes next");
        later([...parts, zeros.behind(parts, position)], position, (error) => {
          if (error === undefined) sync(done);
          else done(error);
        });
      },
      sync,
      close: () => {
        if (this.#life !== life) return;
        begin("close");
        isClosed = true;
      },
    };
  }

  #writeLater(
    path: string,
    call: {
      readonly parts: readonly Uint8Array[];
      readonly write: () => Error | undefined;
      readonly done: Done;
    },
  ): void {
    const event = this.#event("write", path);
    const sum = checksumOf(call.parts);
    const error = this.fault?.(event) ?? call.write();
    this.#answer(event, () => {
      assert(checksumOf(call.parts) === sum, "what is written stays as it is until it is written");
      call.done(error);
    });
  }

  #syncLater(path: string, inode: Inode, done: Done): void {
    const event = this.#event("sync", path);
    const error = this.fault?.(event);
    const count = inode.writeCount;
    this.#answer(event, () => {
      if (error === undefined) inode.sync(count);
      // What a sync failed to write counts as clean: no later one writes it (ATC '20).
      else inode.settle(count);
      done(error);
    });
  }

  /** Runs a callback later, unless its process has ended by then. */
  #answer(event: OperationEvent, run: () => void): void {
    const life = this.#life;
    this.#schedule(() => {
      if (this.#life === life) run();
    }, event);
  }

  #begin(operation: Operation, path: string): void {
    const error = this.fault?.(this.#event(operation, path));
    if (error !== undefined) throw error;
  }

  #event(operation: Operation, path: string): OperationEvent {
    const number = this.#operationCount;
    this.#operationCount += 1;
    return { operation, path, number };
  }

  /** @param changes - All in one directory. */
  #change(changes: readonly [NameChange, ...NameChange[]]): void {
    const directory = dirname(changes[0].path);
    assert(
      changes.every(({ path }) => dirname(path) === directory),
      "a file keeps its directory",
    );
    this.#apply(this.#names, changes);
    this.#pendingNames.push({ directory, changes });
  }

  #pendingIn(path: string): ReadonlySet<NameChanges> {
    return new Set(this.#pendingNames.filter(({ directory }) => directory === path));
  }

  #apply(names: Map<string, Inode>, changes: readonly NameChange[]): void {
    for (const change of changes)
      if (change.kind === "link") names.set(change.path, change.inode);
      else names.delete(change.path);
  }

  #syncNames(pending: ReadonlySet<NameChanges>): void {
    const isPending = (each: NameChanges): boolean => pending.has(each);
    for (const each of this.#pendingNames.filter(isPending))
      this.#apply(this.#durableNames, each.changes);
    this.#pendingNames = this.#pendingNames.filter((each) => !isPending(each));
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw new Error(`ENOENT: ${path}`);
    return inode;
  }
}

/** @param begin - Throws what the sync is to fail with. */
function syncInode(inode: Inode, begin: () => void): void {
  try {
    begin();
  } catch (error) {
    if (!(error instanceof ProcessStopped)) inode.settle(inode.writeCount);
    throw error;
  }
  inode.sync(inode.writeCount);
}

/**
 * What stands behind an append may become zeros. Here it does, up to the next block; and as far as
 * they may reach of a file that was just opened, or written to otherwise, or where an append comes
 * that far.
 */
class Zeros {
  readonly #inode: Inode;
  #foundTo = 0;

  constructor(inode: Inode) {
    this.#inode = inode;
  }

  behind(parts: readonly Uint8Array[], position: number): Uint8Array {
    const end = parts.reduce((sum, part) => sum + part.byteLength, position);
    const block = nextMultiple(end, BLOCK_BYTES);
    const ahead = Math.min(nextMultiple(end, AHEAD_BYTES), this.#inode.current.length);
    const reached = Math.max(block, block > this.#foundTo ? ahead : 0);
    this.#foundTo = Math.max(this.#foundTo, reached);
    return new Uint8Array(reached - end);
  }
}

function nextMultiple(position: number, step: number): number {
  return Math.ceil(position / step) * step;
}

function noSpace(path: string): Error {
  return Object.assign(new Error(`ENOSPC: ${path}`), { code: "ENOSPC" });
}

function failureOf(run: () => void): Error | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

function nextSector(position: number): number {
  return (Math.floor(position / SECTOR_BYTES) + 1) * SECTOR_BYTES;
}

/** `bytes` at `position` in what may have to grow for it. */
function overwrite(target: Uint8Array, position: number, bytes: Uint8Array): Uint8Array {
  assert(position >= 0, "a position in a file is a count");
  const end = position + bytes.length;
  let result = target;
  if (end > target.length) {
    result = new Uint8Array(end);
    result.set(target);
  }
  result.set(bytes, position);
  return result;
}

function checksumOf(parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) sum = crc32(part, sum);
  return sum;
}
