/** How long it takes to open a long log. */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { assert } from "@quorumlog/std";
import { quantile, runRound } from "./append-round.ts";
import { StoreLog } from "./store-log.ts";

export interface OpenRow {
  readonly gigabytes: number;
  readonly segmentCount: number;
  /** What it took to fill the log. */
  readonly fillMegabytesPerSecond: number;
  /** Of several times, from the page cache as far as that has it. */
  readonly medianMs: number;
  readonly highMs: number;
}

const SEGMENT_BYTES = 64 << 20;
const ENTRY_BYTES = 1 << 20;
const ENTRIES_PER_GIGABYTE = 1_024;
const OPEN_COUNT = 5;

export async function measureOpen(options: {
  readonly directory: string;
  readonly gigabytes: number;
  readonly onGigabyte: (done: number) => void;
}): Promise<OpenRow> {
  const { gigabytes } = options;
  const directory = join(options.directory, "open");
  const log = StoreLog.create(directory, SEGMENT_BYTES);
  const load = { batchBytes: ENTRY_BYTES, batchCount: ENTRIES_PER_GIGABYTE, outstandingMax: 32 };
  const rates: number[] = [];
  for (let done = 0; done < gigabytes; done++) {
    options.onGigabyte(done);
    rates.push((await runRound(log, load)).megabytesPerSecond);
  }
  const { segmentCount } = log.store.status();
  await closed(log);

  const times: number[] = [];
  for (let i = 0; i < OPEN_COUNT; i++) {
    const start = performance.now();
    const opened = new StoreLog(directory, SEGMENT_BYTES);
    times.push(performance.now() - start);
    assert(opened.store.lastIndex() === gigabytes * ENTRIES_PER_GIGABYTE, "the log is whole");
    await closed(opened);
  }
  rmSync(directory, { recursive: true });
  rates.sort((a, b) => a - b);
  times.sort((a, b) => a - b);
  return {
    gigabytes,
    segmentCount,
    fillMegabytesPerSecond: quantile(rates, 0.5),
    medianMs: quantile(times, 0.5),
    highMs: times.at(-1) ?? 0,
  };
}

/** Nothing goes on in the background after it. */
async function closed(log: StoreLog): Promise<void> {
  await new Promise<void>((resolve) => {
    log.whenReady(resolve);
  });
  await new Promise<void>((resolve) => {
    log.close(resolve);
  });
}
