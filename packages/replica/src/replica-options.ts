/** The options of a replica: parsed once, with every problem in one error. */

import { type RaftOptions, parseRaftOptions } from "@quorumlog/raft";
import { integerProblem, valueInWords } from "@quorumlog/std";
import type { Retention, RetentionPolicy } from "./leader-duties.ts";

/** Limits and times; all have defaults. */
export interface ReplicaTuning {
  /** Between two heartbeats of a leader, in ms. In `[10, 10000]`, by tens; default 80. */
  readonly heartbeatMs: number;
  /**
   * A follower that hears of no leader for one to two times this long, in ms, asks for votes. In
   * `[100, 60000]`, by tens, at least four heartbeats; default 320.
   */
  readonly electionMs: number;
  /** Of a log segment's file. In `[64 KiB, 1 GiB]`, a multiple of 4096; default 64 MiB. */
  readonly segmentBytes: number;
  /** The newest entries kept in memory. In `[0, 4 GiB]`, default 32 MiB. */
  readonly tailBytesMax: number;
  /**
   * Calls of one turn share an entry up to this. In `[4 KiB, 4 MiB]`; default 256 KiB, or a quarter
   * of a segment.
   */
  readonly containerBytesMax: number;
  /** Of one call's records. In `[1, 8 MiB]`; default 4 MiB, or a quarter of a segment. */
  readonly callBytesMax: number;
  /** Of calls that wait or are under way. In `[64 KiB, 4 GiB]`, default 64 MiB. */
  readonly pendingBytesMax: number;
  /** Of the log between two snapshots of the state. In `[64 KiB, 1 TiB]`, default 64 MiB. */
  readonly snapshotEveryBytes: number;
  /** What a leader sends of snapshots, per second. In `[64 KiB, 1 TiB]`, default 256 MiB. */
  readonly snapshotBytesPerSecond: number;
  /**
   * How fast files of the log are read through in search of damage, per second; 0 if not at all. In
   * `[0, 1 TiB]`, default 4 MiB.
   */
  readonly scrubBytesPerSecond: number;
  /** From the end of that to its next beginning, in ms. In `[100, 2^31)`, default one day. */
  readonly scrubEveryMs: number;
  /**
   * Room to keep free on the disk, besides that for a snapshot: with less, appends are refused. In
   * `[0, 1 TiB]`, none or at least a segment; default four.
   */
  readonly diskReserveBytes: number;
  /**
   * Of the disk, in percent: with more of it used appends are refused, too, unless 16 GiB are free.
   * In `[1, 100]`, 100: however much is used. Default 90; 100 if `diskReserveBytes` is 0.
   */
  readonly diskFullPercent: number;
  /** A leader hands over when its disk takes longer, in ms. In `[50, 60000]`, default 1000. */
  readonly slowDiskMs: number;
  /** How long a call may take unless it says so itself, in ms. In `[10, 2^31)`, default 10000. */
  readonly timeoutMs: number;
}

/** Of the core's clock, and how often calls are looked at that are overdue. */
export const TICK_MS = 10;

const KIB = 1024;
const MIB = 1024 * KIB;
const TIB = 1024 * 1024 * MIB;

/** A leader looks once a second whether anything has become too old. */
const RETENTION_MS_MIN = 1_000;

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
}

