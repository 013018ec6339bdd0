/**
 * The core's options: every limit has a name, a unit, bounds and a default, and is parsed once.
 */

import { integerProblem, valueInWords } from "@quorumlog/std";
import type { Ticks } from "./ids.ts";

export interface RaftOptions {
  /** Ticks between a leader's heartbeats. In `[1, 1000]`, default 1. */
  readonly heartbeatTicks: Ticks;
  /**
   * Base election timeout: each one is drawn from `[electionTicks, 2 * electionTicks)`. Also the
   * length of a lease, and the time a transfer may take. In `[2, 10000]`, default 10; more than
   * `heartbeatTicks`, and ten times it is usual.
   */
  readonly electionTicks: Ticks;
  /**
   * How many ranks of voters are preferred as leader to this node: each adds half of
   * `electionTicks` to its timeouts. In `[0, 16]`, default 0: none is. Needs `preVote` above 0.
   */
  readonly electionRank: number;
  /** Ask before campaigning: a node that cannot win does not raise the term. Default true. */
  readonly preVote: boolean;
  /** A leader that hears from no quorum for `electionTicks` steps down. Default true. */
  readonly checkQuorum: boolean;
  /**
   * A leader that is no longer a voter steps down once it applied that. Where this is off, a
   * leader that was removed refuses proposals and keeps its followers until it is stopped, which
   * is then up to its operator. Default true.
   */
  readonly stepDownOnRemoval: boolean;
  /**
   * Serve reads from the leader's lease, without a round of heartbeats. Safe only if no clock in
   * the group runs faster than another by more than `leaseDriftTicks` per `electionTicks`.
   * Needs `checkQuorum`, and the same choice on every node. Default false.
   */
  readonly leaseReads: boolean;
  /**
   * Taken off the lease for clock drift, and for counting in whole ticks. In `[0, 1000]`, less than
   * `electionTicks`, at least 1 with `leaseReads`; default 1.
   */
  readonly leaseDriftTicks: Ticks;
  /**
   * The longest random delay before a node whose leader's process is gone asks for votes, and
   * between its retries; never more than `electionTicks`. Once a term it lets another node go
   * first, and waits for up to `electionTicks`. In `[1, 1000]`, default 3.
   */
  readonly peerGoneTicksMax: Ticks;
  /** Bytes of entries in one AppendEntries; one may pass it. In `[0, 2^40]`, default 1 MiB. */
  readonly appendBytesMax: number;
  /** AppendEntries in flight to one follower. In `[1, 2^31)`, default 256. */
  readonly inflightCountMax: number;
  /** Their bytes, at least `appendBytesMax`. In `[0, 2^50]`, default 64 MiB. */
  readonly inflightBytesMax: number;
  /**
   * Bytes that a leader appends before it refuses more, until they are applied: those of its
   * commands and 32 for each. In `[1, 2^50]`, default 256 MiB.
   */
  readonly uncommittedBytesMax: number;
  /**
   * Bytes of entries handed out to be applied and not yet reported applied, 32 more for each; one
   * entry may pass it. In `[1, 2^50]`, default 16 MiB.
   */
  readonly applyingBytesMax: number;
  /**
   * Reads waiting for a quorum on a leader, or for a reply on a follower. In `[1, 2^24]`, default
   * 4096.
   */
  readonly pendingReadCountMax: number;
  /** Proposals parked during a leadership transfer. In `[0, 2^20]`, default 1024. */
  readonly parkedCountMax: number;
  /** Their bytes. In `[0, 2^40]`, default 64 MiB. */
  readonly parkedBytesMax: number;
  /**
   * Refuse configuration changes that do not fit the current configuration. Default true; false
   * is for systems that validate by themselves: a change that cannot be applied then does nothing.
   */
  readonly validateConfigurationChanges: boolean;
  /**
   * `async`: the driver reports writes with `onAppendDone` and `onApplyDone`, many at once in
   * flight. `sync`: it finishes each `Ready` and calls `advance()`. Default `async`.
   */
  readonly storageWrites: "async" | "sync";
}

/** Every problem of an option set at once: nobody should mend a file one error per restart. */
export class RaftOptionsError extends Error {
  override readonly name = "RaftOptionsError";
  readonly code = "INVALID_OPTIONS";
  readonly issues: readonly string[];

  constructor(issues: readonly string[]) {
    super(`invalid raft options:\n- ${issues.join("\n- ")}`);
    this.issues = issues;
  }
}

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

type KeysOf<T> = { [K in keyof RaftOptions]: RaftOptions[K] extends T ? K : never };
type NumberKey = KeysOf<number>[keyof RaftOptions];
type BooleanKey = KeysOf<boolean>[keyof RaftOptions];

