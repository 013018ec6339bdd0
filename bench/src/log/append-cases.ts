/** How appends are measured: batches of three sizes, one after another and several at a time. */

import { rmSync } from "node:fs";
import { join } from "node:path";
import type { AppendLog } from "./append-log.ts";
import { type Load, quantile, type RoundResult, runRound } from "./append-round.ts";
import { BareLog } from "./bare-log.ts";
import { StoreLog } from "./store-log.ts";

export interface AppendRow {
  readonly name: string;
  readonly load: Load;
  /** Medians of the rounds. */
  readonly bare: RoundResult;
  readonly log: RoundResult;
  /** Each round, turn about. */
  readonly rounds: { readonly bare: readonly RoundResult[]; readonly log: readonly RoundResult[] };
  /** The log's speed as a share of the bare loop's, round by round. */
  readonly ofBare: { readonly median: number; readonly low: number; readonly high: number };
}

export interface AppendCase {
  readonly name: string;
  readonly segmentBytes: number;
  readonly load: Load;
}

const KIB = 1_024;
const MIB = 1_024 * KIB;

/** Smaller segments where the batches are small: else it takes minutes to fill several. */
const SIZES = [
  { name: "4 KB", batchBytes: 4 * KIB, segmentBytes: 16 * MIB, segmentCount: 3 },
  { name: "64 KB", batchBytes: 64 * KIB, segmentBytes: 64 * MIB, segmentCount: 4 },
  { name: "1 MB", batchBytes: MIB, segmentBytes: 64 * MIB, segmentCount: 10 },
];

/** What the log adds to its segments must not make it one more of them. */
const FILLED_SHARE = 0.95;

export function appendCases(): AppendCase[] {
  return [1, 8].flatMap((outstandingMax) =>
    SIZES.map(({ name, batchBytes, segmentBytes, segmentCount }) => {
      const perSegment = Math.floor(segmentBytes / batchBytes) - 1;
      const batchCount = Math.floor(perSegment * (segmentCount - 1 + FILLED_SHARE));
      const load = { batchBytes, batchCount, outstandingMax };
      return { name: `${name.padStart(5)} x ${outstandingMax}`, segmentBytes, load };
    }),
  );
}

/** Runs both sides, turn about. */
export async function measureAppends(
  entry: AppendCase,
  options: {
    readonly directory: string;
    readonly rounds: number;
    readonly onRound: (round: number) => void;
  },
): Promise<AppendRow> {
  const { load, segmentBytes } = entry;
  const bare: RoundResult[] = [];
  const log: RoundResult[] = [];
  const runBare = async (): Promise<void> => {
    const directory = join(options.directory, "bare");
    bare.push(await runAndRemove(new BareLog(directory, segmentBytes), directory, load));
  };
  const runLog = async (): Promise<void> => {
    const directory = join(options.directory, "log");
    log.push(await runAndRemove(StoreLog.create(directory, segmentBytes), directory, load));
  };
  for (let round = 0; round < options.rounds; round++) {
    options.onRound(round);
    // Turn about in who begins, too: the first has the disk as the other one's files left it.
    const [first, second] = round % 2 === 0 ? [runBare, runLog] : [runLog, runBare];
    await first();
    await second();
  }
  const ratios = log.map(
    (result, i) => result.megabytesPerSecond / (bare[i]?.megabytesPerSecond ?? 0),
  );
  ratios.sort((a, b) => a - b);
  return {
    name: entry.name,
    load,
    bare: medians(bare),
    log: medians(log),
    rounds: { bare, log },
    ofBare: { median: median(ratios), low: ratios[0] ?? 0, high: ratios.at(-1) ?? 0 },
  };
}

async function runAndRemove(log: AppendLog, directory: string, load: Load): Promise<RoundResult> {
  const result = await runRound(log, load);
  await new Promise<void>((resolve) => {
    log.close(resolve);
  });
  rmSync(directory, { recursive: true });
  return result;
}

function medians(results: readonly RoundResult[]): RoundResult {
  const of = (key: keyof RoundResult): number => median(results.map((result) => result[key]));
  return {
    megabytesPerSecond: of("megabytesPerSecond"),
    batchesPerSecond: of("batchesPerSecond"),
    p50Ms: of("p50Ms"),
    p99Ms: of("p99Ms"),
    cpuMicrosPerBatch: of("cpuMicrosPerBatch"),
  };
}

function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}
