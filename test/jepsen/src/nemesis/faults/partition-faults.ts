/**
 * Partitions: ways between nodes go silent. No byte passes, no FIN and no RST; who dials is
 * accepted, and not answered.
 */

import { sleep } from "@quorumlog/integration/testing";
import type { Silence } from "../../cluster/links.ts";
import { type Way, waysBetween, waysFrom } from "../../cluster/way.ts";
import type { Fault, FaultContext, FaultEnd, Hit } from "../fault.ts";
import type { Claim } from "../harm.ts";
import { electionsSeen, sayNodes } from "./victims.ts";

/** Who is cut off from whom. */
interface Cut {
  readonly claim: Claim;
  /** Those that are with fewer than a majority, or hear or are heard by nobody. */
  readonly nodes: readonly number[];
  readonly ways: readonly Way[];
  readonly words: string;
}

/** So that a majority has missed its leader by then. */
const ISOLATION_MS_MIN = 1_500;
/** Of isolations: clients and NameServers are cut off as well. */
const TOTAL_SHARE = 0.3;

export const PARTITION_HALVES: Fault = {
  name: "partition-halves",
  title: "a random minority is cut off from the others",
  reach: "minority",
  begin: (context) => {
    const { cluster, harm, prng } = context;
    if (harm.room === 0) return nobody();
    const some = prng.shuffle([...harm.unharmed]).slice(0, prng.between(1, harm.room + 1));
    const others = cluster.memberIds.filter((nodeId) => !some.includes(nodeId));
    const words = `${sayNodes(some)} | ${sayNodes(others)}`;
    return cut(context, some, waysBetween(some, others), words);
  },
};

export const PARTITION_LEADER: Fault = {
  name: "partition-leader",
  title: "the leader is alone; now and then without clients and NameServers, too",
  reach: "minority",
  holdMsMin: ISOLATION_MS_MIN,
  begin: (context) => {
    const { cluster, prng } = context;
    const leaderId = cluster.leaderId();
    if (leaderId === undefined) return nobody();
    const others = cluster.memberIds.filter((nodeId) => nodeId !== leaderId);
    const isTotal = prng.chance(TOTAL_SHARE);
    const outside = isTotal ? (["clients", ...cluster.plan.nameServers] as const) : [];
    const words = `node ${leaderId}, the leader, is alone${isTotal ? ", without clients" : ""}`;
    return cut(context, [leaderId], waysBetween([leaderId], [...others, ...outside]), words);
  },
};

export const PARTITION_LEADER_MINORITY: Fault = {
  name: "partition-leader-minority",
  title: "the leader is with as many others as make no majority",
  reach: "minority",
  holdMsMin: ISOLATION_MS_MIN,
  begin: (context) => {
    const { cluster, harm, prng } = context;
    const leaderId = cluster.leaderId();
    if (leaderId === undefined || harm.room === 0) return nobody();
    const unharmed = prng.shuffle(harm.unharmed.filter((nodeId) => nodeId !== leaderId));
    const some = [leaderId, ...unharmed.slice(0, harm.room - 1)];
    const others = cluster.memberIds.filter((nodeId) => !some.includes(nodeId));
    const words = `${sayNodes(some)}, node ${leaderId} leads | ${sayNodes(others)}`;
    return cut(context, some, waysBetween(some, others), words);
  },
};

export const PARTITION_ONE_WAY: Fault = {
  name: "partition-one-way",
  title: "a node is heard by nobody, or hears nobody; every other time the leader",
  reach: "minority",
  holdMsMin: ISOLATION_MS_MIN,
  begin: (context) => {
    const { cluster, harm, prng } = context;
    const { unharmed } = harm;
    if (harm.room === 0 || unharmed.length === 0) return nobody();
    const leaderId = cluster.leaderId();
    const isLeader = leaderId !== undefined && prng.chance(0.5);
    const victim = isLeader ? leaderId : prng.pick(unharmed);
    const others = cluster.memberIds.filter((nodeId) => nodeId !== victim);
    const isMute = prng.chance(0.5);
    const ways = isMute ? waysFrom([victim], others) : waysFrom(others, [victim]);
    const which = victim === leaderId ? ", the leader" : "";
    return cut(context, [victim], ways, `node ${victim}${which}, ${isMute ? "mute" : "deaf"}`);
  },
};

