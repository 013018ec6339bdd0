// Goal: an orderly queue is one member's at a time, also when that stands still or leaders die.
// Method: members as processes that are stopped by SIGSTOP; leaders of both groups are killed.

import type { Admin, ConsumerGroupDescription } from "@quorumlog/client";
import { expect, test } from "vitest";
import { MemberProcess } from "../../src/consumption/member-process.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";
import { numbers, publishNumbers, sortedSet } from "../kit/publishing.ts";

const clusterOf = clusterOfFile();
const SESSION_MS = 6_000;

function memberOf(topic: string, instanceId: string, listenMs = 0): Promise<MemberProcess> {
  return MemberProcess.start({
    nameServers: clusterOf().nameServers,
    consumerGroup: `of-${topic}`,
    subscriptions: { [topic]: "*" },
    order: "orderly",
    sessionTimeoutMs: SESSION_MS,
    commitIntervalMs: 100,
    instanceId,
    listenMs,
  });
}

async function untilGroup(
  admin: Admin,
  group: string,
  isSo: (description: ConsumerGroupDescription) => boolean,
): Promise<ConsumerGroupDescription> {
  return clusterOf().until(`group ${group} is as it should be`, async () => {
    const description = await admin.describeConsumerGroup(group, { timeoutMs: 30_000 });
    return isSo(description) ? description : undefined;
  });
}

test("a member that stands still loses its queues, and commits nothing afterwards", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  const admin = await cluster.admin();
  await admin.createTopic({ name: "stopped", queueCount: 4 });
  const a = await memberOf("stopped", "a", 10);
  await publishNumbers({ nameServers, topic: "stopped", from: 0, to: 400 });
  await cluster.until("a is at work", () => a.handedOut.length > 40 || undefined);
  // In the middle of a message of each queue.
  a.pause();
  const b = await memberOf("stopped", "b");
  try {
    await cluster.failOver();
    await untilGroup(admin, "of-stopped", ({ lag }) => lag === 0);
    const former = a.handedOut.length;
    const before = await admin.groupOffsets("of-stopped");
    a.resume();
    await untilGroup(admin, "of-stopped", ({ members }) =>
      members.every(({ queues, isConnected }) => isConnected && queues.length === 2),
    );
    await publishNumbers({ nameServers, topic: "stopped", from: 400, to: 600 });
    await untilGroup(admin, "of-stopped", ({ lag }) => lag === 0);
    const after = await admin.groupOffsets("of-stopped");

    // Whatever a finished as it went on was b's by then: at most what it was in the middle of.
    const tokensOfB = new Map(b.handedOut.map((each) => [each.queue, each.fencingToken]));
    const stale = a.handedOut
      .slice(former)
      .filter(({ queue, fencingToken }) => fencingToken < (tokensOfB.get(queue) ?? 0));
    expect(stale.length).toBeLessThanOrEqual(4);
    expect(before.map(({ lag }) => lag)).toEqual([0, 0, 0, 0]);
    for (const [i, { committedOffset = 0 }] of before.entries())
      expect(after[i]?.committedOffset).toBeGreaterThanOrEqual(committedOffset);
    const all = [...a.bodies, ...b.bodies].map(Number);
    expect(sortedSet(all)).toEqual(numbers(0, 600));
  } finally {
    await Promise.all([a.kill(), b.kill()]);
  }
});

test("leases outlive leaders: queues stay with their member, under the same token", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  const admin = await cluster.admin();
  await admin.createTopic({ name: "leased", queueCount: 4 });
  const a = await memberOf("leased", "a");
  try {
    await publishNumbers({ nameServers, topic: "leased", from: 0, to: 100 });
    await untilGroup(admin, "of-leased", ({ lag }) => lag === 0);
    const before = await admin.groupOffsets("of-leased");

    await cluster.failOver();
    await publishNumbers({ nameServers, topic: "leased", from: 100, to: 200 });
    await untilGroup(admin, "of-leased", ({ lag }) => lag === 0);
    const after = await admin.groupOffsets("of-leased");

    expect(before.every(({ lease }) => lease?.memberId === "a")).toBe(true);
    expect(after.map(({ fencingToken }) => fencingToken)).toEqual(
      before.map(({ fencingToken }) => fencingToken),
    );
    expect(after.every(({ lease }) => lease?.memberId === "a")).toBe(true);
    expect(sortedSet(a.bodies.map(Number))).toEqual(numbers(0, 200));
  } finally {
    await a.kill();
  }
});

test("messages of one group are handed out in order, through every change of hands", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  const admin = await cluster.admin();
  await admin.createTopic({ name: "in-order", queueCount: 4 });
  const a = await memberOf("in-order", "a");
  const publishing = publishNumbers({ nameServers, topic: "in-order", from: 0, to: 2_000 });
  await cluster.until("a is at work", () => a.handedOut.length > 10 || undefined);
  const b = await memberOf("in-order", "b");
  try {
    await cluster.failOver();
    await publishing;
    await a.close();
    await publishNumbers({ nameServers, topic: "in-order", from: 2_000, to: 2_200 });
    await untilGroup(admin, "of-in-order", ({ lag }) => lag === 0);

    for (const member of [a, b]) {
      const places = new Map<string, number>();
      for (const { queue, offset, fencingToken } of member.handedOut) {
        // Under one token an offset follows the one before it, and none is left out.
        const name = `${queue} ${fencingToken}`;
        const former = places.get(name);
        if (former !== undefined) expect(offset).toBe(former + 1);
        places.set(name, offset);
      }
    }
    expect(sortedSet([...a.bodies, ...b.bodies].map(Number))).toEqual(numbers(0, 2_200));
  } finally {
    await Promise.all([a.kill(), b.kill()]);
  }
});
