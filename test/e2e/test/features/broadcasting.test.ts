// Goal: every member of a broadcasting group consumes everything, and goes on where it was.
// Method: members as processes, one of which is ended and started again; leaders are killed.

import { expect, test } from "vitest";
import { MemberProcess } from "../../src/consumption/member-process.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";
import { numbers, publishNumbers, sortedSet } from "../kit/publishing.ts";

const clusterOf = clusterOfFile();

test("each broadcasting member consumes all, and goes on where it was", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  const admin = await cluster.admin();
  const topic = "told-to-all";
  await admin.createTopic({ name: topic, queueCount: 4 });
  const start = (instanceId: string): Promise<MemberProcess> =>
    MemberProcess.start({
      nameServers,
      consumerGroup: "all",
      subscriptions: { [topic]: "*" },
      mode: "broadcasting",
      commitIntervalMs: 100,
      instanceId,
    });
  const untilSeen = (member: MemberProcess, count: number): Promise<true> =>
    cluster.until(`${count} messages are seen`, () => {
      return sortedSet(member.bodies.map(Number)).length >= count || undefined;
    });
  const [a, b] = await Promise.all([start("a"), start("b")]);
  await publishNumbers({ nameServers, topic, from: 0, to: 100 });
  await Promise.all([untilSeen(a, 100), untilSeen(b, 100)]);
  await a.close();
  await cluster.failOver();
  await publishNumbers({ nameServers, topic, from: 100, to: 200 });
  await untilSeen(b, 200);
  const again = await start("a");
  try {
    await untilSeen(again, 100);
    const offsets = await admin.groupOffsets("all", { timeoutMs: 60_000 });

    expect(sortedSet(again.bodies.map(Number))).toEqual(numbers(100, 200));
    expect(sortedSet(b.bodies.map(Number))).toEqual(numbers(0, 200));
    const own = new Map(offsets.map(({ memberId, queue, lag }) => [`${memberId}/${queue}`, lag]));
    expect([...own.keys()].toSorted()).toEqual(
      ["a", "b"].flatMap((name) => numbers(0, 4).map((queue) => `${name}/${queue}`)),
    );
  } finally {
    await Promise.all([again.kill(), b.kill()]);
  }
});