const BOUNDS: { readonly [K in keyof ReplicaTuning]: Bounds } = {
  heartbeatMs: { min: 10, max: 10_000, fallback: 80 },
  electionMs: { min: 100, max: 60_000, fallback: 320 },
  segmentBytes: { min: 64 * KIB, max: 1024 * MIB, fallback: 64 * MIB },
  tailBytesMax: { min: 0, max: 4096 * MIB, fallback: 32 * MIB },
  containerBytesMax: { min: 4 * KIB, max: 4 * MIB, fallback: 512 * KIB },
  callBytesMax: { min: 1, max: 8 * MIB, fallback: 4 * MIB },
  pendingBytesMax: { min: 64 * KIB, max: 4096 * MIB, fallback: 64 * MIB },
  snapshotEveryBytes: { min: 64 * KIB, max: TIB, fallback: 64 * MIB },
  snapshotBytesPerSecond: { min: 64 * KIB, max: TIB, fallback: 256 * MIB },
  scrubBytesPerSecond: { min: 0, max: TIB, fallback: 4 * MIB },
  scrubEveryMs: { min: 100, max: 2 ** 31 - 1, fallback: 86_400_000 },
  diskReserveBytes: { min: 0, max: TIB, fallback: 256 * MIB },
  diskFullPercent: { min: 1, max: 100, fallback: 90 },
  slowDiskMs: { min: 50, max: 60_000, fallback: 1_000 },
  timeoutMs: { min: TICK_MS, max: 2 ** 31 - 1, fallback: 10_000 },
};

/** Options that do not fit: `problems` has them all. */
export class ReplicaOptionsError extends Error {
  override readonly name = "ReplicaOptionsError";
  readonly code = "INVALID_OPTIONS";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`invalid options:\n- ${problems.join("\n- ")}`);
    this.problems = problems;
  }
}

/** @throws ReplicaOptionsError */
export function parseTuning(input: Readonly<Record<string, unknown>> = {}): ReplicaTuning {
  const problems = Object.keys(input)
    .filter((key) => !(key in BOUNDS))
    .map((key) => `${key}: unknown option`);
  const tuning: Record<string, number> = {};
  const segmentBytes = Number(input["segmentBytes"] ?? BOUNDS.segmentBytes.fallback);
  const derived: Partial<Record<string, number>> = {
    containerBytesMax: Math.min(BOUNDS.containerBytesMax.fallback, Math.floor(segmentBytes / 4)),
    callBytesMax: Math.min(BOUNDS.callBytesMax.fallback, Math.floor(segmentBytes / 4)),
    diskReserveBytes: 4 * segmentBytes,
    diskFullPercent: input["diskReserveBytes"] === 0 ? 100 : BOUNDS.diskFullPercent.fallback,
  };
  for (const key of Object.keys(BOUNDS) as (keyof ReplicaTuning)[]) {
    const { fallback } = BOUNDS[key];
    const value = input[key] ?? derived[key] ?? fallback;
    const problem = integerProblem(value, BOUNDS[key]);
    if (problem !== undefined) problems.push(`${key}: ${problem}`);
    tuning[key] = problem === undefined ? Number(value) : fallback;
  }
  const parsed = tuning as unknown as ReplicaTuning;
  problems.push(...relationProblems(parsed));
  if (problems.length > 0) throw new ReplicaOptionsError(problems);
  return Object.freeze(parsed);
}

/** What does not fit together, though each by itself is sound. */
function relationProblems(parsed: ReplicaTuning): string[] {
  const problems: string[] = [];
  for (const key of ["heartbeatMs", "electionMs"] as const)
    if (parsed[key] % TICK_MS !== 0) problems.push(`${key}: not a multiple of ${TICK_MS}, a tick`);
  if (parsed.electionMs < 4 * parsed.heartbeatMs)
    problems.push("electionMs: is less than four heartbeats, and one lost one would end a reign");
  if (parsed.segmentBytes % 4_096 !== 0) problems.push("segmentBytes: not a multiple of 4096");
  if (parsed.callBytesMax > parsed.segmentBytes / 2)
    problems.push("callBytesMax: more than half of segmentBytes, and an entry has to fit into one");
  if (parsed.containerBytesMax > parsed.segmentBytes / 2)
    problems.push("containerBytesMax: more than half of segmentBytes");
  if (parsed.pendingBytesMax < 2 * parsed.callBytesMax)
    problems.push("pendingBytesMax: less than two calls of callBytesMax");
  if (parsed.diskReserveBytes > 0 && parsed.diskReserveBytes < parsed.segmentBytes)
    problems.push("diskReserveBytes: less than segmentBytes, so the next segment would not fit");
  return problems;
}

