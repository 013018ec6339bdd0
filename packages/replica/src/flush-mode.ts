/** When what was appended is synced: before it is acknowledged, or soon after. */

import { integerProblem } from "@quorumlog/std";
import { ReplicaOptionsError } from "./replica-options.ts";

/**
 * `sync` (the default): an entry is synced before a node acknowledges it. What was acknowledged
 * survives the loss of any minority, and of the power of all.
 *
 * `async`: a node acknowledges an entry that its kernel has, and syncs it soon after; known from
 * RocketMQ as ASYNC_FLUSH. What was acknowledged survives the end of any process, and the loss of
 * power of a minority; if a majority loses power at once, what it had not synced is lost.
 */
export type Flush = "sync" | "async" | AsyncFlushOptions;

export interface AsyncFlushOptions {
  readonly mode: "async";
  /** Between a write and its sync, at most, in ms. In `[1, 60000]`, default 500. */
  readonly intervalMs?: number;
  /** Written and not synced before a sync begins. In `[4 KiB, 1 GiB]`, default 8 MiB. */
  readonly bytes?: number;
}

/** What an application said, with nothing left open. */
export type FlushMode =
  | { readonly mode: "sync" }
  | { readonly mode: "async"; readonly intervalMs: number; readonly bytes: number };

const NO_MODE = 'flush: neither "sync" nor "async"';
const KIB = 1024;
const BOUNDS = {
  intervalMs: { min: 1, max: 60_000, fallback: 500 },
  bytes: { min: 4 * KIB, max: 1024 * 1024 * KIB, fallback: 8 * 1024 * KIB },
} as const;

/** @throws ReplicaOptionsError */
export function parseFlush(input: Flush = "sync"): FlushMode {
  if (input === "sync") return { mode: "sync" };
  // Without types it may be any text, whose letters are no options.
  if (typeof (input as unknown) !== "object" && input !== "async")
    throw new ReplicaOptionsError([NO_MODE]);
  const given: Readonly<Record<string, unknown>> =
    input === "async" ? { mode: input } : { ...input };
  const problems = Object.keys(given)
    .filter((key) => key !== "mode" && !(key in BOUNDS))
    .map((key) => `flush.${key}: unknown option`);
  if (given["mode"] !== "async") problems.push(NO_MODE);
  const read = (key: keyof typeof BOUNDS): number => {
    const { fallback } = BOUNDS[key];
    const value = given[key] ?? fallback;
    const problem = integerProblem(value, BOUNDS[key]);
    if (problem === undefined) return Number(value);
    problems.push(`flush.${key}: ${problem}`);
    return fallback;
  };
  const mode = { mode: "async" as const, intervalMs: read("intervalMs"), bytes: read("bytes") };
  if (problems.length > 0) throw new ReplicaOptionsError(problems);
  return mode;
}
