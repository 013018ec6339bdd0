// Goal: NameServers know who is there and who leads, tell it at once, and are not needed to go on.
// Method: two of them, which know nothing of each other; nodes and NameServers that are killed or
// stand still. Heartbeats are a second apart, and whoever was silent for three is taken off.

import { Admin } from "@quorumlog/client";
import { NAME_SERVER_SERVICE, NODE_SERVICE, OperationError, RpcChannel } from "@quorumlog/protocol";
import type { Cluster } from "@quorumlog/protocol/messages";
import { expect, onTestFinished, test } from "vitest";
import type { ProcessCluster } from "../../src/kit/process-cluster.ts";
import {
  codeOf,
  inOrder,
  producerOf,
  pullConsumerOf,
  queueOfKey,
  range,
  take,
} from "../kit/clients.ts";
import { sendToEachQueue } from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";

const EXPIRY_MS = 3_000;
/** Of each group, besides those that a crash brings about. */
const TRANSFER_COUNT = 2;

const clusterOf = clusterOfFile({
  nameServers: 2,
  brokerSettings: { heartbeatMs: 1_000 },
  nameServerSettings: { expiryMs: EXPIRY_MS, scanMs: 100 },
});

/** What one NameServer says when it is asked. */
async function askNameServer(cluster: ProcessCluster, number: number): Promise<Cluster> {
  const channel = new RpcChannel({ address: cluster.nameServers[number] ?? "" });
  try {
    return await channel.call(NAME_SERVER_SERVICE.getCluster, {});
  } finally {
    channel.close();
  }
}

function nodeIdsIn({ groups }: Cluster): number[] {
  return inOrder(groups.flatMap(({ nodes }) => (nodes ?? []).map(({ nodeId }) => nodeId ?? 0)));
}

function allNodeIds(cluster: ProcessCluster): number[] {
  return inOrder(cluster.groupIds.flatMap((groupId) => cluster.nodeIdsOf(groupId)));
}

async function untilBothSay(
  cluster: ProcessCluster,
  what: string,
  isSo: (told: Cluster) => boolean,
): Promise<void> {
  for (const number of [0, 1])
    await cluster.until(`NameServer ${number}: ${what}`, async () =>
      isSo(await askNameServer(cluster, number)) ? true : undefined,
    );
}

test("every broker registers with every NameServer, which lists cluster and nodes", async () => {
  const cluster = clusterOf();
  await cluster.failOver();
  await cluster.whole();

  const all = allNodeIds(cluster);
  await untilBothSay(
    cluster,
    "all nodes are there",
    (told) => nodeIdsIn(told).length === all.length,
  );

  const told = await askNameServer(cluster, 0);
  const { clusterId, groups } = told;
  expect(nodeIdsIn(told)).toEqual(all);
  expect(clusterId).toBe("quorumlog");
  expect(groups.map(({ groupId, name }) => [groupId, name])).toEqual([
    [1, "broker-a"],
    [2, "broker-b"],
  ]);
  for (const { nodes = [] } of groups)
    for (const { nodeId = 0, address, isVoter } of nodes ?? [])
      expect([address, isVoter]).toEqual([cluster.addressOf(nodeId ?? 0), true]);
});

test("a node that is killed leaves the routes, and is back when it is", async () => {
  const cluster = clusterOf();
  await cluster.whole();
  const killed = await Promise.all(cluster.groupIds.map((groupId) => cluster.killLeader(groupId)));

  await untilBothSay(cluster, "they have left", (told) =>
    killed.every((nodeId) => !nodeIdsIn(told).includes(nodeId)),
  );

  await Promise.all(killed.map((nodeId) => cluster.restart(nodeId)));
  await untilBothSay(cluster, "they are back", (told) =>
    killed.every((nodeId) => nodeIdsIn(told).includes(nodeId)),
  );
});

test("a node that is silent for too long leaves the routes, and comes back by a word", async () => {
  const cluster = clusterOf();
  await cluster.failOver();
  await cluster.whole();
  const silent = await cluster.leaderOf(2);
  await untilBothSay(cluster, "it is there", (told) => nodeIdsIn(told).includes(silent));

  cluster.pause(silent);
  const pausedAt = Date.now();
  await untilBothSay(cluster, "it has left", (told) => !nodeIdsIn(told).includes(silent));
  const goneAfterMs = Date.now() - pausedAt;
  cluster.resume(silent);

  // Its last word may be as old as two heartbeats are apart.
  expect(goneAfterMs).toBeGreaterThan(EXPIRY_MS - 2_000);
  await untilBothSay(cluster, "it is back", (told) => nodeIdsIn(told).includes(silent));
});

