// Goal: bytes that a broken producer has stored stop a queue with a word on where, or are skipped
// one by one; they are never handed out, and hide nothing else.
// Method: batches whose checksum is right and whose records are none, in a real broker group.

import { crc32 } from "node:zlib";
import { BROKER_SERVICE, RecordBatchBuilder, RpcChannel } from "@quorumlog/protocol";
import { Outcome, type PublishReply } from "@quorumlog/protocol/messages";
import { expect, onTestFinished, test } from "vitest";
import {
  Admin,
  PullConsumer,
  type PullConsumerEvent,
  type PullConsumerOptions,
  PushConsumer,
  type PushConsumerEvent,
  type PushConsumerOptions,
  type UndecodableMessages,
} from "../src/index.ts";
import { RealCluster } from "./kit/real-cluster.ts";

const NOT_APPLIED = Outcome.OUTCOME_NOT_APPLIED;
const CHECKSUM_AT = 0;
const SUMMED_FROM = 4;
const HEADER_BYTES = 56;
const FLAGS_AT = 4;
const RECORD_BYTES = 9;
const FLAGS_NONE_HAS = 0x90;

interface Opened {
  readonly nameServers: readonly string[];
  readonly admin: Admin;
  readonly topicId: number;
  /** Stores bytes as they are, in queue 0. */
  readonly store: (bytes: Buffer) => Promise<void>;
}

async function opened(): Promise<Opened> {
  const cluster = await RealCluster.open();
  const { nameServers } = cluster;
  const admin = await Admin.open({ nameServers });
  onTestFinished(() => admin.close());
  const { topicId } = await admin.createTopic({ name: "orders", queueCount: 1 });
  const store = async (bytes: Buffer): Promise<void> => {
    for (;;) {
      const nodeId = await cluster.leaderId();
      const address = admin.cluster().groups[0]?.addresses.get(nodeId) ?? "";
      const reply = await publishTo(address, bytes);
      // The node that led a moment ago may not lead any more, on a machine that is busy.
      if (reply.error?.outcome === NOT_APPLIED) continue;
      // What is in it is nobody's to look at but its consumers'.
      expect(reply.results).toMatchObject([{ error: null }]);
      return;
    }
  };
  return { nameServers, admin, topicId, store };
}

async function publishTo(address: string, bytes: Buffer): Promise<PublishReply> {
  const channel = new RpcChannel({ address });
  const stream = channel.duplex(BROKER_SERVICE.publish);
  try {
    return await new Promise<PublishReply>((resolve, reject) => {
      stream.on("data", resolve);
      stream.on("error", reject);
      stream.write({ requestId: 1, batches: [bytes] });
    });
  } finally {
    stream.end();
    channel.close();
  }
}

function batch(topicId: number, bodies: readonly string[], compress = false): Buffer {
  const builder = new RecordBatchBuilder();
  for (const body of bodies) builder.add({ body: Buffer.from(body), bornTimestamp: 1 });
  const nobody = { producerId: 0, producerEpoch: 0, sequence: 0 };
  return builder.build({ topicId, queue: 0, messageType: 1, ...nobody }, { compress });
}

function summed(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(crc32(bytes.subarray(SUMMED_FROM)), CHECKSUM_AT);
  return bytes;
}

/** One of its records, of bodies of one byte, has flags that no record has. */
function withBadRecord(bytes: Buffer, number: number): Buffer {
  bytes.writeUInt8(FLAGS_NONE_HAS, HEADER_BYTES + number * (RECORD_BYTES + 1) + FLAGS_AT);
  return summed(bytes);
}

/** What is compressed in it is not. */
function withBadPacking(bytes: Buffer): Buffer {
  bytes.fill(0xff, HEADER_BYTES);
  return summed(bytes);
}

/** Offsets 0 to 9: 3 is a record that is none, 5 to 7 cannot be unpacked. */
async function storePoison({ topicId, store }: Opened): Promise<void> {
  await store(batch(topicId, ["0", "1"]));
  await store(withBadRecord(batch(topicId, ["2", "3", "x"]), 1));
  const long = ["5", "6", "7"].map((text) => text.repeat(1_000));
  await store(withBadPacking(batch(topicId, long, true)));
  await store(batch(topicId, ["8", "9"]));
}

async function pullConsumer(
  { nameServers }: Opened,
  options: Partial<PullConsumerOptions>,
): Promise<PullConsumer> {
  const consumer = await PullConsumer.open({ nameServers, ...options });
  onTestFinished(() => consumer.close());
  await consumer.assign([{ topic: "orders", queue: 0 }]);
  return consumer;
}

async function pushed(
  { nameServers }: Opened,
  options: Partial<PushConsumerOptions>,
): Promise<{ texts: string[]; events: PushConsumerEvent[] }> {
  const texts: string[] = [];
  const events: PushConsumerEvent[] = [];
  const consumer = await PushConsumer.open({
    nameServers,
    consumerGroup: "billing",
    subscriptions: { orders: "*" },
    order: "orderly",
    commitIntervalMs: 100,
    listener: (message) => {
      texts.push(message.text());
    },
    onEvent: (event) => {
      events.push(event);
    },
    ...options,
  });
  onTestFinished(() => consumer.close());
  return { texts, events };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
}

function undecodable(events: readonly PushConsumerEvent[]): UndecodableMessages[] {
  return events.flatMap((event) => (event.type === "undecodable" ? [event] : []));
}

/** A poll gives what has come by then: one batch, or several. */
async function textsOf(consumer: PullConsumer, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count)
    texts.push(...(await consumer.poll({ timeoutMs: 60_000 })).map((message) => message.text()));
  return texts;
}