/** A number without a row does not compile. */
const NUMBERS: Readonly<Record<NumberKey, Bounds>> = {
  heartbeatTicks: { min: 1, max: 1_000, fallback: 1 },
  electionTicks: { min: 2, max: 10_000, fallback: 10 },
  electionRank: { min: 0, max: 16, fallback: 0 },
  leaseDriftTicks: { min: 0, max: 1_000, fallback: 1 },
  peerGoneTicksMax: { min: 1, max: 1_000, fallback: 3 },
  appendBytesMax: { min: 0, max: 2 ** 40, fallback: MIB },
  inflightCountMax: { min: 1, max: 2 ** 31 - 1, fallback: 256 },
  inflightBytesMax: { min: 0, max: 2 ** 50, fallback: 64 * MIB },
  uncommittedBytesMax: { min: 1, max: 2 ** 50, fallback: 256 * MIB },
  applyingBytesMax: { min: 1, max: 2 ** 50, fallback: 16 * MIB },
  pendingReadCountMax: { min: 1, max: 2 ** 24, fallback: 4_096 },
  parkedCountMax: { min: 0, max: 2 ** 20, fallback: 1_024 },
  parkedBytesMax: { min: 0, max: 2 ** 40, fallback: 64 * MIB },
};

const BOOLEANS: Readonly<Record<BooleanKey, boolean>> = {
  preVote: true,
  checkQuorum: true,
  stepDownOnRemoval: true,
  leaseReads: false,
  validateConfigurationChanges: true,
};

/**
 * Turns untrusted input into options that are valid by construction; nothing re-checks them.
 *
 * @throws {@link RaftOptionsError} that lists every unknown key, bad value and broken relation.
 */
export function parseRaftOptions(input: Readonly<Record<string, unknown>> = {}): RaftOptions {
  const issues: string[] = [];
  const known = new Set([...Object.keys(NUMBERS), ...Object.keys(BOOLEANS), "storageWrites"]);
  for (const key of Object.keys(input)) if (!known.has(key)) issues.push(`${key}: unknown option`);

  const numbers = readAll(NUMBERS, (key, bounds) => readNumber(input[key], key, bounds, issues));
  const booleans = readAll(BOOLEANS, (key, fallback) => {
    const value = input[key] === undefined ? fallback : input[key];
    if (typeof value === "boolean") return value;
    issues.push(`${key}: ${valueInWords(value)} is not true or false`);
    return fallback;
  });
  const writes = input["storageWrites"] === undefined ? "async" : input["storageWrites"];
  if (writes !== "async" && writes !== "sync")
    issues.push(`storageWrites: ${valueInWords(writes)} is neither "async" nor "sync"`);

  const storageWrites = writes === "sync" ? "sync" : "async";
  const options: RaftOptions = { ...numbers, ...booleans, storageWrites };
  issues.push(...relationIssues(options));
  if (issues.length > 0) throw new RaftOptionsError(issues);
  return Object.freeze(options);
}

function readAll<K extends string, B, V>(
  rows: Readonly<Record<K, B>>,
  read: (key: K, row: B) => V,
): Record<K, V> {
  const values: Partial<Record<K, V>> = {};
  for (const key of Object.keys(rows) as K[]) values[key] = read(key, rows[key]);
  return values as Record<K, V>;
}

function readNumber(value: unknown, key: string, bounds: Bounds, issues: string[]): number {
  if (value === undefined) return bounds.fallback;
  const problem = integerProblem(value, bounds);
  if (problem === undefined) return Number(value);
  issues.push(`${key}: ${problem}`);
  return bounds.fallback;
}

function relationIssues(options: RaftOptions): string[] {
  const issues: string[] = [];
  if (options.electionTicks <= options.heartbeatTicks)
    issues.push("electionTicks: must exceed heartbeatTicks, or every follower times out");
  if (options.leaseDriftTicks >= options.electionTicks)
    issues.push("leaseDriftTicks: must be less than electionTicks, or there is no lease");
  if (options.leaseReads && options.leaseDriftTicks < 1)
    issues.push("leaseDriftTicks: must be at least 1 with leaseReads, as time is whole ticks");
  if (options.leaseReads && !options.checkQuorum)
    issues.push("leaseReads: needs checkQuorum, which makes followers refuse votes meanwhile");
  // Where ranges of timeouts do not overlap, a node whose log cannot win would campaign first every
  // time, and restart the timers of those that can, for ever. A refused pre-vote restarts nothing.
  if (options.electionRank > 0 && !options.preVote)
    issues.push("electionRank: needs preVote, or a node that cannot win keeps the others waiting");
  if (options.inflightBytesMax < options.appendBytesMax)
    issues.push("inflightBytesMax: must be at least appendBytesMax");
  return issues;
}
