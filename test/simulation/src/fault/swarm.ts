/**
 * What one seed is made of. Testing everything at once hides bugs as well as it finds them, so each
 * seed draws its own cluster, limits, timing, load and subset of faults (swarm testing, Groce
 * 2012).
 */

import { Prng } from "@quorumlog/std";
import { parseRaftOptions, type RaftOptions } from "@quorumlog/raft";
import { type Micros, MILLISECOND, SECOND } from "../engine/event-queue.ts";
import type { NetworkOptions } from "../engine/network.ts";
import type { DiskTiming } from "../node/append-thread.ts";

/** Families of faults; a seed has some of them, each with a weight. */
export const FAULT_KINDS = [
  "partition",
  "asymmetricPartition",
  "partialPartition",
  "isolateLeader",
  "badLinks",
  "silence",
  "clog",
  "swizzleClog",
  "pause",
  "suspend",
  "clockDrift",
  "clockJump",
  "crash",
  "crashAll",
  "crashAtBoundary",
  "failedSync",
  "failedRead",
  "slowDisk",
  "stalledDisks",
  "stalledApply",
  "bitRot",
  "wipe",
  "membership",
  "transfer",
  "campaign",
  "forgetLeader",
  "snapshot",
  "partKill",
  "pauseKill",
  "figure8",
  "staleWrites",
  "voteStorm",
  "deposedReads",
  "transferReads",
  "lateAnswers",
  "leaseRestart",
  "overtake",
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

export interface SwarmOptions {
  readonly seed: number;
  readonly voterCount: number;
  /** Hosts that may join later. */
  readonly spareCount: number;
  readonly tickMicros: Micros;
  readonly raft: RaftOptions;
  /** Of each host in turn; repeated if there are more hosts. */
  readonly electionRanks: readonly number[];
  readonly network: NetworkOptions;
  readonly disk: DiskTiming;
  readonly driver: DriverOptions;
  readonly storage: StorageOptions;
  readonly load: LoadOptions;
  /** Weight by kind; kinds without one do not happen. */
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** Mean virtual time between two faults in a stormy period. */
  readonly faultInterval: Micros;
  /** Share of periods without faults. */
  readonly quietShare: number;
  /** Clocks run at rates in `[1 - drift, 1 + drift]`. */
  readonly clockDrift: number;
  readonly duration: Micros;
}

export interface DriverOptions {
  /** From an input to the turn that handles it, at most. */
  readonly turnDelayMax: Micros;
  /** Take one `Ready` a turn, in place of all there are. */
  readonly takesOneReady: boolean;
  /** `messages` leave before the writes of their `Ready` begin. */
  readonly sendsFirst: boolean;
  /** Apply work takes this long in the mean; 0 for in the same turn. */
  readonly applyMean: Micros;
  /** Tell the core when a message could not be delivered. */
  readonly reportsUnreachable: boolean;
  readonly reportsPeerGone: boolean;
  /** All reads of a turn share one context. */
  readonly sharesReads: boolean;
}

export interface StorageOptions {
  /** The core sees its writes when they are issued, in place of when they are durable. */
  readonly isVisibleAtIssue: boolean;
  /** Applied entries between two snapshots. */
  readonly snapshotEvery: number;
  /** Entries kept before a snapshot; 0: compact at the tip. */
  readonly keptEntries: number;
  /** Applied entries between two checkpoints of a state machine that is durable by itself. */
  readonly checkpointEvery: number;
}

export interface LoadOptions {
  readonly clientCount: number;
  readonly keyCount: number;
  readonly thinkMean: Micros;
  readonly timeout: Micros;
  readonly readShare: number;
  /** An ambiguous write is tried again under its serial, in place of being left ambiguous. */
  readonly retryShare: number;
  /** Requests that go to a random node, not to the leader as far as the client knows. */
  readonly strayShare: number;
  readonly loss: number;
  readonly paddingMax: number;
}

/** Draws the options of a seed. */
export function drawSwarm(seed: number): SwarmOptions {
  const prng = new Prng(seed);
  const voterCount = weighted(prng, VOTER_COUNTS);
  const tickMicros = prng.between(10, 21) * MILLISECOND;
  const leaseReads = prng.chance(0.2);
  const raft = drawRaft(prng, leaseReads);
  const electionTimeout = raft.electionTicks * tickMicros;
  return {
    seed,
    voterCount,
    spareCount: prng.between(1, 5),
    tickMicros,
    raft,
    // Without pre-vote, a node of low rank whose log is short keeps one of high rank from running.
    electionRanks: raft.preVote && prng.chance(0.3) ? [0, 0, 1, 2] : [0],
    network: drawNetwork(prng, electionTimeout),
    disk: { ...drawDisk(prng, electionTimeout), flushDelay: drawFlushDelay(seed) },
    driver: drawDriver(prng, raft),
    storage: drawStorage(prng),
    load: drawLoad(prng),
    faults: drawFaults(prng, { leaseReads }),
    faultInterval: prng.between(200, 1_200) * MILLISECOND,
    quietShare: 0.1 + prng.fraction() * 0.25,
    clockDrift: leaseReads ? leaseDrift(raft) : prng.pick([0, 0.01, 0.2]),
    duration: prng.between(60, 75) * SECOND,
  };
}

const VOTER_COUNTS = [
  [1, 4],
  [2, 7],
  [3, 38],
  [4, 12],
  [5, 26],
  [6, 5],
  [7, 8],
] as const;

function weighted<T>(prng: Prng, rows: readonly (readonly [T, number])[]): T {
  let total = 0;
  for (const [, weight] of rows) total += weight;
  let left = prng.fraction() * total;
  for (const [value, weight] of rows) {
    left -= weight;
    if (left < 0) return value;
  }
  return (rows.at(-1) as readonly [T, number])[0];
}

function drawRaft(prng: Prng, leaseReads: boolean): RaftOptions {
  const heartbeatTicks = prng.between(1, 4);
  const electionTicks = heartbeatTicks * prng.between(4, 8);
  const appendBytesMax = prng.pick([0, 100, 400, 4_096, 2 ** 20, 2 ** 20]);
  return parseRaftOptions({
    heartbeatTicks,
    electionTicks,
    preVote: prng.chance(0.75),
    checkQuorum: leaseReads || prng.chance(0.85),
    stepDownOnRemoval: prng.chance(0.8),
    leaseReads,
    leaseDriftTicks: leaseReads ? prng.between(1, Math.max(2, electionTicks >> 1)) : 1,
    peerGoneTicksMax: prng.between(1, 5),
    appendBytesMax,
    inflightCountMax: prng.pick([1, 2, 4, 16, 256, 256]),
    inflightBytesMax: appendBytesMax + prng.pick([0, 500, 2 ** 20, 2 ** 26]),
    uncommittedBytesMax: prng.pick([150, 1_000, 2 ** 20, 2 ** 28, 2 ** 28]),
    applyingBytesMax: prng.pick([1, 200, 1_000, 2 ** 24, 2 ** 24]),
    pendingReadCountMax: prng.pick([1, 4, 4_096, 4_096]),
    parkedCountMax: prng.pick([0, 1, 8, 1_024]),
    parkedBytesMax: prng.pick([50, 2 ** 20]),
    validateConfigurationChanges: prng.chance(0.85),
    storageWrites: prng.chance(0.25) ? "sync" : "async",
  });
}

/** The most by which clocks may differ for a lease to be safe, shared between fast and slow. */
function leaseDrift(raft: RaftOptions): number {
  const { leaseDriftTicks, electionTicks } = raft;
  // One tick of the allowance goes to whole ticks being counted.
  return Math.max(0, (leaseDriftTicks - 1) / electionTicks) / 2.2;
}

/** A round trip fits into an election timeout several times, or nobody could ever be elected. */
function drawNetwork(prng: Prng, electionTimeout: Micros): NetworkOptions {
  return {
    delayMin: prng.between(50, 1_000),
    delayMean: Math.min(prng.pick([500, 2_000, 5_000, 15_000]), electionTimeout / 20),
    loss: prng.pick([0, 0, 0.002, 0.02, 0.08]),
    duplication: prng.pick([0, 0, 0.01, 0.1]),
    isOrdered: prng.chance(0.35),
    capacity: prng.pick([20, 100, 10_000, 10_000]),
    blocksInFlight: prng.chance(0.5),
  };
}

/** From chance of its own: seeds that sync first are what they were. */
function drawFlushDelay(seed: number): Micros | undefined {
  const prng = new Prng(seed + 2 ** 31);
  if (prng.chance(0.7)) return undefined;
  return prng.pick([MILLISECOND, 50 * MILLISECOND, SECOND, 20 * SECOND]);
}

function drawDisk(prng: Prng, electionTimeout: Micros): Omit<DiskTiming, "flushDelay"> {
  return {
    syncMin: prng.pick([50, 500, 2_000]),
    syncMean: Math.min(prng.pick([100, 1_000, 5_000, 12_000]), electionTimeout / 20),
    isGrouped: prng.chance(0.7),
  };
}

function drawDriver(prng: Prng, raft: RaftOptions): DriverOptions {
  // Small pages at a slow pace never catch up with the load.
  const isPaged = raft.applyingBytesMax < 1_000;
  return {
    turnDelayMax: prng.pick([0, 100, 1_000, 5_000]),
    takesOneReady: prng.chance(0.3),
    sendsFirst: prng.chance(0.6),
    // Slow, but not slower than what clients ask for: a backlog that only grows is no news.
    applyMean: prng.pick(isPaged ? [0, 500, 2_000] : [0, 500, 4_000, 8_000, 8_000]),
    reportsUnreachable: prng.chance(0.5),
    reportsPeerGone: prng.chance(0.6),
    sharesReads: prng.chance(0.4),
  };
}

function drawStorage(prng: Prng): StorageOptions {
  return {
    isVisibleAtIssue: prng.chance(0.5),
    snapshotEvery: prng.pick([1, 4, 15, 60, 60, 250, 2_000]),
    keptEntries: prng.pick([0, 0, 3, 30, 200]),
    checkpointEvery: prng.pick([0, 0, 1, 10, 50]),
  };
}

function drawLoad(prng: Prng): LoadOptions {
  return {
    clientCount: prng.between(3, 9),
    keyCount: prng.between(1, 6),
    thinkMean: prng.between(40, 160) * MILLISECOND,
    timeout: prng.between(300, 1_500) * MILLISECOND,
    readShare: 0.15 + prng.fraction() * 0.45,
    retryShare: prng.pick([0.3, 0.7, 0.95]),
    strayShare: prng.pick([0.05, 0.2, 0.5]),
    loss: prng.pick([0, 0.01, 0.05]),
    paddingMax: prng.pick([0, 20, 120]),
  };
}

function drawFaults(prng: Prng, traits: { leaseReads: boolean }): Map<FaultKind, number> {
  const faults = new Map<FaultKind, number>();
  for (const kind of FAULT_KINDS) {
    // A suspended or jumping clock breaks what lease reads are promised.
    const breaksLease = kind === "suspend" || kind === "clockJump" || kind === "clockDrift";
    const isDrawn = prng.chance(0.55);
    const weight = 0.3 + prng.fraction();
    if (isDrawn && !(breaksLease && traits.leaseReads)) faults.set(kind, weight);
  }
  // Something must happen on every seed.
  if (faults.size < 3) faults.set("crash", 1).set("isolateLeader", 1).set("membership", 1);
  return faults;
}
