/** `npm run bench -- replica`: three replicas, beside a bare program that moves the same bytes. */

import { mkdirSync } from "node:fs";
import { drawReplica, type ReplicaRow } from "./drawings/replica-drawing.ts";
import { OUTCOME_FOLDER, writeOutcome } from "./outcome/outcome.ts";
import { NodeGroup, type NodeKind } from "./replica/node-group.ts";

interface Case {
  readonly name: string;
  readonly entryBytes: number;
  readonly inFlight: number;
}

const CASES: readonly Case[] = [
  { name: "64 KB x 16", entryBytes: 65_536, inFlight: 16 },
  { name: "1 KB x 1", entryBytes: 1_024, inFlight: 1 },
  { name: "1 KB x 256", entryBytes: 1_024, inFlight: 256 },
  { name: "1 KB x 4096", entryBytes: 1_024, inFlight: 4_096 },
];
const IDLE_MS = 5_000;

export async function runReplicaBench(options: {
  readonly timeMs: number;
  readonly rounds: number;
}): Promise<void> {
  const { timeMs, rounds } = options;
  const folder = OUTCOME_FOLDER;
  mkdirSync(folder, { recursive: true });
  const results = CASES.map(() => ({ bare: [] as ReplicaRow[], log: [] as ReplicaRow[] }));
  for (let round = 0; round < rounds; round++)
    for (const [at, each] of CASES.entries())
      for (const kind of round % 2 === 0
        ? (["bare", "log"] as const)
        : (["log", "bare"] as const)) {
        process.stderr.write(`round ${round + 1}/${rounds}, ${each.name}, ${kind}\n`);
        results[at]?.[kind].push(await measure(kind, each, { folder, timeMs }));
      }
  const idle = await measureIdle(folder);
  print(results, idle);
  const cases = CASES.map((each, at) => ({ ...each, ...(results[at] ?? { bare: [], log: [] }) }));
  const outcome = { timeMs, rounds, cases, idleShareOfCore: idle };
  await writeOutcome({ bench: "replica", results: outcome, draw: drawReplica });
}

async function measure(
  kind: NodeKind,
  { entryBytes, inFlight }: Case,
  { folder, timeMs }: { readonly folder: string; readonly timeMs: number },
): Promise<ReplicaRow> {
  const group = await NodeGroup.start(kind, folder);
  try {
    await group.load({ entryBytes, inFlight, warmupMs: 0, ms: timeMs / 2 });
    const before = await group.usage();
    const result = await group.load({ entryBytes, inFlight, warmupMs: 0, ms: timeMs });
    const after = await group.usage();
    return {
      ...result,
      perSecond: result.entries / result.seconds,
      cpuMicros: after.map(({ cpuMicros }, i) => {
        return (cpuMicros - (before[i]?.cpuMicros ?? 0)) / result.entries;
      }),
      anonymousMb: after.map(({ anonymousKb }) => anonymousKb / 1_024),
    };
  } finally {
    group.stop();
  }
}

/** @returns the share of a core that each node takes when nothing happens. */
async function measureIdle(folder: string): Promise<number[]> {
  const group = await NodeGroup.start("log", folder);
  try {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const before = await group.usage();
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const after = await group.usage();
    return after.map(({ cpuMicros }, i) => {
      return (cpuMicros - (before[i]?.cpuMicros ?? 0)) / (IDLE_MS * 1_000);
    });
  } finally {
    group.stop();
  }
}

function print(
  results: readonly { readonly bare: readonly ReplicaRow[]; readonly log: readonly ReplicaRow[] }[],
  idle: readonly number[],
): void {
  const heads = "entries/s    MB/s     p50     p99    p999  ratio  CPU us/entry, anonymous MB";
  console.log(`\n${"".padEnd(20)}${heads}`);
  for (const [at, { name, entryBytes }] of CASES.entries()) {
    const { bare, log } = results[at] ?? { bare: [], log: [] };
    const ratios = log.map(({ perSecond }, i) => perSecond / (bare[i]?.perSecond ?? Number.NaN));
    for (const [kind, rows] of [["bare", bare] as const, ["log", log] as const]) {
      const row = median(rows, ({ perSecond }) => perSecond);
      if (row === undefined) continue;
      const rate = Math.round(row.perSecond).toLocaleString("en-US").padStart(9);
      const volume = ((row.perSecond * entryBytes) / 1e6).toFixed(1).padStart(8);
      const times = [row.p50Ms, row.p99Ms, row.p999Ms].map((ms) => ms.toFixed(2).padStart(8));
      const ratio = kind === "log" ? (median(ratios, (value) => value) ?? 0).toFixed(2) : "";
      const cpu = row.cpuMicros.map((micros) => micros.toFixed(1)).join(" + ");
      const memory = row.anonymousMb.map((mb) => mb.toFixed(0)).join("/");
      const label = `${name}, ${kind}`.padEnd(20);
      console.log(
        `${label}${rate}${volume}${times.join("")}${ratio.padStart(7)}  ${cpu}  ${memory}`,
      );
    }
  }
  const shares = idle.map((share) => `${(share * 100).toFixed(2)} %`).join(", ");
  console.log(`\nidle, of a core: ${shares}`);
}

function median<T>(items: readonly T[], value: (item: T) => number): T | undefined {
  const sorted = items.toSorted((a, b) => value(a) - value(b));
  return sorted[Math.floor(sorted.length / 2)];
}
