/** The log beside a loop that just writes and syncs: both are open, and take appends in turn. */

import { join } from "node:path";
import type { AppendLog } from "../log/append-log.ts";
import { batchesPerSecond } from "../log/append-round.ts";
import { BareLog } from "../log/bare-log.ts";
import { StoreLog } from "../log/store-log.ts";
import type { GuardPart } from "./guard-part.ts";

/** Small, so that each round fills some, and the next ones are made in it. */
const SEGMENT_BYTES = 8 << 20;
/** Small as well: what is written stays on the disk until the end. */
const BATCH_BYTES = 4_096;
const WARMUP = { batchBytes: BATCH_BYTES, outstandingMax: 8 };
const WARMUP_MS = 500;
const OUTSTANDING = [1, 8];

export const LOG_PART: GuardPart = {
  bench: "log --open-gb 0",
  cases: OUTSTANDING.map(nameOf),
  async start(folder) {
    const bare = new BareLog(join(folder, "bare-log"), SEGMENT_BYTES);
    const log = StoreLog.create(join(folder, "log"), SEGMENT_BYTES);
    for (const each of [bare, log]) await batchesPerSecond(each, WARMUP, WARMUP_MS);
    const pairs = OUTSTANDING.map((outstandingMax) => {
      const load = { batchBytes: BATCH_BYTES, outstandingMax };
      return {
        name: nameOf(outstandingMax),
        bare: (ms: number) => batchesPerSecond(bare, load, ms),
        ours: (ms: number) => batchesPerSecond(log, load, ms),
      };
    });
    const stop = async (): Promise<void> => {
      await closed(bare);
      await closed(log);
    };
    return { pairs, stop };
  },
};

function nameOf(outstandingMax: number): string {
  return `log 4 KB x ${outstandingMax}`;
}

function closed(log: AppendLog): Promise<void> {
  return new Promise((resolve) => {
    log.close(resolve);
  });
}
