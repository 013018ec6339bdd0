/** A closed loop of appends: so many under way, each with bytes that no other one has. */

export interface LoadConfig {
  readonly entryBytes: number;
  readonly inFlight: number;
  readonly warmupMs: number;
  readonly ms: number;
}

export interface LoadResult {
  readonly entries: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

/** @param append - Its promise is over when a majority has the bytes on its disks. */
export async function runLoad(
  config: LoadConfig,
  append: (bytes: Buffer) => Promise<unknown>,
): Promise<LoadResult> {
  const { entryBytes, inFlight, warmupMs, ms } = config;
  const latencies: number[] = [];
  const warmUntil = performance.now() + warmupMs;
  const until = warmUntil + ms;
  let number = 0;
  const worker = async (): Promise<void> => {
    const bytes = Buffer.alloc(entryBytes, Math.floor(Math.random() * 256));
    for (;;) {
      number += 1;
      bytes.writeDoubleLE(number, 0);
      const startedAt = performance.now();
      await append(bytes);
      const endedAt = performance.now();
      if (endedAt >= until) return;
      if (startedAt >= warmUntil) latencies.push(endedAt - startedAt);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return {
    entries: sorted.length,
    seconds: ms / 1_000,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
  };
}
