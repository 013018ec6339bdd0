// Goal: each member that the log has is minded, whatever became of its join, and nobody else is.
// Method: members as streams over real sockets; joins that are refused, that time out before they
// are committed, and that come before a new leader has begun.

import { COORDINATOR_SERVICE } from "@quorumlog/protocol";
import { expect, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { createTopic } from "./kit/calls.ts";
import { Member } from "./kit/member.ts";

/** The shortest that there is. */
const SESSION_TIMEOUT_MS = 6_000;

async function memberCount(nodes: BrokerNodes): Promise<number> {
  const channel = nodes.channel(await nodes.leaderId());
  const { groups } = await channel.call(COORDINATOR_SERVICE.listGroups, {});
  return groups.find(({ group }) => group === "readers")?.memberCount ?? -1;
}

test("a member that dies leaves, however many were refused", async () => {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(1);
  await nodes.leaderId();
  await createTopic(channel, { name: "orders" });
  const first = new Member(channel, "a", { sessionTimeoutMs: SESSION_TIMEOUT_MS });
  await first.until((member) => member.queues().length === 4);

  for (let done = 0; done < 1_200; done += 200) {
    const strangers = Array.from({ length: 200 }, (_, i) => {
      const memberId = `${done + i} `.padEnd(250, "x");
      return new Member(channel, memberId, {
        isOrderly: true,
        sessionTimeoutMs: SESSION_TIMEOUT_MS,
      });
    });
    await Promise.all(strangers.map((each) => each.until(({ failures }) => failures.length === 1)));
    for (const stranger of strangers) stranger.vanish();
    first.adopt();
  }
  first.vanish();

  await expect.poll(() => memberCount(nodes), { timeout: 50_000, interval: 200 }).toBe(0);
}, 120_000);

test("a member whose join timed out, and was committed, leaves if it is gone", async () => {
  const nodes = await BrokerNodes.start(3, {
    tuning: { electionMs: 20_000, heartbeatMs: 500, timeoutMs: 500 },
  });
  const leaderId = await nodes.leaderId();
  await createTopic(nodes.channel(leaderId), { name: "orders" });
  const others = [1, 2, 3].filter((nodeId) => nodeId !== leaderId);
  for (const nodeId of others) await nodes.kill(nodeId);

  const member = new Member(nodes.channel(leaderId), "a", {
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
  });
  await member.until(({ failures }) => failures.length === 1);
  for (const nodeId of others) await nodes.open(nodeId);

  await expect.poll(() => memberCount(nodes), { timeout: 20_000 }).toBe(1);
  await expect.poll(() => memberCount(nodes), { timeout: 50_000, interval: 200 }).toBe(0);
}, 120_000);

test("nobody is let in before a new leader knows who is there", async () => {
  const nodes = await BrokerNodes.start(3, { latencyMs: { min: 60, max: 60 } });
  const former = await nodes.leaderId();
  await createTopic(nodes.channel(former), { name: "orders" });
  const first = new Member(nodes.channel(former), "a");
  await first.until((member) => member.queues().length === 4);

  await nodes.kill(former);
  const heirs = [1, 2, 3].filter((nodeId) => nodeId !== former);
  const leaderOf = (): number | undefined =>
    heirs.find((nodeId) => nodes.broker(nodeId).group.isLeader);
  while (leaderOf() === undefined) await new Promise((resolve) => setImmediate(resolve));
  const leaderId = leaderOf() as number;
  const early = new Member(nodes.channel(leaderId), "a", { sessionId: 5 });
  await early.until((member) => member.failures.length + member.told.length > 0);

  expect(early.failures[0]).toMatchObject({ metadata: expect.anything() as unknown });
  expect(early.failures[0]?.message).toContain("has just begun to lead");
  await expect
    .poll(
      async () => {
        const again = new Member(nodes.channel(leaderId), "a", { sessionId: 5 });
        await again.until((member) => member.failures.length + member.told.length > 0);
        return again.queues().length;
      },
      { timeout: 20_000 },
    )
    .toBe(4);
}, 60_000);