test("a pull consumer stops in front of them, and goes on where it is told to", async () => {
  const cluster = await opened();
  await storePoison(cluster);
  const told: PullConsumerEvent[] = [];
  const consumer = await pullConsumer(cluster, { onEvent: (event) => told.push(event) });
  const queue = { topic: "orders", queue: 0 };

  expect(await textsOf(consumer, 3)).toEqual(["0", "1", "2"]);
  const refusal = consumer.poll({ timeoutMs: 60_000 });
  await expect(refusal).rejects.toMatchObject({
    code: "UNDECODABLE",
    message: expect.stringContaining("orders, queue 0: offset 3 cannot be decoded") as string,
    range: { firstOffset: 3, nextOffset: 4 },
  });
  const stopped = told.filter(({ type }) => type === "undecodable");
  expect(stopped).toMatchObject([{ queue, range: { firstOffset: 3 }, isSkipped: false }]);
  expect(consumer.position(queue)).toBe(3);

  await consumer.seek(queue, 4);
  expect(await textsOf(consumer, 1)).toEqual(["x"]);
  await expect(consumer.poll({ timeoutMs: 60_000 })).rejects.toMatchObject({
    range: { firstOffset: 5, nextOffset: 8 },
  });
  await consumer.seek(queue, 8);
  expect(await textsOf(consumer, 2)).toEqual(["8", "9"]);
}, 120_000);

test("a pull consumer that skips them hands out all else, and tells what it skips", async () => {
  const cluster = await opened();
  await storePoison(cluster);
  const told: UndecodableMessages[] = [];
  const consumer = await pullConsumer(cluster, {
    onUndecodable: "skip",
    onEvent: (event) => {
      if (event.type === "undecodable") told.push(event);
    },
  });

  expect(await textsOf(consumer, 6)).toEqual(["0", "1", "2", "x", "8", "9"]);
  expect(told.map(({ range, isSkipped }) => ({ ...range, isSkipped }))).toEqual([
    { firstOffset: 3, nextOffset: 4, isSkipped: true },
    { firstOffset: 5, nextOffset: 8, isSkipped: true },
  ]);
}, 120_000);

test("a pull consumer that has stopped goes on where its group is reset to", async () => {
  const cluster = await opened();
  await storePoison(cluster);
  const consumer = await pullConsumer(cluster, { consumerGroup: "ledger" });
  expect(await textsOf(consumer, 3)).toHaveLength(3);
  const refusal = consumer.poll({ timeoutMs: 60_000 });
  await expect(refusal).rejects.toMatchObject({ code: "UNDECODABLE" });

  await cluster.admin.resetOffsets({ group: "ledger", topic: "orders", place: 4, queues: [0] });

  const [next] = await consumer.poll({ timeoutMs: 60_000 });
  expect(next?.text()).toBe("x");
}, 120_000);

test("a push consumer stops in front of them until its group is reset behind them", async () => {
  const cluster = await opened();
  await storePoison(cluster);
  const { texts, events } = await pushed(cluster, {});
  const reset = (offset: number): Promise<object> =>
    cluster.admin.resetOffsets({ group: "billing", topic: "orders", place: offset, queues: [0] });

  await until(() => undecodable(events).length === 1);
  const [first] = undecodable(events);
  expect(first).toMatchObject({ isSkipped: false, range: { firstOffset: 3, nextOffset: 4 } });
  expect(first?.error.message).toContain(
    "quorumlog offset reset billing --topic orders --queue 0 --to-offset 4",
  );
  await reset(4);
  await until(() => undecodable(events).length === 2);
  await reset(8);
  await until(() => texts.length === 6);

  expect(texts).toEqual(["0", "1", "2", "x", "8", "9"]);
}, 120_000);

test("a push consumer that skips them commits behind them", async () => {
  const cluster = await opened();
  await storePoison(cluster);
  const { texts, events } = await pushed(cluster, { onUndecodable: "skip" });

  await until(() => texts.length === 6);
  let committed: number | undefined;
  while (committed !== 10)
    committed = (await cluster.admin.groupOffsets("billing"))[0]?.committedOffset;

  expect(texts).toEqual(["0", "1", "2", "x", "8", "9"]);
  expect(undecodable(events).map(({ range }) => range.firstOffset)).toEqual([3, 5]);
}, 120_000);

test("whoever listens to no events is warned of a queue that stands still", async () => {
  const cluster = await opened();
  await cluster.store(withBadRecord(batch(cluster.topicId, ["a"]), 0));
  const warned = new Promise<Error>((resolve) => {
    const onWarning = (warning: Error & { readonly code?: string }): void => {
      if (warning.code === "UNDECODABLE") resolve(warning);
    };
    process.on("warning", onWarning);
    onTestFinished(() => {
      process.off("warning", onWarning);
    });
  });
  const { nameServers } = cluster;
  const consumer = await PushConsumer.open({
    nameServers,
    consumerGroup: "deaf",
    subscriptions: { orders: "*" },
    listener: () => undefined,
  });
  onTestFinished(() => consumer.close());

  expect(await warned).toMatchObject({ code: "UNDECODABLE" });
}, 120_000);

test("searches find what is beside them, and say what is wrong with one of them", async () => {
  const cluster = await opened();
  await storePoison(cluster);

  const found = await cluster.admin.messagesByTime("orders", { from: 0 });
  expect(found.map((message) => message.text())).toEqual(["0", "1", "2", "x", "8", "9"]);
  const byId = cluster.admin.messageById(`${cluster.topicId}-0-3`);
  await expect(byId).rejects.toMatchObject({ code: "UNDECODABLE" });
  const next = await cluster.admin.messageById(`${cluster.topicId}-0-4`);
  expect(next?.text()).toBe("x");
}, 120_000);
