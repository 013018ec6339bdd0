// Goal: only whoever has claimed a queue last moves its offset, leases keep others from claiming
// it, and commits cost the log one record in a tick.
// Method: calls as clients make them, over real sockets, to a group of one node, or of three.

import { BROKER_SERVICE, OFFSETS_SERVICE, type RpcChannel } from "@quorumlog/protocol";
import type {
  ClaimedQueue,
  ClaimRequest,
  CommitRequest,
  ErrorDetail,
  GroupOffset,
} from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, createTopic, fetch, publish } from "./kit/calls.ts";

const QUEUE = { topicId: 1, queue: 0 };
const LEASE_MS = 1_000;

async function started(count = 1): Promise<{ nodes: BrokerNodes; channel: RpcChannel }> {
  const nodes = await BrokerNodes.start(count);
  const channel = nodes.channel(await nodes.leaderId());
  await createTopic(channel, { name: "orders" });
  await publish(channel, { requestId: 1, batches: [batchOf(QUEUE, ["a", "b", "c"])] });
  return { nodes, channel };
}

async function claim(
  channel: RpcChannel,
  request: ClaimRequest.$Properties = {},
): Promise<ClaimedQueue.$Properties> {
  const basic = { group: "readers", memberId: "a", epoch: 1, queues: [QUEUE] };
  const { queues } = await channel.call(OFFSETS_SERVICE.claim, { ...basic, ...request });
  return queues[0] ?? {};
}

async function commit(
  channel: RpcChannel,
  place: { readonly offset?: number; readonly fencingToken: number },
  request: CommitRequest.$Properties = {},
): Promise<ErrorDetail.$Properties> {
  const offsets = [{ ...QUEUE, ...place }];
  const basic = { group: "readers", memberId: "a", epoch: 1, offsets };
  const { errors } = await channel.call(OFFSETS_SERVICE.commit, { ...basic, ...request });
  return errors[0] ?? {};
}

async function progress(channel: RpcChannel): Promise<GroupOffset.$Properties> {
  const { offsets } = await channel.call(OFFSETS_SERVICE.getOffsets, { group: "readers" });
  return offsets[0] ?? {};
}

async function pagesOf<Reply extends { readonly nextPage: string }>(
  ask: (page: string) => Promise<Reply>,
): Promise<Reply[]> {
  const first = await ask("");
  const replies = [first];
  for (let { nextPage } = first; nextPage !== "";) {
    const reply = await ask(nextPage);
    replies.push(reply);
    ({ nextPage } = reply);
  }
  return replies;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  await expect.poll(condition, { timeout: 20_000, interval: 20 }).toBe(true);
}

test("behind a newer claim, an older token commits and fetches no more", async () => {
  const { channel } = await started();
  const { fencingToken: former = 0 } = await claim(channel);
  const token = former ?? 0;
  expect((await commit(channel, { offset: 2, fencingToken: token })).code).toBe("");

  const { fencingToken: next } = await claim(channel, { memberId: "b", epoch: 2 });
  const position = { ...QUEUE, offset: 0, fencingToken: token };
  const request = { requestId: 1, consumerGroup: "readers", positions: [position] };
  const fetched = await fetch(channel, request);

  expect(next).toBeGreaterThan(token);
  expect((await commit(channel, { offset: 3, fencingToken: token })).code).toBe(
    "STALE_FENCING_TOKEN",
  );
  expect(fetched.queues[0]?.error?.code).toBe("STALE_FENCING_TOKEN");
  expect((await claim(channel, { epoch: 1 })).error?.code).toBe("STALE_EPOCH");
  expect(await progress(channel)).toMatchObject({ committedOffset: 2, fencingToken: next });
});

test("beyond its end nothing is committed, and the range is told", async () => {
  const { channel } = await started();

  const refused = await commit(channel, { offset: 4, fencingToken: 0 }, { epoch: 0 });

  expect(refused).toMatchObject({
    code: "OFFSET_OUT_OF_RANGE",
    range: { firstOffset: 0, nextOffset: 3 },
  });
  expect((await commit(channel, { offset: 3, fencingToken: 0 }, { epoch: 0 })).code).toBe("");
});

