// Goal: what is published through the port is stored, once, and fetched again as it was encoded.
// Method: a group of one node, and calls as a client makes them, over a real socket.

import {
  ADMIN_SERVICE,
  BROKER_SERVICE,
  RecordBatchBuilder,
  type RpcChannel,
} from "@quorumlog/protocol";
import { Durability, type FetchReply } from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";

async function started(): Promise<{ readonly topicId: number; readonly channel: RpcChannel }> {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders" });
  return { topicId, channel };
}

test("what is published is fetched, in order, from any offset", async () => {
  const { channel, topicId } = await started();

  const reply = await publish(channel, {
    requestId: 5,
    durability: Durability.DURABILITY_QUORUM,
    batches: [
      batchOf({ topicId, queue: 0 }, ["a", "b"]),
      batchOf({ topicId, queue: 1 }, ["c"]),
      batchOf({ topicId, queue: 0 }, ["d"]),
    ],
  });

  expect(reply.error).toBeNull();
  expect(reply.requestId).toBe(5);
  expect(reply.results.map(({ baseOffset }) => baseOffset)).toEqual([0, 0, 2]);
  const first = await fetch(channel, { positions: [{ topicId, queue: 0, offset: 0 }] });
  expect(bodiesOf(first)).toEqual(["a", "b", "d"]);
  expect(first.queues[0]?.nextOffset).toBe(3);
  const later = await fetch(channel, { positions: [{ topicId, queue: 0, offset: 2 }] });
  expect(bodiesOf(later)).toEqual(["d"]);
});

test("a repeated batch is stored once, and keeps its offset", async () => {
  const { channel, topicId } = await started();
  const batches = [batchOf({ topicId, queue: 0, sequence: 1 }, ["once"])];

  const first = await publish(channel, { batches });
  const second = await publish(channel, { batches });

  expect(first.results[0]).toMatchObject({ baseOffset: 0, isDuplicate: false });
  expect(second.results[0]).toMatchObject({
    baseOffset: 0,
    isDuplicate: true,
    storeTimestampMs: first.results[0]?.storeTimestampMs,
  });
  const stored = await fetch(channel, { positions: [{ topicId, queue: 0, offset: 0 }] });
  expect(bodiesOf(stored)).toEqual(["once"]);
});

test("a batch that is stored is a duplicate, also of a topic that takes no more", async () => {
  const { channel, topicId } = await started();
  const batches = [batchOf({ topicId, queue: 0, sequence: 1 }, ["once"])];
  await publish(channel, { batches });

  await channel.call(ADMIN_SERVICE.alterTopic, { name: "orders", isWritable: false });
  const again = await publish(channel, { batches });
  const next = await publish(channel, {
    batches: [batchOf({ topicId, queue: 0, sequence: 2 }, ["twice"])],
  });

  expect(again.results[0]).toMatchObject({ baseOffset: 0, isDuplicate: true, error: null });
  expect(next.results[0]?.error?.code).toBe("TOPIC_NOT_WRITABLE");
});

test("a batch that the log has no room for is refused with what is too large", async () => {
  const { channel, topicId } = await started();
  const bodies = ["a", "b", "c"].map((letter) => letter.repeat(200_000));

  const reply = await publish(channel, { batches: [batchOf({ topicId, queue: 0 }, bodies)] });
  const alone = await publish(channel, { batches: [batchOf({ topicId, queue: 0 }, ["a"])] });

  expect(reply.error).toMatchObject({
    code: "MESSAGE_TOO_LARGE",
    message: expect.stringContaining("batchBytes is too large for the broker's segmentBytes"),
  });
  expect(alone.results[0]).toMatchObject({ baseOffset: 0 });
});

test("a fetch at the end waits for what comes", async () => {
  const { channel, topicId } = await started();

  const waiting = fetch(channel, {
    positions: [{ topicId, queue: 2, offset: 0 }],
    waitMs: 20_000,
  });
  await publish(channel, { batches: [batchOf({ topicId, queue: 2 }, ["at last"])] });

  expect(bodiesOf(await waiting)).toEqual(["at last"]);
});

test("batches without a wanted tag are passed over, and not fetched again", async () => {
  const { channel, topicId } = await started();
  const place = { topicId, queue: 0 };
  await publish(channel, {
    batches: [batchOf(place, ["1"], "a"), batchOf(place, ["2"], "b"), batchOf(place, ["3"])],
  });

  const reply = await fetch(channel, { positions: [{ ...place, offset: 0, tags: ["b", "c"] }] });

  expect(bodiesOf(reply)).toEqual(["2"]);
  expect(reply.queues[0]?.nextOffset).toBe(3);
});

