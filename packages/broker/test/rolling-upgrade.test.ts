// Goal: a group whose nodes are restarted with a later version, one after the other, goes by later
// rules once the last of them knows them, and not before; an older version stops in front of them
// with an error that says so, changes nothing of what it has, and a later one goes on from there.
// Method: groups in one process, over a network in memory and on real disks; nodes that are told
// that they know more than this version does.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseCommand } from "../src/state/command-record.ts";
import { queueKey } from "../src/state/queue-key.ts";
import { RULES_VERSION } from "../src/state/rules.ts";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";

const LATER = { rulesVersion: RULES_VERSION + 1 };
const TOO_OLD = expect.objectContaining({ code: "RULES_VERSION" }) as unknown;
const WAIT = { timeout: 20_000 };

async function started(): Promise<{ nodes: BrokerNodes; topicId: number }> {
  const nodes = await BrokerNodes.start(3, { more: { retention: "keep" } });
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders", queueCount: 1 });
  return { nodes, topicId };
}

async function publishOne(nodes: BrokerNodes, topicId: number, body: string): Promise<void> {
  const batches = [batchOf({ topicId, queue: 0 }, [body])];
  await publish(nodes.channel(await nodes.leaderId()), { batches });
}

/** A fetch need not give all that there is at once. */
async function bodiesAt(nodes: BrokerNodes, nodeId: number, topicId: number): Promise<string[]> {
  const { replica, machine } = nodes.broker(nodeId).group;
  await replica.readBarrier();
  const end = machine.queues.end(queueKey(topicId, 0));
  const bodies: string[] = [];
  while (bodies.length < end) {
    const positions = [{ topicId, queue: 0, offset: bodies.length }];
    bodies.push(...bodiesOf(await fetch(nodes.channel(nodeId), { positions })));
  }
  return bodies;
}

function inForce(nodes: BrokerNodes, nodeId: number): number {
  return nodes.broker(nodeId).group.machine.rules.inForce;
}

/** Where the log says that rules are raised. */
function raises(nodes: BrokerNodes, nodeId: number): number[] {
  const { replica } = nodes.broker(nodeId).group;
  const offsets: number[] = [];
  for (let from = 0; ;) {
    const { records, nextOffset } = replica.read(from);
    if (records.length === 0) return offsets;
    for (const { offset, data } of records) {
      const command = parseCommand(Buffer.from(data));
      if (typeof command === "object" && command.kind === "raiseRules") offsets.push(offset);
    }
    from = nextOffset;
  }
}

async function restart(nodes: BrokerNodes, nodeId: number, start = {}): Promise<void> {
  await nodes.kill(nodeId);
  await nodes.open(nodeId, start);
}

async function upgradeAll(nodes: BrokerNodes): Promise<void> {
  for (const nodeId of [1, 2, 3]) await restart(nodes, nodeId, LATER);
  for (const nodeId of [1, 2, 3])
    await expect.poll(() => inForce(nodes, nodeId), WAIT).toBe(LATER.rulesVersion);
}

