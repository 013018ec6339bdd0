// Goal: the segment log keeps the contract that any log store has to keep, in memory and on a disk.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Prng } from "@quorumlog/std";
import { describe, test, type TestContext } from "vitest";
import {
  type AsyncFlush,
  createLog,
  type FileSystem,
  type LogStore,
  nodeFileSystem,
  parseLogOptions,
  SegmentLogStore,
} from "../src/index.ts";
import { logStoreContract, type LogStoreHarness, MemoryFileSystem } from "../src/testing/index.ts";
import { IDENTITY, NO_BASE } from "./kit/disk.ts";

/** Stopped by a loss of power. */
function inMemory(): LogStoreHarness {
  const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
  return harness({ fileSystem, directory: "/log" }, () => {
    fileSystem.crash("power");
    return Promise.resolve();
  });
}

/** Flush mode `async`: what was answered outlives the process. */
function flushedLater(): LogStoreHarness {
  const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
  const stop = (): Promise<void> => {
    fileSystem.crash("process");
    return Promise.resolve();
  };
  const flush = { intervalMs: 60_000, bytes: 1_000_000, after: () => () => undefined };
  return harness({ fileSystem, directory: "/log" }, stop, flush);
}

/** Stopped in order. */
function onDisk({ onTestFinished }: TestContext): LogStoreHarness {
  const directory = mkdtempSync(join(tmpdir(), "quorumlog-log-"));
  const made = harness({ fileSystem: nodeFileSystem, directory }, closed);
  onTestFinished(async () => {
    await made.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  return made;
}

function closed(store: LogStore): Promise<void> {
  return new Promise((resolve) => {
    store.close(resolve);
  });
}

function harness(
  place: { readonly fileSystem: FileSystem; readonly directory: string },
  stop: (store: LogStore) => Promise<void>,
  flush?: AsyncFlush,
): LogStoreHarness {
  const options = parseLogOptions({ segmentBytes: 65_536 });
  const common = { ...place, identity: IDENTITY, options };
  createLog(common, { base: NO_BASE, salt: 1 });
  const open = (): SegmentLogStore =>
    SegmentLogStore.open({
      ...common,
      flush,
      onFailure: (error) => {
        throw error;
      },
    });
  let store: LogStore | undefined;
  return {
    open: () => (store = open()),
    stop: () => (store === undefined ? Promise.resolve() : stop(store)),
  };
}

describe("in memory", () => {
  test.each(logStoreContract)("$name", ({ run }) => run(inMemory()));
});

describe("in memory, synced later, with the end of the process", () => {
  test.each(logStoreContract)("$name", ({ run }) => run(flushedLater()));
});

describe("on a disk", () => {
  test.concurrent.for(logStoreContract)("$name", ({ run }, context) => run(onDisk(context)));
});
