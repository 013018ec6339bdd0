/**
 * The core beside plain work on the same messages and entries in the same process, which decides
 * nothing: messages are written as JSON, entries are made, kept and queued.
 */

import { required } from "@quorumlog/std";
import { bareEntries, type CoreCase, coreCases, writtenMessages } from "../core-cases.ts";
import { spreadOf } from "../spread.ts";
import type { GuardPair } from "./guard-part.ts";

/** On a machine that stands still a median of one would be what it stood still for. */
const RUNS_MIN = 5;

const CASES = {
  "core leader, replies": "leader of 3: an append reply that commits, take the Ready",
  "core leader, proposals": "leader of 3: propose 100 entries, take the Ready",
  "core follower, appends": "follower: append 1 entry",
} as const;

export const CORE_CASES: readonly string[] = Object.keys(CASES);

export function corePairs(): GuardPair[] {
  const cases = new Map(coreCases().map((each) => [each.name, each]));
  const bareStep = writtenMessages();
  const bareBatch = bareEntries();
  return Object.entries(CASES).map(([name, nameOfCase]) => {
    const ours = required(cases.get(nameOfCase), "what is guarded is a case of the core");
    const bare = ours.unit === "step" ? bareStep : bareBatch;
    return { name, bare: (ms) => speedOf(bare, ms), ours: (ms) => speedOf(ours, ms) };
  });
}

/** @returns operations per second, by the median of many runs. */
function speedOf(entry: CoreCase, ms: number): Promise<number> {
  const until = performance.now() + ms;
  const times: number[] = [];
  while (times.length < RUNS_MIN || performance.now() < until) {
    const run = entry.prepare();
    const startedAt = performance.now();
    run();
    times.push(performance.now() - startedAt);
  }
  const medianMs = spreadOf(times)?.median ?? Number.NaN;
  return Promise.resolve((entry.operations / medianMs) * 1_000);
}
