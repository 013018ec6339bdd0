/** What one seed is about: a cluster, its limits, its load, and which faults strike how often. */

import type { Prng } from "@quorumlog/std";
import { type FlushMode, parseTuning } from "@quorumlog/replica/testing";
import type { ClientKind } from "../client/client.ts";
import type { Retention } from "../node/leader-duties.ts";
import type { Tuning } from "../node/sim-node.ts";

/** By name, how likely each is to be among those of a seed. */
const FAULT_CHANCES = {
  kill: 0.7,
  powerLoss: 0.7,
  killSome: 0.4,
  killAll: 0.3,
  gracefulStop: 0.4,
  longDown: 0.4,
  pause: 0.5,
  partition: 0.5,
  oneWay: 0.4,
  isolateLeader: 0.5,
  deafLeader: 0.3,
  ring: 0.2,
  bridge: 0.2,
  slowLinks: 0.3,
  drop: 0.3,
  failedSync: 0.4,
  failedWrite: 0.3,
  shortWrite: 0.3,
  full: 0.2,
  stopAtOperation: 0.5,
  stopAtSnapshot: 0.5,
  slowDisk: 0.3,
  bitFlip: 0.4,
  rot: 0.5,
  wipe: 0.3,
  wallClock: 0.4,
  transfer: 0.5,
  churn: 0.4,
  trim: 0.4,
} as const;

export type FaultName = keyof typeof FAULT_CHANCES;

export interface Swarm {
  readonly founders: number;
  readonly spares: number;
  readonly tuning: Tuning;
  readonly retention: Retention | undefined;
  /** Of the state machine: what makes snapshots long. */
  readonly ballastBytes: number;
  /** How many times slower than the log snapshots reach a disk. */
  readonly snapshotSlowness: number;
  /** How likely a node ends while it receives or installs a snapshot; less so at other files. */
  readonly cutChance: number;
  readonly leaseReads: boolean;
  readonly flush: FlushMode;
  readonly recoverFromPeers: boolean;
  readonly latencyMs: { readonly min: number; readonly max: number };
  readonly clients: readonly {
    readonly kind: ClientKind;
    readonly thinkMs: number;
    readonly width: number;
    readonly recordBytesMax: number;
  }[];
  readonly readers: number;
  readonly faults: readonly FaultName[];
  /** Between two faults, in the mean. */
  readonly faultMs: number;
  readonly durationMs: number;
}

const KIB = 1024;

/** @param flushChance - Apart, so that seeds whose nodes sync first are what they were. */
export function drawSwarm(prng: Prng, flushChance: Prng): Swarm {
  const founders = prng.pick([3, 3, 3, 4, 5, 5]);
  const names = Object.keys(FAULT_CHANCES) as FaultName[];
  const isCalm = prng.chance(0.03);
  const hasBallast = prng.chance(0.25);
  return {
    founders,
    spares: prng.below(3),
    tuning: drawTuning(prng, hasBallast),
    retention: drawRetention(prng),
    ballastBytes: hasBallast ? prng.pick([200, 600]) * KIB : 0,
    snapshotSlowness: prng.pick([1, 1, 10, 60]),
    cutChance: isCalm ? 0 : prng.pick([0, 0.5, 0.9]),
    leaseReads: prng.chance(0.3),
    flush: drawFlush(flushChance),
    recoverFromPeers: prng.chance(0.7),
    latencyMs: prng.pick([
      { min: 0.1, max: 0.5 },
      { min: 1, max: 2 },
      { min: 1, max: 15 },
    ]),
    clients: drawClients(prng),
    readers: prng.between(1, 4),
    faults: isCalm ? [] : names.filter((name) => prng.chance(FAULT_CHANCES[name])),
    faultMs: prng.pick([200, 400, 800, 1_600]),
    durationMs: prng.between(4_000, 11_000),
  };
}

function drawTuning(prng: Prng, hasBallast: boolean): Tuning {
  // Long enough on their way that something happens meanwhile.
  const rates = hasBallast ? [64, 128, 512] : [64, 1_024, 16_384];
  return parseTuning({
    heartbeatMs: prng.pick([20, 50]),
    electionMs: prng.pick([200, 300]),
    segmentBytes: prng.pick([64, 64, 128]) * KIB,
    tailBytesMax: prng.pick([0, 2, 8, 32]) * KIB,
    containerBytesMax: prng.pick([4, 8, 16]) * KIB,
    callBytesMax: 16 * KIB,
    pendingBytesMax: prng.pick([64, 64, 512]) * KIB,
    snapshotEveryBytes: 64 * KIB,
    scrubBytesPerSecond: 1_024 * KIB,
    scrubEveryMs: 1_000,
    snapshotBytesPerSecond: prng.pick(rates) * KIB,
    timeoutMs: prng.pick([300, 2_000]),
  });
}

function drawFlush(prng: Prng): FlushMode {
  if (prng.chance(0.6)) return { mode: "sync" };
  const intervalMs = prng.pick([5, 100, 2_000, 20_000]);
  return { mode: "async", intervalMs, bytes: prng.pick([4, 64, 8_192]) * KIB };
}

function drawRetention(prng: Prng): Retention | undefined {
  const kind = prng.below(5);
  if (kind === 0) return undefined;
  if (kind === 1) return { bytes: undefined, milliseconds: prng.between(2_000, 8_000) };
  return { bytes: prng.pick([64, 128, 256]) * KIB, milliseconds: undefined };
}

function drawClients(prng: Prng): Swarm["clients"] {
  const kinds: ClientKind[] = ["session", "plain", "compare", "session", "fast", "plain"];
  const thinkMs = prng.pick([80, 200, 400]);
  return kinds.slice(0, prng.between(2, 7)).map((kind) => ({
    kind,
    thinkMs,
    width: kind === "compare" ? 1 : prng.between(1, 4),
    recordBytesMax: prng.pick([40, 600, 3 * KIB, 3 * KIB]),
  }));
}