test("a leased queue is nobody else's, until the lease is over or given up", async () => {
  const { channel } = await started();
  const first = await claim(channel, { leaseMs: LEASE_MS });
  const others = { memberId: "b", epoch: 2, leaseMs: LEASE_MS };

  const refused = await claim(channel, others);
  expect(refused.error?.code).toBe("QUEUE_LEASED");
  expect(refused.error?.retryAfterMs).toBeGreaterThan(0);
  expect(refused.error?.retryAfterMs).toBeLessThanOrEqual(LEASE_MS);
  expect((await progress(channel)).leaseMemberId).toBe("a");
  await until(async () => (await claim(channel, others)).error === null);

  // Whoever was stopped meanwhile hears that it is too late.
  const token = first.fencingToken ?? 0;
  const late = await commit(channel, { offset: 1, fencingToken: token }, { leaseMs: LEASE_MS });
  expect(late.code).toBe("STALE_FENCING_TOKEN");
  const { fencingToken = 0 } = await progress(channel);
  const release = { memberId: "b", epoch: 2, isRelease: true };
  await commit(channel, { offset: 1, fencingToken: fencingToken ?? 0 }, release);
  expect((await claim(channel, { epoch: 3, leaseMs: LEASE_MS })).error).toBeNull();
});

test("a lease that is renewed stays, for as long as it is", async () => {
  const { channel } = await started();
  const { fencingToken } = await claim(channel, { leaseMs: LEASE_MS });
  const end = Date.now() + 2 * LEASE_MS;
  while (Date.now() < end) {
    const renewed = await commit(channel, { fencingToken: fencingToken ?? 0 }, { leaseMs: 5_000 });
    expect(renewed.code).toBe("");
  }

  const refused = await claim(channel, { memberId: "b", epoch: 2, leaseMs: LEASE_MS });

  expect(refused.error?.code).toBe("QUEUE_LEASED");
  expect((await progress(channel)).committedOffset).toBe(-1);
});

test("a new leader grants leases their whole length again", async () => {
  const { nodes, channel } = await started(3);
  const leaseMs = 3_000;
  const { fencingToken } = await claim(channel, { leaseMs });
  const { leasedUntilMs: former } = await progress(channel);
  await nodes.kill(await nodes.leaderId());
  const next = nodes.channel(await nodes.leaderId());
  await until(async () => {
    try {
      return Number((await progress(next)).leasedUntilMs) > Number(former);
    } catch {
      // It does not lead yet.
      return false;
    }
  });

  // By the former leader's grant the lease would be over by then.
  const left = Number(former) - Date.now();
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, left)));
  const token = fencingToken ?? 0;
  expect((await commit(next, { offset: 1, fencingToken: token }, { leaseMs })).code).toBe("");
});

test("commits of many members are one record of the log in a tick", async () => {
  const { nodes, channel } = await started();
  const { replica } = nodes.broker(1).group;
  const { nextOffset: before } = replica.status();
  const count = 500;
  const commits = Array.from({ length: count }, (_, i) =>
    channel.call(OFFSETS_SERVICE.commit, {
      group: `group-${i}`,
      memberId: "a",
      epoch: 1,
      offsets: [{ ...QUEUE, offset: i % 3, fencingToken: 0 }],
    }),
  );
  const answers = await Promise.all(commits);

  expect(answers.every(({ errors }) => errors[0]?.code === "")).toBe(true);
  expect(replica.status().nextOffset - before).toBeLessThan(count / 10);
  const { groups } = await channel.call(OFFSETS_SERVICE.listOffsetGroups, {});
  expect(groups).toHaveLength(count);
});

test("a reset fences whoever has the queue, and moves all of its queues or none", async () => {
  const { channel } = await started();
  const { fencingToken } = await claim(channel);
  const token = fencingToken ?? 0;
  await commit(channel, { offset: 3, fencingToken: token });
  const reset = (offset: number, other: number): Promise<unknown> =>
    channel.call(OFFSETS_SERVICE.resetOffsets, {
      group: "readers",
      offsets: [
        { ...QUEUE, offset },
        { topicId: 1, queue: 1, offset: other },
      ],
    });

  await expect(reset(0, 1)).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
  expect((await progress(channel)).committedOffset).toBe(3);
  await reset(1, 0);

  expect((await commit(channel, { offset: 3, fencingToken: token })).code).toBe(
    "STALE_FENCING_TOKEN",
  );
  // The same member, under the same assignment, goes on from the new place.
  expect(await claim(channel)).toMatchObject({ committedOffset: 1 });
});

test("a reset that does not say where to is refused, and moves nothing", async () => {
  const { channel } = await started();
  const { fencingToken } = await claim(channel);
  await commit(channel, { offset: 3, fencingToken: fencingToken ?? 0 });

  const reset = channel.call(OFFSETS_SERVICE.resetOffsets, {
    group: "readers",
    offsets: [
      { topicId: 1, queue: 1, offset: 0 },
      { topicId: 1, queue: 0 },
    ],
  });

  await expect(reset).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    problems: [{ field: "offsets[1].offset" }],
  });
  expect((await progress(channel)).committedOffset).toBe(3);
});

