/** The machine's file system, telling of what took long, and of when a snapshot was written. */

import { basename } from "node:path";
import { type Done, type FileSystem, nodeFileSystem, type OpenFile } from "@quorumlog/log";
import type { Pause } from "./pause-journal.ts";

/** What is quicker stalls nobody. */
const SLOW_MS = 20;
const SNAPSHOT_NAME = /\.(?:part|snapshot)$/u;

export function timedFileSystem(note: (pause: Pause) => void): FileSystem {
  const beginTiming = (what: string, path: string): (() => void) => {
    const startedAt = performance.now();
    return () => {
      const milliseconds = performance.now() - startedAt;
      if (milliseconds < SLOW_MS) return;
      const kind = SNAPSHOT_NAME.test(path) ? "snapshot" : "disk";
      note({ cause: `${kind}: ${what} ${basename(path)}`, startedAt, milliseconds });
    };
  };
  const timed = <T>(what: string, path: string, run: () => T): T => {
    const end = beginTiming(what, path);
    try {
      return run();
    } finally {
      end();
    }
  };
  const timedDone = (what: string, path: string, done: Done): Done => {
    const end = beginTiming(what, path);
    return (error) => {
      end();
      done(error);
    };
  };
  const timedFile = (file: OpenFile): OpenFile => {
    const { path } = file;
    return {
      path,
      size: () => file.size(),
      readNow: (target, position) => timed("read", path, () => file.readNow(target, position)),
      writeNow: (bytes, position) => {
        timed("write", path, () => {
          file.writeNow(bytes, position);
        });
      },
      syncNow: () => {
        timed("sync", path, () => {
          file.syncNow();
        });
      },
      write: (parts, position, done) => {
        file.write(parts, position, timedDone("write in the background of", path, done));
      },
      append: (parts, position, done) => {
        file.append(parts, position, timedDone("append in the background to", path, done));
      },
      appendSynced: (parts, position, done) => {
        file.appendSynced(parts, position, timedDone("synced append to", path, done));
      },
      sync: (done) => {
        file.sync(timedDone("sync in the background of", path, done));
      },
      close: () => {
        timed("close", path, () => {
          file.close();
        });
      },
    };
  };
  return {
    ...nodeFileSystem,
    open: (path, access) => timedFile(timed("open", path, () => nodeFileSystem.open(path, access))),
    create: (path) => timedFile(timed("create", path, () => nodeFileSystem.create(path))),
    rename: (from, to) => {
      timed("rename", from, () => {
        nodeFileSystem.rename(from, to);
      });
    },
    remove: (path) => {
      timed("remove", path, () => {
        nodeFileSystem.remove(path);
      });
    },
    syncDirectory: (path) => {
      timed("sync directory", path, () => {
        nodeFileSystem.syncDirectory(path);
      });
    },
    syncDirectoryLater: (path, done) => {
      nodeFileSystem.syncDirectoryLater(path, timedDone("sync directory", path, done));
    },
    freeBytes: (path) => timed("look at", path, () => nodeFileSystem.freeBytes(path)),
    totalBytes: (path) => timed("look at", path, () => nodeFileSystem.totalBytes(path)),
  };
}
