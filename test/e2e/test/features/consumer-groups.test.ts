// Goal: queues of both broker groups are shared by the members of a consumer group, which can be
// looked at, moved and deleted.
// Method: members in this process, and one as a process that is killed; leaders are killed.

import {
  type ConsumerGroupDescription,
  PushConsumer,
  type PushConsumerOptions,
} from "@quorumlog/client";
import { expect, test } from "vitest";
import { MemberProcess } from "../../src/consumption/member-process.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";
import { numbers, publishNumbers, sortedSet } from "../kit/publishing.ts";

const clusterOf = clusterOfFile();
const WAIT = { timeoutMs: 60_000 };

/** A member in this process, and the queues that it has by now. */
class Member implements AsyncDisposable {
  readonly seen: number[] = [];
  queues: readonly number[] = [];
  resets = 0;
  readonly #consumer: PushConsumer;

  private constructor(consumer: PushConsumer) {
    this.#consumer = consumer;
  }

  static async join(
    options: Pick<PushConsumerOptions, "consumerGroup" | "subscriptions"> &
      Partial<PushConsumerOptions>,
  ): Promise<Member> {
    const words: (() => void)[] = [];
    let member: Member | undefined;
    const heed = (word: (to: Member) => void): void => {
      if (member === undefined) words.push(() => word(member as Member));
      else word(member);
    };
    const consumer = await PushConsumer.open({
      nameServers: clusterOf().nameServers,
      commitIntervalMs: 100,
      listener: (message) => heed(({ seen }) => seen.push(Number(message.text()))),
      onEvent: (event) => {
        if (event.type === "reset") heed((to) => (to.resets += 1));
        if (event.type === "assigned")
          heed((to) => (to.queues = event.queues.map(({ queue }) => queue)));
      },
      ...options,
    });
    member = new Member(consumer);
    for (const word of words) word();
    return member;
  }

  close(): Promise<void> {
    return this.#consumer.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const mismatch = (part: string): object => ({
  code: "SUBSCRIPTION_MISMATCH",
  message: expect.stringContaining(part) as unknown,
});

async function untilGroup(
  group: string,
  isSo: (description: ConsumerGroupDescription) => boolean,
): Promise<ConsumerGroupDescription> {
  const admin = await clusterOf().admin();
  return clusterOf().until(`group ${group} is as it should be`, async () => {
    const description = await admin.describeConsumerGroup(group, WAIT);
    return isSo(description) ? description : undefined;
  });
}

/** By queue, who has it: `undefined` while somebody is not where it should be. */
function owners(members: Readonly<Record<string, Member>>): string[] | undefined {
  const all = Object.entries(members).flatMap(([name, { queues }]) =>
    queues.map((queue) => ({ name, queue })),
  );
  if (sortedSet(all.map(({ queue }) => queue)).length !== 8 || all.length !== 8) return undefined;
  return all.toSorted((a, b) => a.queue - b.queue).map(({ name }) => name);
}

const EXACT: Readonly<Record<string, readonly [string, string]>> = {
  average: ["aaaabbbb", "aaabbbcc"],
  circle: ["abababab", "abcabcab"],
};

test.each(["average", "circle", "consistent-hash", "sticky"] as const)(
  "queues are shared by strategy %s, and those that stay are not claimed anew",
  async (strategy) => {
    const cluster = clusterOf();
    const admin = await cluster.admin();
    await admin.createTopic({ name: "shared", queueCount: 8, isIdempotent: true });
    const consumerGroup = `by-${strategy}`;
    const join = (instanceId: string): Promise<Member> =>
      Member.join({ consumerGroup, subscriptions: { shared: "*" }, strategy, instanceId });
    const tokens = async (): Promise<(number | undefined)[]> =>
      (await admin.groupOffsets(consumerGroup, WAIT)).map(({ fencingToken }) => fencingToken);
    await using a = await join("a");
    await using b = await join("b");
    await untilGroup(consumerGroup, ({ memberCount }) => memberCount === 2);
    const former = await cluster.until("two have all queues", () => {
      const found = owners({ a, b });
      return new Set(found).size === 2 ? found : undefined;
    });
    const before = await tokens();
    await cluster.failOver();
    await using c = await join("c");
    const { members } = await untilGroup(consumerGroup, ({ memberCount }) => memberCount === 3);
    const wanted = new Map(
      members.flatMap(({ memberId, queues }) => queues.map(({ queue }) => [queue, memberId])),
    );
    const next = await cluster.until("three have what is theirs", () => {
      const found = owners({ a, b, c });
      return found?.every((name, queue) => wanted.get(queue) === name) === true ? found : undefined;
    });
    const after = await tokens();

    const [two, three] = EXACT[strategy] ?? [former.join(""), next.join("")];
    expect([former.join(""), next.join("")]).toEqual([two, three]);
    for (const queue of numbers(0, 8)) {
      const hasMoved = former[queue] !== next[queue];
      if (hasMoved && EXACT[strategy] === undefined) expect(next[queue]).toBe("c");
      if (hasMoved) expect(after[queue]).toBeGreaterThan(before[queue] ?? 0);
      else expect(after[queue]).toBe(before[queue]);
    }
  },
);