test("long lists come page by page, each row once", async () => {
  const { nodes, channel } = await started();
  const topics = await Promise.all(
    ["a", "b", "c"].map((name) => createTopic(channel, { name, queueCount: 1_024 })),
  );
  const offsets = topics.flatMap(({ topicId }) =>
    Array.from({ length: 1_024 }, (_, queue) => ({ topicId, queue, offset: 0 })),
  );
  await channel.call(OFFSETS_SERVICE.resetOffsets, { group: "readers", offsets });
  for (const memberId of ["x", "x/y"])
    await claim(channel, { memberId, isOwnProgress: true, queues: offsets });
  const { group } = nodes.broker(1);
  const names = Array.from({ length: 2_500 }, (_, i) => `group-${i}`);
  await Promise.all(
    names.map((name) =>
      group.execute({ resetOffsets: { group: name, offsets: [{ ...QUEUE, offset: 0 }] } }),
    ),
  );

  const offsetPages = await pagesOf((page) =>
    channel.call(OFFSETS_SERVICE.getOffsets, { group: "readers", page }),
  );
  const groupPages = await pagesOf((page) =>
    channel.call(OFFSETS_SERVICE.listOffsetGroups, { page }),
  );
  const places = offsetPages
    .flatMap((reply) => reply.offsets)
    .map((one) => `${one.memberId}:${one.topicId}/${one.queue}`);
  const found = groupPages.flatMap((reply) => reply.groups);

  for (const reply of offsetPages) expect(reply.offsets.length).toBeLessThanOrEqual(2_000);
  for (const reply of groupPages) expect(reply.groups.length).toBeLessThanOrEqual(2_000);
  expect(places.length).toBe(3 * offsets.length);
  expect(new Set(places).size).toBe(places.length);
  expect(found.toSorted()).toEqual([...names, "readers"].toSorted());
  const none = channel.call(OFFSETS_SERVICE.getOffsets, { group: "readers", page: "x" });
  await expect(none).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("broadcasting members have progress of their own; a group is forgotten", async () => {
  const { channel } = await started();
  for (const [i, memberId] of ["a", "b"].entries()) {
    const own = { memberId, isOwnProgress: true };
    const { fencingToken } = await claim(channel, own);
    await commit(channel, { offset: i + 1, fencingToken: fencingToken ?? 0 }, own);
  }
  const { offsets } = await channel.call(OFFSETS_SERVICE.getOffsets, { group: "readers" });
  expect(offsets.map(({ memberId, committedOffset }) => [memberId, committedOffset])).toEqual([
    ["a", 1],
    ["b", 2],
  ]);

  await channel.call(OFFSETS_SERVICE.deleteOffsets, { group: "readers", epoch: 1 });

  const left = await channel.call(OFFSETS_SERVICE.getOffsets, { group: "readers" });
  expect(left.offsets).toEqual([]);
});

test("what is committed is there after a restart; tokens do not go back", async () => {
  const { nodes, channel } = await started();
  const { fencingToken } = await claim(channel, { leaseMs: LEASE_MS });
  await commit(channel, { offset: 2, fencingToken: fencingToken ?? 0 });
  await nodes.kill(1);
  await nodes.open(1);
  await nodes.leaderId();
  const next = nodes.channel(1);

  expect(await progress(next)).toMatchObject({ committedOffset: 2, fencingToken });
  await until(async () => {
    try {
      return Number((await claim(next, { epoch: 2 })).fencingToken) > Number(fencingToken);
    } catch {
      return false;
    }
  });
  const where = await next.call(BROKER_SERVICE.queryOffsets, { ...QUEUE, storeTimestampMs: -1 });
  expect(where.endOffset).toBe(3);
});

test("commits that come at once are more records, if one would be too large", async () => {
  // A record has a quarter of a MiB, and a segment four times as much.
  const { channel } = await started();
  const commits = Array.from({ length: 2_000 }, (_, i) =>
    commit(
      channel,
      { offset: 1, fencingToken: 0 },
      { group: `readers-${i}`.padEnd(120, "x"), memberId: "m".repeat(250) },
    ),
  );

  const errors = await Promise.all(commits);

  expect(errors.filter(({ code }) => code !== "")).toEqual([]);
});