export const PARTITION_RING: Fault = {
  name: "partition-ring",
  title: "each node sees a majority, and none the same one: those beside it in a ring",
  reach: "all",
  needs: "fiveNodes",
  begin: ({ cluster, harm, prng }) => {
    const claim = harm.claimAll();
    if (claim === undefined) return nobody();
    const ring = prng.shuffle([...claim.nodes]);
    // On each side, so that with itself they are a majority.
    const seen = Math.ceil(Math.floor(ring.length / 2) / 2);
    const ways = ring.flatMap((from, i) =>
      ring.filter((_, j) => distance(i, j, ring.length) > seen).map((to): Way => ({ from, to })),
    );
    const words = `ring ${ring.join("-")}: none sees further than ${seen} places`;
    return Promise.resolve(silence({ cluster }, { claim, nodes: ring, ways, words }));
  },
};

export const PARTITION_BRIDGE: Fault = {
  name: "partition-bridge",
  title: "two groups of nodes that one node alone sees both of",
  reach: "all",
  begin: ({ cluster, harm, prng }) => {
    const claim = harm.claimAll();
    if (claim === undefined) return nobody();
    const [bridge = 0, ...rest] = prng.shuffle([...claim.nodes]);
    const half = Math.floor(rest.length / 2);
    const [some, others] = [rest.slice(0, half), rest.slice(half)];
    const ways = waysBetween(some, others);
    const words = `${sayNodes(some)} | ${sayNodes(others)}, bridge ${bridge}`;
    return Promise.resolve(silence({ cluster }, { claim, nodes: rest, ways, words }));
  },
};

export const SWIZZLE_CLOG: Fault = {
  name: "swizzle-clog",
  title: "nodes are cut off one after the other, and come back in another order",
  reach: "all",
  begin: async ({ cluster, harm, prng }) => {
    const claim = harm.claimAll();
    if (claim === undefined) return undefined;
    const order = prng.shuffle([...claim.nodes]);
    const some = order.slice(0, prng.between(1, order.length + 1));
    const silences: Silence[] = [];
    const elections = electionsSeen(cluster);
    for (const nodeId of some) {
      const others = cluster.memberIds.filter((other) => other !== nodeId);
      silences.push(cluster.links.silence(waysBetween([nodeId], others)));
      await sleep(prng.between(50, 400));
    }
    return {
      nodes: some,
      words: `cut off in this order: ${some.join(", ")}`,
      end: async () => {
        for (const one of prng.shuffle([...silences])) {
          one.end();
          await sleep(prng.between(50, 400));
        }
        claim.release();
        return endOf(silences, elections());
      },
    };
  },
};

function nobody(): Promise<undefined> {
  return Promise.resolve(undefined);
}

function cut(
  { cluster, harm }: FaultContext,
  nodes: readonly number[],
  ways: readonly Way[],
  ...[words]: [string]
): Promise<Hit | undefined> {
  const claim = harm.claim(nodes);
  if (claim === undefined) return nobody();
  return Promise.resolve(silence({ cluster }, { claim, nodes, ways, words }));
}

function silence(
  { cluster }: Pick<FaultContext, "cluster">,
  { claim, nodes, ways, words }: Cut,
): Hit {
  const leaderId = cluster.leaderId();
  const silenced = cluster.links.silence(ways);
  const elections = electionsSeen(cluster);
  return {
    nodes,
    words,
    end: () => {
      silenced.end();
      claim.release();
      const { evidence, hasBitten } = endOf([silenced], elections());
      const isLeaderCut = leaderId !== undefined && nodes.includes(leaderId);
      return Promise.resolve({ evidence: { ...evidence, leaders: isLeaderCut }, hasBitten });
    },
  };
}

/** @throws Error if an end of a connection has crossed it: that was no partition. */
function endOf(silences: readonly Silence[], elections: number): FaultEnd {
  const counts = silences.map((silenced) => silenced.counts());
  const total = (name: keyof (typeof counts)[number]): number =>
    counts.reduce((sum, count) => sum + count[name], 0);
  const evidence = {
    connections: total("connections"),
    unanswered: total("unanswered"),
    heldBytes: total("heldBytes"),
    heldEnds: total("heldEnds"),
    leakedEnds: total("leakedEnds"),
    elections,
  };
  if (evidence.leakedEnds > 0)
    throw new Error(`${evidence.leakedEnds} ends of connections crossed a way that was silent`);
  const { connections, unanswered, heldBytes } = evidence;
  return { evidence, hasBitten: connections + unanswered > 0 && heldBytes > 0 };
}

function distance(i: number, j: number, size: number): number {
  const apart = Math.abs(i - j);
  return Math.min(apart, size - apart);
}
