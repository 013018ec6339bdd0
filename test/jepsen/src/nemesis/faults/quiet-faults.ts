/** Faults that harm no node: leaders, clocks, NameServers and clients. */

import { isFailedCall, sleep } from "@quorumlog/integration/testing";
import { byLeader } from "../../cluster/by-leader.ts";
import type { TestCluster } from "../../cluster/test-cluster.ts";
import type { Fault, FaultContext } from "../fault.ts";
import { Repetition } from "./repetition.ts";
import { electionsSeen, sayNodes } from "./victims.ts";

const TRANSFER_MS = 1_000;

export const TRANSFER_STORM: Fault = {
  name: "transfer",
  title: "leadership is handed to one node after the other",
  reach: "nobody",
  begin: ({ cluster, prng }) => {
    const elections = electionsSeen(cluster);
    let asked = 0;
    let transfers = 0;
    const storm = new Repetition(async () => {
      asked += 1;
      if (await transferOnce(cluster, prng)) transfers += 1;
      await sleep(prng.between(10, 300));
    });
    return Promise.resolve({
      nodes: cluster.memberIds,
      words: "leadership goes around",
      end: async () => {
        await storm.stop();
        // One that was asked for may have happened after nobody waited for it any more.
        const evidence = { asked, transfers, elections: elections() };
        return { evidence, hasBitten: asked > 0 && evidence.elections > 0 };
      },
    });
  },
};

/** @returns whether another one has taken over. What refuses is not asked again. */
async function transferOnce(cluster: TestCluster, prng: FaultContext["prng"]): Promise<boolean> {
  const leaderId = cluster.leaderId();
  const others = cluster.memberIds.filter((id) => id !== leaderId && cluster.isServing(id));
  if (leaderId === undefined || others.length === 0) return false;
  try {
    const to = prng.pick(others);
    await cluster.node(leaderId).call("transfer", { to, timeoutMs: TRANSFER_MS });
    return true;
  } catch (error) {
    if (!isFailedCall(error)) throw error;
    // It leads no more, or the other one is down: other faults are under way, too.
    return false;
  }
}

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;
const JUMPS_MS = [-HOUR_MS, -10 * SECOND_MS, 2 * SECOND_MS, 60 * SECOND_MS, HOUR_MS] as const;

export const CLOCK_JUMP: Fault = {
  name: "clock-jump",
  title: "wall clocks of some nodes jump, and jump again while it lasts",
  reach: "nobody",
  begin: ({ cluster, prng }) => {
    const serving = cluster.memberIds.filter((nodeId) => cluster.isServing(nodeId));
    if (serving.length === 0) return Promise.resolve(undefined);
    const some = prng.shuffle([...serving]).slice(0, prng.between(1, serving.length + 1));
    let jumps = 0;
    const strobe = new Repetition(async () => {
      for (const nodeId of some)
        if (await setClock(cluster, nodeId, prng.pick(JUMPS_MS))) jumps += 1;
      await sleep(prng.between(200, 1_500));
    });
    return Promise.resolve({
      nodes: some,
      words: `clocks of ${sayNodes(some)} jump by up to an hour`,
      end: async () => {
        await strobe.stop();
        for (const nodeId of some) await setClock(cluster, nodeId, 0);
        return { evidence: { jumps }, hasBitten: jumps > 0 };
      },
    });
  },
};

const CLOCK_MS = 500;

/** @returns whether it has: who is down has not, and a new process has no offset. */
async function setClock(cluster: TestCluster, nodeId: number, offsetMs: number): Promise<boolean> {
  try {
    await cluster.node(nodeId).call("setClock", { offsetMs, timeoutMs: CLOCK_MS });
    return true;
  } catch (error) {
    if (!isFailedCall(error)) throw error;
    return false;
  }
}

export const NAME_SERVERS_DOWN: Fault = {
  name: "nameservers-down",
  title: "all NameServers are killed",
  reach: "nobody",
  needs: "nameServers",
  begin: async ({ cluster }) => {
    const numbers = cluster.plan.nameServers.map((_, number) => number);
    await Promise.all(numbers.map((number) => cluster.stopNameServer(number)));
    return {
      nodes: [],
      words: `all ${numbers.length} NameServers were killed`,
      end: async () => {
        await Promise.all(numbers.map((number) => cluster.startNameServer(number)));
        return { evidence: { killed: numbers.length }, hasBitten: true };
      },
    };
  },
};

export const CLIENT_CRASH: Fault = {
  name: "client-crash",
  title: "a process of clients is killed, in the middle of what it does",
  reach: "nobody",
  holdMsMax: 500,
  needs: "clients",
  begin: async ({ crashClients }) => {
    if (crashClients === undefined) return undefined;
    const words = await crashClients();
    return {
      nodes: [],
      words,
      end: () => Promise.resolve({ evidence: { crashes: 1 }, hasBitten: true }),
    };
  },
};

export const SNAPSHOTS: Fault = {
  name: "snapshots",
  title: "every replica keeps its state, again and again",
  reach: "nobody",
  begin: ({ cluster, prng }) => {
    let asked = 0;
    const snapshots = new Repetition(async () => {
      await byLeader(cluster, "the state is kept", (leader) =>
        leader.call("snapshot", { timeoutMs: TRANSFER_MS }),
      );
      asked += 1;
      await sleep(prng.between(50, 500));
    });
    return Promise.resolve({
      nodes: cluster.memberIds,
      words: "snapshots are asked for",
      end: async () => {
        await snapshots.stop();
        return { evidence: { snapshotsAsked: asked }, hasBitten: asked > 0 };
      },
    });
  },
};
