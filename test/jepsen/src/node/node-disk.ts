/**
 * The disk of a node: the machine's own, or LazyFS, or one that keeps what is not synced in this
 * process; and over it the troubles that the harness makes.
 */

import { type Done, type FileSystem, nodeFileSystem, type OpenFile } from "@quorumlog/log";
import { FaultyFileSystem, UnsyncedFileSystem } from "@quorumlog/integration/testing";
import { Prng } from "@quorumlog/std";
import { dirname } from "node:path";
import type { NodeSettings } from "./node-protocol.ts";
import { UnsyncedCount } from "./unsynced-count.ts";

export interface NodeDisk {
  readonly fileSystem: FaultyFileSystem;
  /** The process ends as if the kernel had everything that was written. */
  readonly crash: () => never;
}

const LEAK_EVERY_MS = 7;
/** As a disk takes, in milliseconds: for so long there is something to lose. */
const SYNC_MS = 2;

export function openNodeDisk({ disk, directory, seed, unsyncedCount }: NodeSettings): NodeDisk {
  if (disk === "real") return nodeDisk(nodeFileSystem, () => undefined);
  if (disk === "lazyfs") return nodeDisk(withSpaceOf(dirname(directory)), () => undefined);
  const unsynced = new UnsyncedFileSystem({
    prng: new Prng(seed),
    ...(disk === "leaky" ? { leakEveryMs: LEAK_EVERY_MS } : {}),
  });
  const counted = countedFileSystem(unsynced, new UnsyncedCount(unsyncedCount));
  return nodeDisk(counted, () => {
    unsynced.writeThrough();
  });
}

/** LazyFS does not know how much room there is (it has no `statfs`). */
function withSpaceOf(folder: string): FileSystem {
  return {
    ...nodeFileSystem,
    freeBytes: () => nodeFileSystem.freeBytes(folder),
    totalBytes: () => nodeFileSystem.totalBytes(folder),
  };
}

function nodeDisk(inner: FileSystem, beforeCrash: () => void): NodeDisk {
  const fileSystem = new FaultyFileSystem(inner, killThis);
  const crash = (): never => {
    beforeCrash();
    return killThis();
  };
  return { fileSystem, crash };
}

function killThis(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("a process that was killed does nothing more");
}

/** Says after each operation on a file what a power loss would take away. */
function countedFileSystem(inner: UnsyncedFileSystem, count: UnsyncedCount): FileSystem {
  const tell = (): void => {
    count.tell(inner.pendingBytes());
  };
  const syncLater = (file: OpenFile, done: Done): void => {
    setTimeout(() => {
      file.sync((error) => {
        tell();
        done(error);
      });
    }, SYNC_MS);
  };
  const counted = (file: OpenFile): OpenFile => ({
    path: file.path,
    size: () => file.size(),
    readNow: (target, position) => file.readNow(target, position),
    writeNow: (bytes, position) => {
      file.writeNow(bytes, position);
      tell();
    },
    syncNow: () => {
      file.syncNow();
      tell();
    },
    write: (parts, position, done) => {
      file.write(parts, position, done);
      tell();
    },
    append: (parts, position, done) => {
      file.append(parts, position, done);
      tell();
    },
    appendSynced: (parts, position, done) => {
      file.append(parts, position, (error) => {
        if (error === undefined) syncLater(file, done);
        else done(error);
      });
      tell();
    },
    sync: (done) => {
      syncLater(file, done);
    },
    close: () => {
      file.close();
    },
  });
  return {
    makeDirectory: (path) => {
      inner.makeDirectory(path);
    },
    list: (path) => inner.list(path),
    open: (path, access) => counted(inner.open(path, access)),
    create: (path) => counted(inner.create(path)),
    rename: (from, to) => {
      inner.rename(from, to);
    },
    remove: (path) => {
      inner.remove(path);
    },
    syncDirectory: (path) => {
      inner.syncDirectory(path);
    },
    syncDirectoryLater: (path, done) => {
      inner.syncDirectoryLater(path, done);
    },
    freeBytes: (path) => inner.freeBytes(path),
    totalBytes: (path) => inner.totalBytes(path),
    lock: (path) => inner.lock(path),
  };
}