test("whoever watches is told of a new leader as soon as it is elected", async () => {
  const cluster = clusterOf();
  await cluster.whole();
  const leaders = new Map<number, number>();
  const channel = new RpcChannel({ address: cluster.nameServers[1] ?? "" });
  const stream = channel.serverStream(NAME_SERVER_SERVICE.watchCluster, {});
  const toldAt = new Map<string, number>();
  stream.on("data", ({ groups }: Cluster) => {
    for (const { groupId = 0, leaderNodeId = 0, term } of groups) {
      leaders.set(groupId ?? 0, leaderNodeId ?? 0);
      const key = `${leaderNodeId} of term ${term}`;
      if (!toldAt.has(key)) toldAt.set(key, Date.now());
    }
  });
  // It is cancelled at the end.
  stream.on("error", () => undefined);
  onTestFinished(() => {
    stream.cancel();
    channel.close();
  });
  const untilTold = async (groupId: number): Promise<number> => {
    const leader = await cluster.leaderOf(groupId);
    await cluster.until(`the watch knows of node ${leader}`, () =>
      leaders.get(groupId) === leader ? true : undefined,
    );
    const elected = cluster.events(leader, "role").findLast(isLeading);
    const key = `${leader} of term ${String(elected?.["term"])}`;
    return (toldAt.get(key) ?? Number.NaN) - Date.parse(elected?.at ?? "");
  };

  const delaysMs: number[] = [];
  for (const groupId of cluster.groupIds) {
    await untilTold(groupId);
    const killed = await cluster.killLeader(groupId);
    delaysMs.push(await untilTold(groupId));
    await cluster.restart(killed);
    for (let i = 0; i < TRANSFER_COUNT; i += 1) {
      const leader = await cluster.leaderOf(groupId);
      const others = cluster.nodeIdsOf(groupId).filter((nodeId) => nodeId !== leader);
      await leadBy(cluster, groupId, others[i % others.length] ?? 0);
      delaysMs.push(await untilTold(groupId));
    }
  }

  // Nothing else than a push tells of a group: the heartbeats of nodes are without it. How fast
  // that is says the machine, and the README of the NameServer has figures.
  console.log(`a new leader was told after ${inOrder(delaysMs).join(", ")} ms`);
  expect(delaysMs).not.toContain(Number.NaN);
});

function isLeading({ role }: { readonly [field: string]: unknown }): boolean {
  return role === "leader";
}

test("a route says which group has which queue, and who leads it", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  const { groupIds } = await admin.createTopic({ name: "routed", queueCount: 6 });
  await cluster.failOver();
  const leaders = await Promise.all(cluster.groupIds.map((groupId) => cluster.leaderOf(groupId)));

  await untilBothSay(cluster, "who leads", ({ groups }) =>
    groups.every(({ leaderNodeId }, i) => leaderNodeId === leaders[i]),
  );

  const { metadata } = await askNameServer(cluster, 1);
  const topic = metadata?.topics?.find(({ name }) => name === "routed");
  expect(topic?.queueGroupIds).toEqual(groupIds);
});

test("configuration is kept by the metadata group, served everywhere, and taken away", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  const entry = { namespace: "shop", key: "currency", value: "EUR" };
  await admin.putConfiguration(entry);
  await admin.putConfiguration({ namespace: "shop", key: "old", value: "yes" });
  await cluster.failOver();
  await admin.putConfiguration({ namespace: "shop", key: "old" });

  await untilBothSay(cluster, "one value is there", (told) => shopIn(told).length === 1);

  expect(shopIn(await askNameServer(cluster, 0))).toEqual([entry]);
  expect(admin.cluster().configuration).toContainEqual(expect.objectContaining(entry));
});

function shopIn({ metadata }: Cluster): readonly unknown[] {
  return (metadata?.configuration ?? [])
    .filter(({ namespace }) => namespace === "shop")
    .map(({ namespace, key, value }) => ({ namespace, key, value }));
}