test("a member that differs is refused, and told in what", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "same", queueCount: 4 });
  const basic = { consumerGroup: "alike", subscriptions: { same: "x || y" } };
  await using first = await Member.join({ ...basic, instanceId: "a" });
  await cluster.failOver();
  const refusal = async (options: Partial<PushConsumerOptions>): Promise<unknown> => {
    try {
      await (await Member.join({ ...basic, ...options })).close();
      return undefined;
    } catch (error) {
      return error;
    }
  };

  expect(await refusal({ subscriptions: { same: "x" } })).toMatchObject(mismatch('"x || y"'));
  expect(await refusal({ strategy: "average" })).toMatchObject(mismatch("strategy sticky"));
  expect(await refusal({ order: "orderly" })).toMatchObject(mismatch("and not orderly"));
  expect(await refusal({ mode: "broadcasting" })).toMatchObject(mismatch("and not broadcasting"));
  expect(first.queues).toHaveLength(4);
});

test("whoever closes hands its queues over at once; whoever dies, after its session", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  const admin = await cluster.admin();
  await admin.createTopic({ name: "handed-over", queueCount: 4 });
  const basic = {
    nameServers,
    consumerGroup: "relay",
    subscriptions: { "handed-over": "*" },
    sessionTimeoutMs: 6_000,
    commitIntervalMs: 100,
  };
  const dying = await MemberProcess.start({ ...basic, instanceId: "dying" });
  await using staying = await Member.join({ ...basic, instanceId: "staying" });
  const closing = await Member.join({ ...basic, instanceId: "closing" });
  await publishNumbers({ nameServers, topic: "handed-over", from: 0, to: 100 });
  await untilGroup("relay", ({ lag }) => lag === 0);

  const closedAt = performance.now();
  await closing.close();
  await untilGroup("relay", ({ members }) => members.length === 2);
  const closedMs = performance.now() - closedAt;
  await dying.kill();
  await cluster.failOver();
  await publishNumbers({ nameServers, topic: "handed-over", from: 100, to: 200 });
  await cluster.until("what is left has all", () => staying.queues.length === 4 || undefined);
  await untilGroup("relay", ({ lag }) => lag === 0);

  expect(closedMs).toBeLessThan(basic.sessionTimeoutMs);
  const all = [...dying.bodies.map(Number), ...closing.seen, ...staying.seen];
  expect(sortedSet(all)).toEqual(numbers(0, 200));
});

test("a group that consumes is moved to another place, and goes on from there", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  const admin = await cluster.admin();
  await admin.createTopic({ name: "moved", queueCount: 4 });
  await publishNumbers({ nameServers, topic: "moved", from: 0, to: 200 });
  const basic = { consumerGroup: "movers", subscriptions: { moved: "*" } };
  await using a = await Member.join({ ...basic, instanceId: "a" });
  await using b = await Member.join({ ...basic, instanceId: "b" });
  await untilGroup("movers", ({ lag, memberCount }) => lag === 0 && memberCount === 2);
  const time = Date.now();
  await publishNumbers({ nameServers, topic: "moved", from: 200, to: 300 });
  await untilGroup("movers", ({ lag }) => lag === 0);
  const order = { group: "movers", topic: "moved", place: { timestamp: time } };
  const planned = await admin.resetOffsets({ ...order, isDryRun: true }, WAIT);
  for (const { seen } of [a, b]) seen.length = 0;

  const [moves] = await Promise.all([admin.resetOffsets(order, WAIT), cluster.failOver()]);
  await cluster.until("all since that time is there again", () => {
    const seen = sortedSet([...a.seen, ...b.seen]);
    return seen.length >= 100 || undefined;
  });
  await untilGroup("movers", ({ lag }) => lag === 0);

  expect(moves).toEqual(planned);
  expect(moves.map(({ from = 0, to }) => from - to).reduce((sum, n) => sum + n, 0)).toBe(100);
  expect(sortedSet([...a.seen, ...b.seen])).toEqual(numbers(200, 300));
  await expect(
    admin.resetOffsets({ group: "movers", topic: "moved", place: 10_000 }, WAIT),
  ).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
});

test("groups are listed, described and deleted", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  const admin = await cluster.admin();
  await admin.createTopic({ name: "listed", queueCount: 4 });
  await publishNumbers({ nameServers, topic: "listed", from: 0, to: 50 });
  const basic = { consumerGroup: "known", subscriptions: { listed: "*" } };
  const member = await Member.join({ ...basic, instanceId: "a" });
  await untilGroup("known", ({ lag }) => lag === 0);

  await cluster.failOver();
  const { members, queues } = await untilGroup("known", (known) => {
    return known.members.every(({ isConnected }) => isConnected);
  });
  await expect(admin.deleteConsumerGroup("known", WAIT)).rejects.toMatchObject({
    code: "GROUP_IN_USE",
  });
  await member.close();
  // That it leaves is told, and noted a moment later.
  await untilGroup("known", (known) => known.members.length === 0);
  await admin.deleteConsumerGroup("known", WAIT);

  expect(members).toMatchObject([{ memberId: "a", lag: 0 }]);
  expect(members[0]?.queues).toHaveLength(4);
  expect(queues.map(({ committedOffset, endOffset }) => committedOffset === endOffset)).toEqual([
    true,
    true,
    true,
    true,
  ]);
  const names = (await admin.listConsumerGroups(WAIT)).map(({ group }) => group);
  expect(names).not.toContain("known");
  expect(names).toContain("movers");
  await using again = await Member.join({ ...basic, instanceId: "a" });
  // Nothing is known of where it was.
  await cluster.until("all is there again", () => again.seen.length >= 50 || undefined);
});
