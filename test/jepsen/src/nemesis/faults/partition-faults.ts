/**
 * Partitions: ways between nodes go silent. No byte passes, no FIN and no RST; who dials is not
 * answered.
 */

import { sleep } from "@quorumlog/integration/testing";
import type { Disturbance } from "../../links/links.ts";
import { mergedSeen, type Seen } from "../../links/seen.ts";
import { type Way, waysBetween, waysFrom } from "../../links/way.ts";
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
  begin: async ({ cluster, harm, prng }) => {
    const claim = harm.claimAll();
    if (claim === undefined) return undefined;
    const ring = prng.shuffle([...claim.nodes]);
    // On each side, so that with itself they are a majority.
    const seen = Math.ceil(Math.floor(ring.length / 2) / 2);
    const ways = ring.flatMap((from, i) =>
      ring.filter((_, j) => distance(i, j, ring.length) > seen).map((to): Way => ({ from, to })),
    );
    const words = `ring ${ring.join("-")}: none sees further than ${seen} places`;
    return silence({ cluster }, { claim, nodes: ring, ways, words });
  },
};

export const PARTITION_BRIDGE: Fault = {
  name: "partition-bridge",
  title: "two groups of nodes that one node alone sees both of",
  reach: "all",
  begin: async ({ cluster, harm, prng }) => {
    const claim = harm.claimAll();
    if (claim === undefined) return undefined;
    const [bridge = 0, ...rest] = prng.shuffle([...claim.nodes]);
    const half = Math.floor(rest.length / 2);
    const [some, others] = [rest.slice(0, half), rest.slice(half)];
    const ways = waysBetween(some, others);
    const words = `${sayNodes(some)} | ${sayNodes(others)}, bridge ${bridge}`;
    return silence({ cluster }, { claim, nodes: rest, ways, words });
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
    const silences: Disturbance[] = [];
    const elections = electionsSeen(cluster);
    for (const nodeId of some) {
      const others = cluster.memberIds.filter((other) => other !== nodeId);
      silences.push(await cluster.links.silence(waysBetween([nodeId], others)));
      await sleep(prng.between(50, 400));
    }
    return {
      nodes: some,
      words: `cut off in this order: ${some.join(", ")}`,
      end: async () => {
        const seen: Seen[] = [];
        for (const one of prng.shuffle([...silences])) {
          seen.push(await one.end());
          await sleep(prng.between(50, 400));
        }
        claim.release();
        return endOf(mergedSeen(seen), elections());
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
  return silence({ cluster }, { claim, nodes, ways, words });
}

async function silence(
  { cluster }: Pick<FaultContext, "cluster">,
  { claim, nodes, ways, words }: Cut,
): Promise<Hit> {
  const leaderId = cluster.leaderId();
  const silenced = await cluster.links.silence(ways);
  const elections = electionsSeen(cluster);
  return {
    nodes,
    words,
    end: async () => {
      const seen = await silenced.end();
      claim.release();
      const { evidence, hasBitten } = endOf(seen, elections());
      const isLeaderCut = leaderId !== undefined && nodes.includes(leaderId);
      return { evidence: { ...evidence, leaders: isLeaderCut }, hasBitten };
    },
  };
}

/** @throws Error if something has crossed it: that was no partition. */
function endOf({ counts, hasBitten, breach }: Seen, elections: number): FaultEnd {
  if (breach !== "") throw new Error(breach);
  return { evidence: { ...counts, elections }, hasBitten };
}

function distance(i: number, j: number, size: number): number {
  const apart = Math.abs(i - j);
  return Math.min(apart, size - apart);
}