test("the order configuration of a topic is told to clients with its route", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "ordered" });
  const entry = { namespace: "ORDER_TOPIC_CONFIG", key: "ordered", value: "broker-a:2;broker-b:2" };
  await admin.putConfiguration(entry);
  await cluster.failOver();

  await using late = await Admin.open({ nameServers: cluster.nameServers });

  expect(late.cluster().topics.map(({ name }) => name)).toContain("ordered");
  expect(late.cluster().configuration).toContainEqual(expect.objectContaining(entry));
});

test("clients go on while all NameServers are down; one that is back empty knows all", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "without", queueCount: 2 });
  const { groupIds } = await admin.createTopic({ name: "deleted", queueCount: 2 });
  await admin.putConfiguration({ namespace: "shop", key: "name", value: "Quorum" });
  await sendToEachQueue(cluster, "without", 2);
  await sendToEachQueue(cluster, "deleted", 2);
  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  const consumer = await pullConsumerOf(cluster);
  await consumer.assign(consumer.queuesOf("without"));
  await cluster.whole();

  for (const number of [0, 1]) await cluster.nameServer(number).kill();
  await admin.deleteTopic("deleted");
  const late = producer.send("deleted", { body: "late", keys: [String(groupIds.indexOf(1))] });
  // The broker knows more than the routes do.
  expect(await codeOf(late)).toBe("UNKNOWN_TOPIC");
  await cluster.failOver();
  for (const number of range(20))
    await producer.send("without", { body: String(number), keys: [String(number % 2)] });
  const consumed = await take(consumer, 22);
  await cluster.nameServer(1).start();
  const startedAt = Date.now();
  await using newcomer = await Admin.open({ nameServers: cluster.nameServers });
  await cluster.until("routes, topics and configuration are back", async () => {
    const { groups, topics, configuration } = newcomer.cluster();
    const hasLeaders = groups.filter(({ leaderNodeId }) => leaderNodeId !== 0).length === 2;
    const isWhole = hasLeaders && topics.length > 0 && configuration.length > 0;
    return isWhole ? true : undefined;
  });

  const returnedMs = Date.now() - startedAt;

  // Of two delays at most, of which packages/nameserver/test knows.
  console.log(`an empty NameServer knew all, and had told it, after ${returnedMs} ms`);
  expect(consumed).toHaveLength(22);
  expect((await sendToEachQueue(cluster, "without", 2)).map(({ offset }) => offset)).toEqual([
    11, 11,
  ]);
  await cluster.nameServer(0).start();
});

test("without NameServers a leader whom the last route lacks is found by a hint", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "hinted", queueCount: 2 });
  await cluster.whole();
  // Each node has led, and has said where it is.
  for (const groupId of cluster.groupIds)
    for (const nodeId of cluster.nodeIdsOf(groupId)) await leadBy(cluster, groupId, nodeId);
  const away = await Promise.all(
    cluster.groupIds.map(async (groupId) => {
      const leader = await cluster.leaderOf(groupId);
      return cluster.nodeIdsOf(groupId).find((nodeId) => nodeId !== leader) ?? 0;
    }),
  );
  await Promise.all(away.map((nodeId) => cluster.kill(nodeId)));
  await untilBothSay(cluster, "they have left", (told) =>
    away.every((nodeId) => !nodeIdsIn(told).includes(nodeId)),
  );
  const producer = await producerOf(cluster, { queueSelector: queueOfKey });

  for (const number of [0, 1]) await cluster.nameServer(number).kill();
  await Promise.all(away.map((nodeId) => cluster.restart(nodeId)));
  for (const [i, groupId] of cluster.groupIds.entries())
    await leadBy(cluster, groupId, away[i] ?? 0);

  for (const queue of ["0", "1"])
    expect((await producer.send("hinted", { body: "found", keys: [queue] })).offset).toBe(0);
  for (const number of [0, 1]) await cluster.nameServer(number).start();
});

/** Asked as often as it takes: who has come back just now has to catch up. */
async function leadBy(cluster: ProcessCluster, groupId: number, nodeId: number): Promise<void> {
  await cluster.until(`node ${nodeId} leads`, async () => {
    const leader = await cluster.leaderOf(groupId);
    if (leader === nodeId) return true;
    const channel = new RpcChannel({ address: cluster.addressOf(leader) });
    try {
      await channel.call(NODE_SERVICE.transferLeadership, { nodeId });
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
    } finally {
      channel.close();
    }
    return undefined;
  });
}
