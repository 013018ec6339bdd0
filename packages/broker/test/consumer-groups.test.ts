// Goal: the queues of a group's topics are shared by its members, and move when members come and
// go.
// Method: members as streams over real sockets, to a group of one node.

import { COORDINATOR_SERVICE, type RpcChannel } from "@quorumlog/protocol";
import { AssignmentStrategy, ConsumeMode, type JoinRequest } from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { createTopic } from "./kit/calls.ts";
import { Member } from "./kit/member.ts";

async function started(): Promise<RpcChannel> {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  await createTopic(channel, { name: "orders" });
  return channel;
}

test("a second member gets half of the queues, once the first has given them up", async () => {
  const channel = await started();
  const first = new Member(channel, "a");
  await first.until((member) => member.queues().length === 4);

  const second = new Member(channel, "b");
  await first.until((member) => member.queues().length === 2);
  await second.until((member) => member.told.length === 1);
  expect(second.queues()).toEqual([]);
  first.adopt();
  await second.until((member) => member.queues().length === 2);

  expect([...first.queues(), ...second.queues()].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
});

test("whoever leaves gives everything up at once", async () => {
  const channel = await started();
  const first = new Member(channel, "a");
  await first.until((member) => member.queues().length === 4);
  const second = new Member(channel, "b");
  await second.until((member) => member.told.length === 1);

  first.leave();

  await second.until((member) => member.queues().length === 4);
});

test("a member that subscribes to something else is refused, and told the difference", async () => {
  const channel = await started();
  const first = new Member(channel, "a");
  await first.until((member) => member.told.length === 1);

  const other = new Member(channel, "b", {
    subscriptions: [{ topic: "orders", tagExpression: "x || y" }],
  });

  await other.until((member) => member.failures.length === 1);
  expect(other.failures[0]?.message).toContain('"orders" "*", and this member "x || y"');
});

test("another strategy, order or mode is refused, and the difference told", async () => {
  const channel = await started();
  const first = new Member(channel, "a");
  await first.until((member) => member.told.length === 1);
  const refusal = async (request: JoinRequest.$Properties): Promise<string> => {
    const other = new Member(channel, "b", request);
    await other.until((member) => member.failures.length === 1);
    return other.failures[0]?.message ?? "";
  };

  expect(
    await refusal({ strategy: AssignmentStrategy.ASSIGNMENT_STRATEGY_CONSISTENT_HASH }),
  ).toContain("assigned by strategy sticky, and not strategy consistent hash");
  expect(await refusal({ isOrderly: true })).toContain("consumes concurrently, and not orderly");
  expect(await refusal({ mode: ConsumeMode.CONSUME_MODE_BROADCASTING })).toContain(
    "consumes clustering, and not broadcasting",
  );
});

test("of two consumers with one member id, the later one stays", async () => {
  const channel = await started();
  const first = new Member(channel, "a", { sessionId: 1 });
  await first.until((member) => member.queues().length === 4);

  const second = new Member(channel, "a", { sessionId: 2 });

  await second.until((member) => member.queues().length === 4);
  await first.until((member) => member.failures.length === 1);
  expect(first.failures[0]?.message).toContain('another consumer has joined as "a"');
});

test("groups are listed and described; one that has members is not deleted", async () => {
  const channel = await started();
  const first = new Member(channel, "a");
  await first.until((member) => member.queues().length === 4);
  const { groups } = await channel.call(COORDINATOR_SERVICE.listGroups, {});
  const described = await channel.call(COORDINATOR_SERVICE.describeGroup, { group: "readers" });
  const refused = channel.call(COORDINATOR_SERVICE.deleteGroup, { group: "readers" });

  expect(groups).toMatchObject([{ group: "readers", memberCount: 1 }]);
  expect(described.members[0]?.queues?.map(({ queue }) => queue)).toEqual([0, 1, 2, 3]);
  expect(described.members[0]).toMatchObject({ memberId: "a", isConnected: true });
  await expect(refused).rejects.toMatchObject({ code: "GROUP_IN_USE" });

  first.leave();
  await expect
    .poll(async () => (await channel.call(COORDINATOR_SERVICE.listGroups, {})).groups[0])
    .toMatchObject({ memberCount: 0 });
  const { epoch } = await channel.call(COORDINATOR_SERVICE.deleteGroup, { group: "readers" });
  const again = new Member(channel, "a");
  await again.until((member) => member.told.length === 1);

  // Whatever the former group has claimed is older than what this one claims.
  expect(again.told[0]?.epoch).toBeGreaterThan(epoch);
});
