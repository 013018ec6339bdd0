/**
 * A file that is no snapshot before it has the name of one.
 *
 *     written ──> synced ──> renamed ──> names synced
 *
 * In this order: whatever a crash leaves has either another name, or every byte.
 *
 * Nobody has counted on a part yet, so a disk that is full is no failure: the part is given up. A
 * sync that fails is one, for whatever reason.
 */

import { join } from "node:path";
import { type FileSystem, isNoSpace, type OpenFile } from "@quorumlog/log";
import { assert, InvariantViolation } from "@quorumlog/std";

/** Bytes between two syncs: a sync of more would hold up those of the log. */
const SYNC_BYTES = 4 << 20;

export interface PartPlace {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  /** What is left free on the disk, for the log. */
  readonly reserveBytes: number;
  /** The file system has failed. */
  readonly onFailure: (cause: unknown, file: string) => void;
}

export class PartFile {
  readonly #place: PartPlace;
  readonly #path: string;
  readonly #onNoSpace: (cause: Error) => void;
  /** `undefined` once it was closed. */
  #file: OpenFile | undefined;
  #unsyncedBytes = 0;
  #isBusy = false;
  #isRenamed = false;
  /** Nothing is called any more. */
  #isOver = false;

  /**
   * @param file - Belongs to it from here on.
   * @param onNoSpace - The disk is full: the part was removed, and is over.
   */
  constructor(place: PartPlace, file: OpenFile, onNoSpace: (cause: Error) => void) {
    this.#place = place;
    this.#path = file.path;
    this.#file = file;
    this.#onNoSpace = onNoSpace;
  }

  /** Something is under way: one thing at a time. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** @param bytes - Borrowed until `onWritten`. */
  write(bytes: Uint8Array, position: number, onWritten: () => void): void {
    const file = this.#begin();
    this.#unsyncedBytes += bytes.byteLength;
    file.write([bytes], position, (error) => {
      if (this.#isOver) return;
      const shortage = this.#shortage(error, bytes.byteLength);
      if (shortage !== undefined) this.#giveUp(shortage);
      else if (error === undefined && this.#unsyncedBytes >= SYNC_BYTES)
        this.#sync(file, onWritten);
      else this.#end(error, onWritten);
    });
  }

  /** What was written is on the disk when it calls back. */
  sync(onSynced: () => void): void {
    this.#sync(this.#begin(), onSynced);
  }

  /** Makes it a snapshot: it is there after any crash from `onDurable` on. Its last act. */
  publish(name: string, onDurable: () => void): void {
    const { fileSystem, directory } = this.#place;
    this.sync(() => {
      const file = this.#begin();
      try {
        this.#file = undefined;
        file.close();
        fileSystem.rename(this.#path, join(directory, name));
        this.#isRenamed = true;
      } catch (error) {
        this.#end(error as Error, onDurable);
        return;
      }
      fileSystem.syncDirectoryLater(directory, (error) => {
        this.#end(error, () => {
          this.#isOver = true;
          onDurable();
        });
      });
    });
  }

  /** Lets go of the file, which stays. What is under way is not answered. Idempotent. */
  close(): void {
    this.#isOver = true;
    if (this.#file !== undefined) releaseFile(this.#file);
    this.#file = undefined;
  }

  /** Lets go of the file, and removes it. Idempotent. */
  remove(): void {
    if (this.#isOver) return;
    this.close();
    if (!this.#isRenamed) this.#place.fileSystem.remove(this.#path);
  }

  #begin(): OpenFile {
    const file = this.#file;
    assert(!this.#isOver && file !== undefined, "a part that is over is not written to");
    assert(!this.#isBusy, "one thing at a time is asked of a part");
    this.#isBusy = true;
    return file;
  }

  /** @returns why there is no room for another write like that one, if there is none. */
  #shortage(error: Error | undefined, bytes: number): Error | undefined {
    if (error !== undefined) return isNoSpace(error) ? error : undefined;
    const { fileSystem, directory, reserveBytes } = this.#place;
    if (reserveBytes === 0) return undefined;
    const free = freeBytes(fileSystem, directory);
    if (free >= reserveBytes + bytes) return undefined;
    return new Error(`${free} bytes are free, and ${reserveBytes} are kept for the log`);
  }

  #giveUp(shortage: Error): void {
    this.#isBusy = false;
    try {
      this.remove();
    } catch (error) {
      this.#place.onFailure(error, this.#path);
      return;
    }
    this.#onNoSpace(shortage);
  }

  #sync(file: OpenFile, onSynced: () => void): void {
    this.#unsyncedBytes = 0;
    file.sync((error) => {
      this.#end(error, onSynced);
    });
  }

  #end(error: Error | undefined, run: () => void): void {
    this.#isBusy = false;
    if (this.#isOver) return;
    if (error === undefined) run();
    else {
      this.close();
      this.#place.onFailure(error, this.#path);
    }
  }
}

/** A disk that cannot say it is written to: it says soon enough if it is full. */
export function freeBytes(fileSystem: FileSystem, directory: string): number {
  try {
    return fileSystem.freeBytes(directory);
  } catch (error) {
    if (error instanceof InvariantViolation) throw error;
    return Number.POSITIVE_INFINITY;
  }
}

/** Closes a file of which nothing is expected: whatever that says, it changes nothing. */
export function releaseFile(file: OpenFile): void {
  try {
    file.close();
  } catch (error) {
    if (error instanceof InvariantViolation) throw error;
  }
}
