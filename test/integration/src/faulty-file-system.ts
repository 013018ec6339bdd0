/** Any file system, with its operations counted, a fault at one of them, and lasting troubles. */

import type { DirectoryLock, Done, FileSystem, OpenFile } from "@quorumlog/log";
import { type DiskCondition, NO_TROUBLE, type TroubleCounts } from "./disk-condition.ts";
import type { DiskFault, DiskOperation } from "./disk-fault.ts";

export type OperationCounts = Record<DiskOperation, number>;

interface WriteCall {
  readonly parts: readonly Uint8Array[];
  readonly position: number;
  readonly done: Done;
}

export class FaultyFileSystem implements FileSystem {
  readonly #inner: FileSystem;
  readonly #kill: () => void;
  #fault: DiskFault | undefined;
  #left = 0;
  #counts: OperationCounts = noOperations();
  #condition: DiskCondition = NO_TROUBLE;
  #troubles: TroubleCounts = noTroubles();

  /** @param kill - Ends the process at once. */
  constructor(inner: FileSystem, kill: () => void) {
    this.#inner = inner;
    this.#kill = kill;
  }

  /** Counts from here on; a fault that was set and has not come is called off. */
  arm(fault: DiskFault | undefined): void {
    this.#fault = fault;
    this.#left = fault?.number ?? 0;
    this.#counts = noOperations();
  }

  /** Since {@link arm}. */
  counts(): OperationCounts {
    return { ...this.#counts };
  }

  /** From now on. Troubles are counted from here. */
  set condition(condition: DiskCondition) {
    this.#condition = condition;
    this.#troubles = noTroubles();
  }

  /** Since the condition was set. */
  troubles(): TroubleCounts {
    return { ...this.#troubles };
  }

  makeDirectory(path: string): void {
    this.#inner.makeDirectory(path);
  }

  list(path: string): string[] | undefined {
    return this.#inner.list(path);
  }

  open(path: string, access: "read" | "readWrite"): OpenFile {
    return this.#wrap(this.#inner.open(path, access));
  }

  create(path: string): OpenFile {
    if (this.#condition.full !== "no") throw this.#noSpace("create");
    return this.#now("create", () => this.#wrap(this.#inner.create(path)));
  }

  rename(from: string, to: string): void {
    this.#now("rename", () => {
      this.#inner.rename(from, to);
    });
  }

  remove(path: string): void {
    this.#now("remove", () => {
      this.#inner.remove(path);
    });
  }

  syncDirectory(path: string): void {
    this.#now("syncDirectory", () => {
      this.#inner.syncDirectory(path);
    });
  }

  syncDirectoryLater(path: string, done: Done): void {
    this.#later("syncDirectory", done, (onDone) => {
      this.#inner.syncDirectoryLater(path, onDone);
    });
  }

  freeBytes(path: string): number {
    if (this.#condition.full === "told") return 0;
    return this.#inner.freeBytes(path);
  }

  totalBytes(path: string): number {
    return this.#inner.totalBytes(path);
  }

  lock(path: string): DirectoryLock | { readonly heldBy: string } {
    return this.#inner.lock(path);
  }

  #wrap(file: OpenFile): OpenFile {
    const sync = (done: Done): void => {
      this.#sync(file, done);
    };
    return {
      path: file.path,
      size: () => file.size(),
      readNow: (target, position) => file.readNow(target, position),
      writeNow: (bytes, position) => {
        if (this.#isTooMuch(file, position + bytes.byteLength)) throw this.#noSpace("write");
        this.#now("write", () => {
          file.writeNow(bytes, position);
        });
      },
      syncNow: () => {
        if (this.#condition.failsSyncs) throw this.#syncFailure();
        this.#now("sync", () => {
          file.syncNow();
        });
      },
      write: (parts, position, done) => {
        this.#write(file, "write", { parts, position, done });
      },
      append: (parts, position, done) => {
        this.#write(file, "append", { parts, position, done });
      },
      appendSynced: (parts, position, done) => {
        if (this.#isUntroubled) {
          this.#counts.write += 1;
          this.#counts.sync += 1;
          file.appendSynced(parts, position, done);
          return;
        }
        // What may befall either of both, one by one.
        this.#write(file, "append", {
          parts,
          position,
          done: (error) => {
            if (error === undefined) sync(done);
            else done(error);
          },
        });
      },
      sync,
      close: () => {
        file.close();
      },
    };
  }

  get #isUntroubled(): boolean {
    return this.#fault === undefined && this.#condition === NO_TROUBLE;
  }

  #sync(file: OpenFile, done: Done): void {
    if (this.#condition.failsSyncs) {
      setImmediate(done, this.#syncFailure());
      return;
    }
    this.#later("sync", done, (onDone) => {
      this.#afterDelay(() => {
        file.sync(onDone);
      });
    });
  }

  #write(file: OpenFile, how: "write" | "append", { parts, position, done }: WriteCall): void {
    const end = parts.reduce((sum, part) => sum + part.byteLength, position);
    if (this.#isTooMuch(file, end)) setImmediate(done, this.#noSpace("write"));
    else
      this.#later("write", done, (onDone) => {
        file[how](parts, position, onDone);
      });
  }

  /** What a file has room for already fits, as on the file systems that the log is made for. */
  #isTooMuch(file: OpenFile, end: number): boolean {
    return this.#condition.full !== "no" && end > file.size();
  }

  #noSpace(operation: DiskOperation): Error {
    this.#troubles.refusedForSpace += 1;
    const message = `ENOSPC: no space left on device, ${operation}`;
    return Object.assign(new Error(message), { code: "ENOSPC" });
  }

  #syncFailure(): Error {
    this.#troubles.failedSyncs += 1;
    return inputOutputError("sync");
  }

  #afterDelay(run: () => void): void {
    const { syncDelayMs } = this.#condition;
    if (syncDelayMs === 0) {
      run();
      return;
    }
    this.#troubles.delayedSyncs += 1;
    setTimeout(run, syncDelayMs);
  }

  #now<T>(operation: DiskOperation, run: () => T): T {
    const effect = this.#begin(operation);
    if (effect === "error") throw inputOutputError(operation);
    const result = run();
    if (effect === "kill-after") this.#kill();
    return result;
  }

  #later(operation: DiskOperation, done: Done, run: (onDone: Done) => void): void {
    const effect = this.#begin(operation);
    if (effect === "error") setImmediate(done, inputOutputError(operation));
    else
      run((error) => {
        if (effect === "kill-after") this.#kill();
        done(error);
      });
  }

  #begin(operation: DiskOperation): DiskFault["effect"] | undefined {
    this.#counts[operation] += 1;
    if (this.#fault?.operation !== operation) return undefined;
    this.#left -= 1;
    if (this.#left !== 0) return undefined;
    if (this.#fault.effect === "kill-before") this.#kill();
    return this.#fault.effect;
  }
}

function noOperations(): OperationCounts {
  return { create: 0, remove: 0, rename: 0, sync: 0, syncDirectory: 0, write: 0 };
}

function noTroubles(): TroubleCounts {
  return { delayedSyncs: 0, failedSyncs: 0, refusedForSpace: 0 };
}

function inputOutputError(operation: DiskOperation): Error {
  return Object.assign(new Error(`EIO: i/o error, ${operation}`), { code: "EIO" });
}
