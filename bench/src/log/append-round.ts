/** One round: so many batches into a fresh log, until all are on the disk. */

import { randomFillSync } from "node:crypto";
import type { AppendLog } from "./append-log.ts";

export interface Load {
  readonly batchBytes: number;
  readonly batchCount: number;
  /** Batches appended and not durable yet. */
  readonly outstandingMax: number;
}

export interface RoundResult {
  readonly megabytesPerSecond: number;
  readonly batchesPerSecond: number;
  /** From the call to its being durable. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of all threads of the process, with those that write and sync. */
  readonly cpuMicrosPerBatch: number;
}

const BATCH_BYTES_MAX = 1 << 20;
/** No multiple of a batch: each lap through the pool has other bytes. */
const LAP_BYTES = (64 << 20) + 8;
const pool = randomFillSync(Buffer.alloc(LAP_BYTES + BATCH_BYTES_MAX));

/**
 * Appends as many batches at a time as may be outstanding, and the next one as each is durable.
 *
 * The time ends when the segment that is then being made is ready, too: both sides have made as
 * many as they have filled.
 */
export function runRound(log: AppendLog, load: Load): Promise<RoundResult> {
  const { batchBytes, batchCount, outstandingMax } = load;
  const startedAt = new Float64Array(batchCount);
  const latencies = new Float64Array(batchCount);
  let appended = 0;
  let durable = 0;
  return new Promise((resolve) => {
    const finish = (): void => {
      const seconds = (performance.now() - (startedAt[0] ?? 0)) / 1_000;
      const { user, system } = process.cpuUsage(cpuBefore);
      latencies.sort();
      resolve({
        megabytesPerSecond: (batchBytes * batchCount) / seconds / 1e6,
        batchesPerSecond: batchCount / seconds,
        p50Ms: quantile(latencies, 0.5),
        p99Ms: quantile(latencies, 0.99),
        cpuMicrosPerBatch: (user + system) / batchCount,
      });
    };
    const append = (): void => {
      const at = (appended * batchBytes) % LAP_BYTES;
      startedAt[appended] = performance.now();
      appended += 1;
      log.append(pool.subarray(at, at + batchBytes), onDurable);
    };
    const onDurable = (): void => {
      latencies[durable] = performance.now() - (startedAt[durable] ?? 0);
      durable += 1;
      if (appended < batchCount) append();
      else if (durable === batchCount) log.whenReady(finish);
    };
    const cpuBefore = process.cpuUsage();
    while (appended < Math.min(outstandingMax, batchCount)) append();
  });
}

/**
 * The same load for so long, into a log that goes on afterwards.
 *
 * @returns batches per second, when all are on the disk and the next segment is ready: nothing goes
 *   on in the background then, which is not in the time.
 */
export function batchesPerSecond(
  log: AppendLog,
  { batchBytes, outstandingMax }: Omit<Load, "batchCount">,
  ms: number,
): Promise<number> {
  const startedAt = performance.now();
  let appended = 0;
  let durable = 0;
  return new Promise((resolve) => {
    const append = (): void => {
      const at = (appended * batchBytes) % LAP_BYTES;
      appended += 1;
      log.append(pool.subarray(at, at + batchBytes), onDurable);
    };
    const onDurable = (): void => {
      durable += 1;
      const elapsedMs = performance.now() - startedAt;
      if (elapsedMs < ms) append();
      else if (durable === appended)
        log.whenReady(() => {
          resolve((durable / elapsedMs) * 1_000);
        });
    };
    for (let under = 0; under < outstandingMax; under++) append();
  });
}

export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
