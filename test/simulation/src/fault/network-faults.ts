/** Faults between hosts: partitions of all shapes, clogs, and bad links. */

import type { Message, NodeId } from "@quorumlog/raft";
import { type Micros, MILLISECOND, SECOND } from "../engine/event-queue.ts";
import type { Host } from "../run/host.ts";
import type { Fault, FaultContext } from "./fault-context.ts";
import type { FaultKind } from "./swarm.ts";

type Pair = readonly [NodeId, NodeId];

type NetworkFault = Extract<
  FaultKind,
  | "partition"
  | "asymmetricPartition"
  | "partialPartition"
  | "isolateLeader"
  | "badLinks"
  | "silence"
  | "clog"
  | "swizzleClog"
>;

const SILENCEABLE: readonly Message["type"][] = [
  "AppendEntries",
  "AppendEntriesReply",
  "Heartbeat",
  "HeartbeatReply",
  "RequestVote",
  "RequestVoteReply",
  "RequestVoteReply",
  "RequestPreVoteReply",
  "InstallSnapshot",
  "TimeoutNow",
  "ReadIndexReply",
];

export const NETWORK_FAULTS: Readonly<Record<NetworkFault, Fault>> = {
  partition(context) {
    const [left, right] = split(context);
    markLeader(context, left, right);
    blockPairs(context, [...between(left, right), ...between(right, left)], partitionTime(context));
    return true;
  },

  asymmetricPartition(context) {
    const [left, right] = split(context);
    blockPairs(context, between(left, right), partitionTime(context));
    return true;
  },

  /** Neither half nor whole: some pairs do not see each other, though both see others. */
  partialPartition(context) {
    const hosts = context.activeHosts();
    if (hosts.length < 3) return false;
    const shape = context.prng.pick(["random", "bridge", "ring"]);
    const pairs = shape === "random" ? randomPairs(context, hosts) : shaped(context, hosts, shape);
    blockPairs(context, pairs, partitionTime(context));
    context.cluster.marks.hit("partial partition");
    return true;
  },

  /** The leader alone, or with too few: it goes on as a leader until it notices. */
  isolateLeader(context) {
    const leader = context.leaderHost();
    if (leader === undefined) return false;
    const others = context.activeHosts().filter((host) => host !== leader);
    const company = context.prng.below(Math.floor(others.length / 2) + 1);
    context.prng.shuffle(others);
    const left = [leader, ...others.slice(0, company)];
    const right = others.slice(company);
    markLeader(context, left, right);
    if (context.prng.chance(0.5)) context.cluster.preferredTarget = leader.id;
    const pairs = [...between(left, right), ...between(right, left)];
    const isOneWay = context.prng.chance(0.2);
    const time = context.electionTimeout * (0.3 + context.prng.fraction() * 4);
    blockPairs(context, isOneWay ? between(left, right) : pairs, time);
    context.during(time, () => {
      context.cluster.preferredTarget = undefined;
    });
    return true;
  },

  badLinks(context) {
    const { prng } = context;
    const pairs = allPairs(context.activeHosts()).filter(() => prng.chance(0.7));
    const quality = {
      delayMin: prng.between(50, 5_000),
      delayMean: prng.pick([1, 10, 50, 200]) * MILLISECOND,
      loss: prng.pick([0, 0.05, 0.2, 0.4]),
      duplication: prng.pick([0, 0.1, 0.5]),
    };
    const undo = context.cluster.network.degrade(pairs, quality);
    context.during(context.duration(300 * MILLISECOND, 4 * SECOND), undo);
    return true;
  },

  /** Messages of one kind or two get lost, everywhere: elections without results, acks, reads. */
  silence(context) {
    const types = context.prng.shuffle([...SILENCEABLE]).slice(0, context.prng.between(1, 3));
    silence(context, types, partitionTime(context));
    return true;
  },

  /** Everything that one host sends, or is sent, arrives late and at once. */
  clog(context) {
    const host = context.pickRunning();
    if (host === undefined) return false;
    const until = context.queue.now + context.duration(50 * MILLISECOND, 2 * SECOND);
    const direction = context.prng.pick(["in", "out", "both"]);
    for (const peer of context.activeHosts()) {
      if (peer === host || context.prng.chance(0.2)) continue;
      if (direction !== "in") context.cluster.network.clog(host.id, peer.id, until);
      if (direction !== "out") context.cluster.network.clog(peer.id, host.id, until);
    }
    return true;
  },

  /** Clog hosts one by one, then let go in another order (FoundationDB's swizzle). */
  swizzleClog(context) {
    const hosts = context.prng.shuffle(context.activeHosts());
    const step = context.prng.between(20, 400) * MILLISECOND;
    const ends = context.prng.shuffle(hosts.map((_, i) => (hosts.length + i + 1) * step));
    hosts.forEach((host, i) => {
      context.after(i * step, () => {
        const until = context.queue.now + (ends[i] ?? step) - i * step;
        for (const peer of hosts) {
          if (peer === host) continue;
          context.cluster.network.clog(host.id, peer.id, until);
          context.cluster.network.clog(peer.id, host.id, until);
        }
      });
    });
    return true;
  },
};

