// Goal: a consumer group that nobody uses is forgotten after a time, on all nodes alike, and one
// that has members or commits never; there is an end to groups, and it is said.
// Method: the state machine by itself, at times of its log; then real nodes with a short time.

import { setTimeout as pause } from "node:timers/promises";
import { NameServer } from "@quorumlog/nameserver";
import { COORDINATOR_SERVICE, OFFSETS_SERVICE, type RpcChannel } from "@quorumlog/protocol";
import {
  AssignmentStrategy,
  ConsumeMode,
  type ErrorDetail,
  MessageType,
} from "@quorumlog/protocol/messages";
import { expect, onTestFinished, test } from "vitest";
import type { BrokerEvent } from "../src/index.ts";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, createTopic, publish } from "./kit/calls.ts";
import { TestMachine } from "./kit/machines.ts";

const WEEK_MS = 7 * 86_400_000;
const QUEUE = { topicId: 1, queue: 0 };
const GROUPS_MAX = 10_000;

function withTopic(): TestMachine {
  const machine = new TestMachine();
  machine.execute({ registerGroup: { groupId: 1, name: "broker-a" } });
  const messageType = MessageType.MESSAGE_TYPE_NORMAL;
  machine.execute({ createTopic: { name: "orders", messageType, queueCount: 4 } });
  return machine;
}

function join(machine: TestMachine, group: string, memberId = "a"): void {
  const { error } = machine.execute({
    joinGroup: {
      group,
      memberId,
      mode: ConsumeMode.CONSUME_MODE_CLUSTERING,
      strategy: AssignmentStrategy.ASSIGNMENT_STRATEGY_STICKY,
      subscriptions: [{ topic: "orders", tagExpression: "*" }],
      sessionTimeoutMs: 10_000,
    },
  });
  expect(error).toBeNull();
}

function commit(
  machine: TestMachine,
  group: string,
  place: { readonly queue: number; readonly memberId?: string } = { queue: 0 },
): ErrorDetail.$Properties {
  const { queue, memberId = "" } = place;
  const { commits } = machine.execute({
    commitBatch: {
      commits: [
        {
          group,
          memberId,
          offsets: [{ topicId: 1, queue, offset: 0 }],
          isOwnProgress: memberId !== "",
        },
      ],
    },
  });
  return commits[0]?.errors?.[0] ?? {};
}

function expireOffsets(machine: TestMachine, group: string, epoch = 9): readonly string[] {
  return machine.execute({ expireOffsets: { retentionMs: WEEK_MS, groups: [{ group, epoch }] } })
    .expiredGroups;
}

test("a group goes when nobody has belonged to it for so long, and its epochs go on", () => {
  const machine = withTopic();
  const { consumerGroups } = machine.machine;
  const expire = (): readonly string[] =>
    machine.execute({ expireGroups: { retentionMs: WEEK_MS } }).expiredGroups;
  join(machine, "left");
  join(machine, "stays");
  machine.execute({ leaveGroup: { group: "left", memberIds: ["a"] } });
  const epoch = consumerGroups.get("left")?.epoch ?? 0;

  machine.now += WEEK_MS - 10;
  expect(consumerGroups.hasExpired(WEEK_MS, machine.now)).toBe(false);
  expect(expire()).toEqual([]);
  const asked = ["left", "stays", "never-was"];
  expect(consumerGroups.dormant(asked)).toEqual([{ group: "never-was", epoch: 0 }]);
  machine.now += 10;
  expect(expire()).toEqual(["left"]);
  expect(consumerGroups.dormant(asked)).toEqual([
    { group: "left", epoch },
    { group: "never-was", epoch },
  ]);

  expect([...consumerGroups.entries()].map(([name]) => name)).toEqual(["stays"]);
  join(machine, "left");
  expect(consumerGroups.get("left")?.epoch).toBeGreaterThan(epoch);
});

test("whoever comes back in time has the whole time again", () => {
  const machine = withTopic();
  join(machine, "readers");
  machine.execute({ leaveGroup: { group: "readers", memberIds: ["a"] } });
  machine.now += WEEK_MS - 10;
  join(machine, "readers");
  machine.execute({ leaveGroup: { group: "readers", memberIds: ["a"] } });

  machine.now += WEEK_MS - 10;
  expect(machine.execute({ expireGroups: { retentionMs: WEEK_MS } }).expiredGroups).toEqual([]);
});

test("offsets go with the last commit's age, all of a group at once", () => {
  const machine = withTopic();
  const { offsets } = machine.machine;
  commit(machine, "readers", { queue: 0 });
  commit(machine, "readers", { queue: 0, memberId: "m" });
  machine.now += WEEK_MS - 1_000;
  commit(machine, "readers", { queue: 1 });

  machine.now += 2_000;
  expect(offsets.quietGroups(WEEK_MS, machine.now)).toEqual([]);
  expect(expireOffsets(machine, "readers")).toEqual([]);
  expect(offsets.rows.rowCount).toBe(3);
  machine.now += WEEK_MS;
  expect(offsets.quietGroups(WEEK_MS, machine.now)).toEqual(["readers"]);
  expect(expireOffsets(machine, "readers")).toEqual(["readers"]);
  expect([offsets.rows.rowCount, offsets.rows.groupCount]).toEqual([0, 0]);
});