/** Of every file that a node has for its state, what is in it. */
function stateFilesOf(nodes: BrokerNodes, nodeId: number): Map<string, string> {
  const directory = nodes.directory(nodeId);
  const files = readdirSync(directory, { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter((file) => file.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      // A log notes that it was opened, and LMDB who reads at the moment.
      .filter((path) => !path.endsWith("lock.mdb") && !path.includes("/log/"))
      .toSorted()
      .map((path) => [path, createHash("sha256").update(readFileSync(path)).digest("hex")]),
  );
}

test("rules are raised once, when the last node knows them", async () => {
  const { nodes, topicId } = await started();
  const leaderId = await nodes.leaderId();
  const followers = [1, 2, 3].filter((nodeId) => nodeId !== leaderId);
  for (const nodeId of followers) await restart(nodes, nodeId, LATER);
  await publishOne(nodes, topicId, "a");
  const { replica } = nodes.broker(leaderId).group;
  await expect.poll(() => replica.commonRules, WAIT).toBe(RULES_VERSION);

  // Whoever leads now knows more, and the last one is down: it has said nothing.
  await nodes.kill(leaderId);
  await publishOne(nodes, topicId, "b");
  const next = nodes.broker(await nodes.leaderId()).group;
  await expect.poll(() => next.hasBegun, WAIT).toBe(true);
  await expect.poll(() => next.replica.commonRules, WAIT).toBe(0);
  const end = next.replica.status().nextOffset;
  await nodes.open(leaderId, LATER);

  for (const nodeId of [1, 2, 3])
    await expect.poll(() => inForce(nodes, nodeId), WAIT).toBe(LATER.rulesVersion);
  await publishOne(nodes, topicId, "c");
  await restart(nodes, await nodes.leaderId(), LATER);
  await publishOne(nodes, topicId, "d");
  const found = raises(nodes, await nodes.leaderId());
  expect(found).toHaveLength(1);
  expect(found[0]).toBeGreaterThanOrEqual(end);
  expect(await bodiesAt(nodes, leaderId, topicId)).toEqual(["a", "b", "c", "d"]);
}, 120_000);

test("rules are raised once, whoever leads while that goes on", async () => {
  const { nodes, topicId } = await started();
  for (const nodeId of [1, 2, 3]) await restart(nodes, nodeId, LATER);

  const leaderId = await nodes.leaderId();
  const { replica } = nodes.broker(leaderId).group;
  await expect.poll(() => replica.commonRules, WAIT).toBe(LATER.rulesVersion);

  // It is about to raise them, or has begun to.
  await nodes.kill(leaderId);
  await publishOne(nodes, topicId, "a");
  await nodes.open(leaderId, LATER);
  for (const nodeId of [1, 2, 3])
    await expect.poll(() => inForce(nodes, nodeId), WAIT).toBe(LATER.rulesVersion);
  await restart(nodes, await nodes.leaderId(), LATER);
  await publishOne(nodes, topicId, "b");

  expect(raises(nodes, await nodes.leaderId())).toHaveLength(1);
}, 120_000);

test("an older version does not start on a later state, and leaves it as it is", async () => {
  const { nodes, topicId } = await started();
  await upgradeAll(nodes);
  await publishOne(nodes, topicId, "a");
  await nodes.kill(3);
  const before = stateFilesOf(nodes, 3);

  for (let i = 0; i < 2; i++) {
    await expect(nodes.open(3)).rejects.toEqual(TOO_OLD);
    const lock = join(nodes.directory(3), "group-1", "log", "lock");
    await expect.poll(() => existsSync(lock), WAIT).toBe(false);
  }

  expect(stateFilesOf(nodes, 3)).toEqual(before);
  await publishOne(nodes, topicId, "b");
  await nodes.open(3, LATER);
  expect(await bodiesAt(nodes, 3, topicId)).toEqual(["a", "b"]);
}, 120_000);

test("a node that runs stops in front of rules that it does not know", async () => {
  const { nodes, topicId } = await started();
  const leaderId = await nodes.leaderId();
  const [old, other] = [1, 2, 3].filter((nodeId) => nodeId !== leaderId) as [number, number];
  for (const nodeId of [other, leaderId]) await restart(nodes, nodeId, LATER);
  await publishOne(nodes, topicId, "a");
  await bodiesAt(nodes, old, topicId);
  const { group } = nodes.broker(old);
  if (group.isLeader) await group.replica.transferLeadership(other);
  const leader = nodes.broker(await nodes.leaderId()).group;

  // As if the node had said so, and an older program had been started there since.
  await leader.execute({ raiseRules: LATER });
  await publishOne(nodes, topicId, "b");

  await expect.poll(() => group.failure, WAIT).toEqual(TOO_OLD);
  expect(group.machine.rules.inForce).toBe(RULES_VERSION);
  await restart(nodes, old);
  await expect.poll(() => nodes.broker(old).group.failure, WAIT).toEqual(TOO_OLD);
  await restart(nodes, old, LATER);
  expect(await bodiesAt(nodes, old, topicId)).toEqual(["a", "b"]);
}, 120_000);

test("a node that is added with an older version stops, and with a later one goes on", async () => {
  const { nodes, topicId } = await started();
  await publishOne(nodes, topicId, "a");
  await upgradeAll(nodes);
  const leader = nodes.broker(await nodes.leaderId()).group.replica;
  // Nothing is left of the log before: a new node begins with a snapshot.
  await leader.snapshot();
  await publishOne(nodes, topicId, "b");
  await leader.snapshot();
  await leader.trim(leader.status().nextOffset - 1);
  await nodes.open(4, { ifMissing: "join" });

  await leader.addLearner(4, "node-4:1");

  const { group } = nodes.broker(4);
  await expect.poll(() => group.failure, WAIT).toEqual(TOO_OLD);
  expect(group.failure?.message).toContain("the state follows rules");
  await restart(nodes, 4, { ...LATER, ifMissing: "join" });
  await leader.promote(4);
  expect(inForce(nodes, 4)).toBe(LATER.rulesVersion);
}, 120_000);
