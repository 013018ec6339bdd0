/**
 * The part of a file system that the log stands on: a seam, behind which every fault can be
 * produced.
 *
 * What happens while a log is opened is synchronous, as nothing else can happen before. What
 * happens while it serves takes a callback: the hot path pays for no promise, and a simulator can
 * run it on virtual time. A callback is never called before the call that took it has returned.
 */

/** Called with the error, or with `undefined` when it is done. */
export type Done = (error: Error | undefined) => void;

export interface OpenFile {
  readonly path: string;

  size(): number;

  /** @returns how many bytes were there to read, up to `target.length`. */
  readNow(target: Uint8Array, position: number): number;

  writeNow(bytes: Uint8Array, position: number): void;

  /** The bytes of the file are on the disk when it returns (fdatasync). */
  syncNow(): void;

  /**
   * Writes the parts one after another, all of them: a short write is an error.
   *
   * @param parts - Borrowed until `done`: nobody writes to them before.
   */
  write(parts: readonly Uint8Array[], position: number, done: Done): void;

  /**
   * Writes the parts behind what the file holds, all of them. Up to the next multiple of 128 KiB
   * there may be zeros afterwards, whatever was there; the file may grow by them to a multiple of
   * 4,096 bytes. One at a time. Where it can be, this goes past the cache of the system: it is no
   * safer for that before it is synced, but an error is told here.
   *
   * @param parts - Borrowed until `done`: nobody writes to them before.
   */
  append(parts: readonly Uint8Array[], position: number, done: Done): void;

  /**
   * The same, and a sync of what this call has appended, if of nothing else: what was written
   * before is to be on the disk already. One call of the system where it can be.
   */
  appendSynced(parts: readonly Uint8Array[], position: number, done: Done): void;

  /** What was written before the call is on the disk when `done` is called (fdatasync). */
  sync(done: Done): void;

  /** An error here is one of the file: what was written may be lost. */
  close(): void;
}

/** A directory that belongs to this process until it is released or the process ends. */
export interface DirectoryLock {
  release(): void;
}

export interface FileSystem {
  /** Makes the directory, for its owner only, and those above it. */
  makeDirectory(path: string): void;

  /** The names in a directory, sorted; `undefined` if there is no such directory. */
  list(path: string): string[] | undefined;

  /** Opens a file that exists. */
  open(path: string, access: "read" | "readWrite"): OpenFile;

  /** Makes a file that must not exist yet. */
  create(path: string): OpenFile;

  rename(from: string, to: string): void;

  remove(path: string): void;

  /** Names made, renamed and removed in the directory are on the disk when it returns. */
  syncDirectory(path: string): void;

  /** The same, in the background. */
  syncDirectoryLater(path: string, done: Done): void;

  /** Bytes that may yet be written to the disk of `path`. */
  freeBytes(path: string): number;

  /** Of the disk of `path`: those in use, and {@link FileSystem.freeBytes}. */
  totalBytes(path: string): number;

  /** @returns `undefined`, with who holds it, if another process that is alive holds the lock. */
  lock(path: string): DirectoryLock | { readonly heldBy: string };
}