/** What may be forgotten of a log, as an application says it. */
export type RetentionLimits = {
  readonly bytes?: number;
  readonly milliseconds?: number;
  /** With more of a node's disk used the oldest goes first, whatever its age. */
  readonly diskPercent?: number;
};

/** The same of a state machine's log: see `MachineOptions`. */
export type MachineRetention = "compact" | "keep" | RetentionLimits;

/** @throws ReplicaOptionsError */
export function parseMachineRetention(
  input: "compact" | "keep" | Readonly<Record<string, unknown>> | undefined,
  tuning: ReplicaTuning,
): RetentionPolicy {
  if (input === undefined || input === "compact") return "compact";
  return input === "keep" ? undefined : parseRetention(input, tuning);
}

/**
 * What an application says that may be forgotten.
 *
 * @throws ReplicaOptionsError
 */
export function parseRetention(
  input: Readonly<Record<string, unknown>> | undefined,
  { segmentBytes, snapshotEveryBytes }: ReplicaTuning,
): Retention | undefined {
  if (input === undefined) return undefined;
  const { bytes, milliseconds, diskPercent, ...rest } = input;
  const problems = Object.keys(rest).map((key) => `retention.${key}: unknown option`);
  const read = (name: string, value: unknown): number | undefined => {
    if (value === undefined) return undefined;
    if (Number.isSafeInteger(value) && Number(value) > 0) return Number(value);
    problems.push(`retention.${name}: ${valueInWords(value)} is not an integer above 0`);
    return undefined;
  };
  const retention = {
    bytes: read("bytes", bytes),
    milliseconds: read("milliseconds", milliseconds),
    diskPercent: read("diskPercent", diskPercent),
  };
  // Segments are freed as a whole, and up to a marker: with less, far more would be kept than said.
  if ((retention.bytes ?? Number.POSITIVE_INFINITY) < segmentBytes)
    problems.push("retention.bytes: less than segmentBytes");
  if ((retention.bytes ?? Number.POSITIVE_INFINITY) < snapshotEveryBytes)
    problems.push("retention.bytes: less than snapshotEveryBytes");
  if ((retention.milliseconds ?? Number.POSITIVE_INFINITY) < RETENTION_MS_MIN)
    problems.push(
      `retention.milliseconds: less than ${RETENTION_MS_MIN}, how often it is looked at`,
    );
  if ((retention.diskPercent ?? 1) > 99)
    problems.push("retention.diskPercent: more than 99, and a disk is never fuller than that");
  if (problems.length > 0) throw new ReplicaOptionsError(problems);
  return retention;
}

const ELECTION_RANK_MAX = 16;
/** Of the leader, at least: see {@link RaftOptions}. */
const UNCOMMITTED_BYTES_MAX = 256 * MIB;

/** What the consensus core is told. */
export function raftOptions(init: {
  readonly nodeId: number;
  readonly tuning: ReplicaTuning;
  readonly preferredLeaders: readonly number[];
  readonly leaseReads: boolean;
}): RaftOptions {
  const { nodeId, tuning, preferredLeaders, leaseReads } = init;
  const rank = preferredLeaders.indexOf(nodeId);
  return parseRaftOptions({
    heartbeatTicks: Math.round(tuning.heartbeatMs / TICK_MS),
    electionTicks: Math.round(tuning.electionMs / TICK_MS),
    // Of those that are preferred, the first one's timer runs out first.
    electionRank: Math.min(rank === -1 ? preferredLeaders.length : rank, ELECTION_RANK_MAX),
    peerGoneTicksMax: 3,
    leaseReads,
    // Counting in whole ticks takes up one; the other one is for clocks that drift.
    leaseDriftTicks: 2,
    inflightBytesMax: 16 * MIB,
    // What may wait is never refused by the core; the headers of small calls are more than they.
    uncommittedBytesMax: Math.max(UNCOMMITTED_BYTES_MAX, 2 * tuning.pendingBytesMax),
  });
}
