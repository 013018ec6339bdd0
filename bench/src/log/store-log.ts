/** The log under measurement, on the machine's file system. */

import {
  createLog,
  type FileSystem,
  nodeFileSystem,
  parseLogOptions,
  type SegmentLogInit,
  SegmentLogStore,
} from "@quorumlog/log";
import type { AppendLog } from "./append-log.ts";

export class StoreLog implements AppendLog {
  readonly store: SegmentLogStore;
  /** What had been made when the log was opened is not counted. */
  readonly #making: { count: number; onNone: (() => void) | undefined };
  #index: number;

  /** Makes a log, and opens it. */
  static create(directory: string, segmentBytes: number): StoreLog {
    const start = {
      base: { term: 0, index: 0, configuration: new Uint8Array(0) },
      salt: 0x5eed,
    };
    createLog(initOf(nodeFileSystem, directory, segmentBytes), start);
    return new StoreLog(directory, segmentBytes);
  }

  constructor(directory: string, segmentBytes: number) {
    const making = { count: 0, onNone: undefined as (() => void) | undefined };
    this.#making = making;
    // Making a segment begins with its file, and ends when the directory is synced.
    const fileSystem: FileSystem = {
      ...nodeFileSystem,
      create(path) {
        making.count += 1;
        return nodeFileSystem.create(path);
      },
      syncDirectoryLater(path, done) {
        nodeFileSystem.syncDirectoryLater(path, (error) => {
          done(error);
          making.count -= 1;
          if (making.count === 0) making.onNone?.();
        });
      },
    };
    this.store = SegmentLogStore.open(initOf(fileSystem, directory, segmentBytes));
    this.#index = this.store.lastIndex();
  }

  append(data: Uint8Array, onDurable: () => void): void {
    const commitIndex = this.#index;
    this.#index += 1;
    this.store.append(
      {
        // A replica that takes entries learns of a new commit index with most of them.
        hardState: { currentTerm: 1, votedFor: undefined, commitIndex },
        reset: undefined,
        entries: [{ term: 1, index: this.#index, kind: "normal", data }],
      },
      onDurable,
    );
  }

  whenReady(run: () => void): void {
    if (this.#making.count === 0) run();
    else this.#making.onNone = run;
  }

  close(onClosed: () => void): void {
    this.store.close(onClosed);
  }
}

function initOf(fileSystem: FileSystem, directory: string, segmentBytes: number): SegmentLogInit {
  return {
    fileSystem,
    directory,
    identity: { clusterId: "bench", groupId: 1, nodeId: 1, incarnation: 1 },
    options: parseLogOptions({ segmentBytes }),
    onFailure(error) {
      throw error;
    },
  };
}