/** Cuts a host off from all others; both ways, or only what it sends. */
export function isolate(
  context: FaultContext,
  host: Host,
  cut: { keeping: readonly Host[]; time: Micros },
): void {
  const others = context.activeHosts().filter((peer) => peer !== host);
  const away = others.filter((peer) => !cut.keeping.includes(peer));
  blockPairs(context, [...between([host], away), ...between(away, [host])], cut.time);
}

/** Loses nearly all messages of some kinds. */
export function silence(
  context: FaultContext,
  types: readonly Message["type"][],
  time: Micros,
): void {
  const { silenced } = context.cluster;
  for (const type of types) silenced.set(type, (silenced.get(type) ?? 0) + 1);
  context.during(time, () => {
    for (const type of types) silenced.set(type, Math.max(0, (silenced.get(type) ?? 0) - 1));
  });
}

function blockPairs(context: FaultContext, pairs: readonly Pair[], time: Micros): void {
  const undos = pairs.map(([from, to]) => context.cluster.network.block(from, to));
  context.cluster.trace.note(() => `block ${pairs.map(([a, b]) => `${a}>${b}`).join(" ")}`);
  context.during(time, () => {
    for (const undo of undos) undo();
  });
}

function partitionTime(context: FaultContext): Micros {
  return context.prng.chance(0.7)
    ? context.electionTimeout * (0.3 + context.prng.fraction() * 6)
    : context.duration(100 * MILLISECOND, 4 * SECOND);
}

/** Two random sides, neither empty if there are two hosts. */
function split(context: FaultContext): [Host[], Host[]] {
  const hosts = context.prng.shuffle(context.activeHosts());
  const cut = hosts.length < 2 ? hosts.length : context.prng.between(1, hosts.length);
  return [hosts.slice(0, cut), hosts.slice(cut)];
}

function between(from: readonly Host[], to: readonly Host[]): Pair[] {
  return from.flatMap(({ id }) => to.map((peer): Pair => [id, peer.id]));
}

function allPairs(hosts: readonly Host[]): Pair[] {
  return between(hosts, hosts).filter(([from, to]) => from !== to);
}

function randomPairs(context: FaultContext, hosts: readonly Host[]): Pair[] {
  const share = 0.15 + context.prng.fraction() * 0.5;
  return allPairs(hosts)
    .filter(([from, to]) => from < to && context.prng.chance(share))
    .flatMap(([from, to]): Pair[] => [
      [from, to],
      [to, from],
    ]);
}

/** `bridge`: two halves that only one host sees both of. `ring`: each sees its neighbours only. */
function shaped(context: FaultContext, all: readonly Host[], shape: string): Pair[] {
  const hosts = context.prng.shuffle([...all]);
  const count = hosts.length;
  const isSevered = (i: number, j: number): boolean => {
    if (shape === "ring") return Math.abs(i - j) !== 1 && Math.abs(i - j) !== count - 1;
    const middle = count >> 1;
    return i !== middle && j !== middle && i < middle !== j < middle;
  };
  const pairs: Pair[] = [];
  hosts.forEach((from, i) => {
    hosts.forEach((to, j) => {
      if (i !== j && isSevered(i, j)) pairs.push([from.id, to.id]);
    });
  });
  return pairs;
}

function markLeader(context: FaultContext, left: readonly Host[], right: readonly Host[]): void {
  const leader = context.leaderHost();
  if (leader === undefined) return;
  const { voters } = context.cluster.ledger.configuration;
  const side = left.includes(leader) ? left : right;
  const together = side.filter(({ id }) => voters.some((voter) => voter.id === id)).length;
  const isMinority = together * 2 <= voters.length;
  context.cluster.marks.hit(
    isMinority ? "leader in a minority partition" : "leader in a majority partition",
  );
}