test("a tag is itself, and none that begins like it", async () => {
  const { channel, topicId } = await started();
  const place = { topicId, queue: 0 };
  const tags = ["a", "ab", "b", "A"];
  await publish(channel, { batches: tags.map((tag) => batchOf(place, [tag], tag)) });

  const fetched = await Promise.all(
    tags.map((tag) => fetch(channel, { positions: [{ ...place, offset: 0, tags: [tag] }] })),
  );

  expect(fetched.map(bodiesOf)).toEqual([["a"], ["ab"], ["b"], ["A"]]);
});

test("what does not fit into one answer comes in the next ones", async () => {
  const { channel, topicId } = await started();
  const place = { topicId, queue: 0 };
  const bodies = Array.from({ length: 5 }, (_, i) => `${i}`.repeat(1_000));
  await publish(channel, { batches: bodies.map((body) => batchOf(place, [body])) });

  const fetched: string[] = [];
  for (let offset = 0; offset < bodies.length;) {
    const reply = await fetch(channel, { positions: [{ ...place, offset }], bytesMax: 2_500 });
    fetched.push(...bodiesOf(reply));
    offset = reply.queues[0]?.nextOffset ?? Number.POSITIVE_INFINITY;
  }

  expect(fetched).toEqual(bodies);
});

test("a topic without permission takes nothing, and gives nothing", async () => {
  const { channel, topicId } = await started();
  const place = { topicId, queue: 0 };
  const alter = (flags: { isWritable?: boolean; isReadable?: boolean }): Promise<unknown> =>
    channel.call(ADMIN_SERVICE.alterTopic, { name: "orders", ...flags });
  await publish(channel, { batches: [batchOf(place, ["before"])] });

  await alter({ isWritable: false, isReadable: false });
  const written = await publish(channel, { batches: [batchOf(place, ["x"])] });
  const read = await fetch(channel, { positions: [{ ...place, offset: 0 }] });
  await alter({ isWritable: true, isReadable: true });

  expect(written.results[0]?.error?.code).toBe("TOPIC_NOT_WRITABLE");
  expect(read.queues[0]?.error?.code).toBe("TOPIC_NOT_READABLE");
  const after = await fetch(channel, { positions: [{ ...place, offset: 0 }] });
  expect(bodiesOf(after)).toEqual(["before"]);
});

test("what lies, or is not there, is refused by its name, and nothing is stored", async () => {
  const { channel, topicId } = await started();
  const damaged = batchOf({ topicId, queue: 0 }, ["x"]);
  damaged[damaged.length - 1] = (damaged.at(-1) as number) ^ 1;

  const lie = await publish(channel, {
    batches: [batchOf({ topicId, queue: 0 }, ["y"]), damaged],
  });
  const unknown = await publish(channel, {
    batches: [batchOf({ topicId: topicId + 1, queue: 0 }, ["z"])],
  });
  const queue = await publish(channel, { batches: [batchOf({ topicId, queue: 99 }, ["z"])] });

  expect(lie.error?.code).toBe("INVALID_BATCH");
  expect(unknown.results[0]?.error?.code).toBe("UNKNOWN_TOPIC");
  // For clients, whose routes may be newer, or older.
  expect(unknown.results[0]?.error?.metadataVersion).toBeGreaterThan(0);
  expect(queue.results[0]?.error?.code).toBe("UNKNOWN_QUEUE");
  const out = await fetch(channel, { positions: [{ topicId, queue: 0, offset: 4 }] });
  expect(out.queues[0]?.error?.code).toBe("OFFSET_OUT_OF_RANGE");
  expect(out.queues[0]?.error?.range).toMatchObject({ firstOffset: 0, nextOffset: 0 });
});

test("a message is found by its key, and by the time it was stored", async () => {
  const { channel, topicId } = await started();
  const builder = new RecordBatchBuilder();
  builder.add({ body: Buffer.from("found"), bornTimestamp: 1, keys: ["order 7"] });
  const place = { topicId, queue: 1, messageType: 1 };
  const batch = builder.build({ ...place, producerId: 0, producerEpoch: 0, sequence: 0 });
  await publish(channel, { batches: [batchOf({ topicId, queue: 1 }, ["before"]), batch] });

  const byKey = await channel.call(BROKER_SERVICE.queryByKey, { topicId, key: "order 7" });
  const other = await channel.call(BROKER_SERVICE.queryByKey, { topicId, key: "order 8" });
  const atTime = await channel.call(BROKER_SERVICE.queryOffsets, {
    topicId,
    queue: 1,
    storeTimestampMs: 0,
  });

  expect(bodiesOf(byKey as unknown as FetchReply)).toEqual(["found"]);
  expect(byKey.queues[0]).toMatchObject({ queue: 1, nextOffset: 2 });
  expect(other.queues).toEqual([]);
  expect(atTime).toMatchObject({ firstOffset: 0, endOffset: 2, offsetAtTime: 0 });
});