test("what was claimed since the coordinator was asked, or is leased, stays", () => {
  const machine = withTopic();
  const claim = (group: string, epoch: number, leaseMs: number): object =>
    machine.execute({ claim: { group, memberId: "a", epoch, queues: [QUEUE], leaseMs } });
  claim("claimed", 10, 0);
  claim("leased", 5, 300_000);

  expect(
    machine.execute({
      expireOffsets: {
        retentionMs: 0,
        groups: [
          { group: "claimed", epoch: 9 },
          { group: "leased", epoch: 9 },
        ],
      },
    }).expiredGroups,
  ).toEqual([]);
  machine.now += WEEK_MS;
  expect(expireOffsets(machine, "leased")).toEqual(["leased"]);
  expect(expireOffsets(machine, "claimed", 10)).toEqual(["claimed"]);
});

test("a state that was restored forgets the same as the one that it is of", () => {
  const one = withTopic();
  commit(one, "readers", { queue: 0 });
  one.now += WEEK_MS;
  commit(one, "readers", { queue: 1 });
  // What is known of the group in memory is newer than all that is left of it.
  one.execute({ deleteTopic: { name: "orders" } });
  const messageType = MessageType.MESSAGE_TYPE_NORMAL;
  one.execute({ createTopic: { name: "orders", messageType, queueCount: 1 } });
  const other = new TestMachine();
  other.machine.restore(one.machine.snapshot(), { offset: 100, index: 100, term: 1 } as never);

  expect(expireOffsets(one, "readers")).toEqual(expireOffsets(other, "readers"));
  expect([...other.machine.snapshot()]).toEqual([...one.machine.snapshot()]);
});

test("there is an end to groups that have offsets, and those that are there go on", () => {
  const machine = withTopic();
  for (let i = 0; i < GROUPS_MAX; i++) commit(machine, `g${i}`);

  const refused = commit(machine, "one-more");
  expect(refused.code).toBe("TOO_MANY");
  expect(refused.message).toContain("quorumlog group delete");
  expect(commit(machine, "g7", { queue: 1 }).code ?? "").toBe("");
  machine.execute({ deleteOffsets: { group: "g7", epoch: 0 } });
  expect(commit(machine, "one-more").code ?? "").toBe("");
}, 60_000);

async function offsetGroups(channel: RpcChannel): Promise<string[]> {
  return (await channel.call(OFFSETS_SERVICE.listOffsetGroups, {})).groups;
}

async function commitOnce(channel: RpcChannel, group: string): Promise<void> {
  const offsets = [{ ...QUEUE, offset: 1 }];
  const { errors } = await channel.call(OFFSETS_SERVICE.commit, { group, offsets });
  expect(errors[0]?.code ?? "").toBe("");
}

test("groups are forgotten where their queues are, but for those in use", async () => {
  const nameServer = await NameServer.open({ listen: "127.0.0.1:0" });
  onTestFinished(() => nameServer.close());
  const nameServers = [nameServer.address];
  const expired: string[] = [];
  const more = {
    groupRetentionMs: 1_000,
    onEvent: (event: BrokerEvent) => {
      if (event.type === "consumerGroupsExpired") expired.push(...event.groups);
    },
  };
  const first = await BrokerNodes.start(1, { nameServers, more });
  const second = await BrokerNodes.start(1, { groupId: 2, firstNodeId: 2, nameServers, more });
  const metadata = first.channel(await first.leaderId());
  const own = second.channel(2);
  const isRegistered = (): boolean => first.broker(1).group.machine.metadata.groups().length === 2;
  while (!isRegistered()) await pause(10);
  const { topicId } = await createTopic(metadata, { name: "orders", queueCount: 1, groupIds: [2] });
  expect(topicId).toBe(QUEUE.topicId);
  for (;;) {
    const { results } = await publish(own, { batches: [batchOf(QUEUE, ["a"])] });
    if (!results[0]?.error) break;
    await pause(50);
  }
  const call = metadata.duplex(COORDINATOR_SERVICE.join);
  call.on("error", () => undefined);
  call.on("data", () => undefined);
  onTestFinished(() => {
    call.cancel();
  });
  call.write({
    join: {
      group: "in-use",
      memberId: "a",
      mode: ConsumeMode.CONSUME_MODE_CLUSTERING,
      strategy: AssignmentStrategy.ASSIGNMENT_STRATEGY_STICKY,
      subscriptions: [{ topic: "orders", tagExpression: "*" }],
      sessionTimeoutMs: 60_000,
    },
  });
  const listed = async (): Promise<number> =>
    (await metadata.call(COORDINATOR_SERVICE.listGroups, {})).groups.length;
  while ((await listed()) < 1) await pause(20);
  await commitOnce(own, "in-use");
  await commitOnce(own, "dormant");

  while ((await offsetGroups(own)).includes("dormant")) await pause(100);
  expect(await offsetGroups(own)).toEqual(["in-use"]);
  expect(expired).toEqual(["dormant"]);
  // Silence is no reason while there are members.
  await pause(1_500);
  expect(await offsetGroups(own)).toEqual(["in-use"]);

  call.write({ isLeaving: true });
  while ((await listed()) > 0) await pause(100);
  while ((await offsetGroups(own)).length > 0) await pause(100);
  expect(expired.toSorted()).toEqual(["dormant", "in-use", "in-use"]);
}, 120_000);
