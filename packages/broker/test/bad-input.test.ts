// Goal: whatever a client says that lies, or stops in the middle, is a typed error or has a bounded
// effect; nothing of it is stored half, and the broker goes on.
// Method: a real port, calls as a program without the project's client would make them.

import { connect } from "node:http2";
import { crc32 } from "node:zlib";
import {
  BROKER_SERVICE,
  COORDINATOR_SERVICE,
  fromGrpcFailure,
  type RpcChannel,
} from "@quorumlog/protocol";
import {
  type CoordinatorMessage,
  type FetchReply,
  MessageType,
  Outcome,
  type PublishReply,
} from "@quorumlog/protocol/messages";
import { expect, onTestFinished, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, createTopic, fetch, publish } from "./kit/calls.ts";

interface Port {
  readonly nodes: BrokerNodes;
  readonly channel: RpcChannel;
  readonly topicId: number;
}

async function started(): Promise<Port> {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders" });
  return { nodes, channel, topicId };
}

/** Where the queue ends, and that the port still takes what is sound. */
async function endOf({ channel, topicId }: Port): Promise<number> {
  const { endOffset } = await channel.call(BROKER_SERVICE.queryOffsets, { topicId, queue: 0 });
  const sound = await publish(channel, { batches: [batchOf({ topicId, queue: 1 }, ["sound"])] });
  expect(sound.error).toBeNull();
  return endOffset;
}

/** A batch with other numbers in its fixed part, and a checksum that fits. */
function lying(batch: Buffer, change: (batch: Buffer) => void): Buffer {
  const changed = Buffer.from(batch);
  change(changed);
  changed.writeUInt32LE(crc32(changed.subarray(4)), 0);
  return changed;
}

test.each<[string, (batch: Buffer) => void, string]>([
  ["a length that is not its own", (batch) => batch.writeUInt32LE(batch.length + 1, 4), "bytes"],
  ["more records than there are", (batch) => batch.writeUInt32LE(3, 16), "its header has"],
  ["fewer records than there are", (batch) => batch.writeUInt32LE(1, 16), "its header has"],
  ["a record that is longer than it", (batch) => batch.writeUInt32LE(500, 62), "and not 2"],
  ["no record", (batch) => batch.writeUInt32LE(0, 16), "records"],
  [
    "records that begin behind its end",
    (batch) => batch.writeUInt32LE(9_999, 52),
    "behind its end",
  ],
  ["keys that it has no room for", (batch) => batch.writeUInt16LE(500, 48), "keys"],
  ["a tag that is empty", (batch) => batch.writeUInt8(0, 56), "tag 0 has 0 bytes"],
  ["a tag beyond its header", (batch) => batch.writeUInt8(200, 56), "tag 0 has 200 bytes"],
  ["a producer without a number", (batch) => batch.writeUInt32LE(7, 24), "sequence"],
  ["a version of tomorrow", (batch) => batch.writeUInt8(9, 8), "version 9"],
  ["a compression of tomorrow", (batch) => batch.writeUInt8(9, 9), "compression 9"],
  [
    "records that unpack to more than there may be",
    (batch) => {
      batch.writeUInt8(1, 9);
      batch.writeUInt32LE(2 ** 31, 36);
    },
    "2147483648 bytes",
  ],
])("a batch with %s is refused, and what came with it, too", async (_, change, problem) => {
  const port = await started();
  const { channel, topicId } = port;
  const place = { topicId, queue: 0 };

  const reply = await publish(channel, {
    batches: [batchOf(place, ["sound"]), lying(batchOf(place, ["a", "b"], "tag"), change)],
  });

  expect(reply.error).toMatchObject({ code: "INVALID_BATCH" });
  expect(reply.error?.problems?.[0]).toMatchObject({ field: "batches[1]" });
  expect(reply.error?.message).toContain(problem);
  expect(await endOf(port)).toBe(0);
});

test("a message that is too large, in a request that is not and in one that is", async () => {
  const port = await started();
  const { channel, topicId } = port;
  const large = batchOf({ topicId, queue: 0 }, ["x".repeat(5 * 1024 * 1024)]);

  const one = await publish(channel, { batches: [large] });
  const many = await publish(channel, { batches: [large, large, large, large] }).catch(
    fromGrpcFailure,
  );

  expect(one.error).toMatchObject({ code: "INVALID_BATCH" });
  expect(one.error?.message).toContain("4194304");
  expect(many).toBeInstanceOf(Error);
  expect(await endOf(port)).toBe(0);
});

test("a former epoch of a producer, a gap in its numbers, and a number of nobody", async () => {
  const port = await started();
  const { channel, topicId } = port;
  const numbered = (epoch: number, sequence: number): Buffer =>
    lying(batchOf({ topicId, queue: 0, sequence }, ["x"]), (batch) =>
      batch.writeUInt32LE(epoch, 32),
    );
  const refusalOf = async (batch: Buffer): Promise<unknown> => {
    const { results } = await publish(channel, { batches: [batch] });
    const { code, outcome } = results[0]?.error ?? {};
    return code === undefined ? undefined : [code, outcome];
  };
  const { OUTCOME_UNKNOWN, OUTCOME_NOT_APPLIED } = Outcome;

  // What became of an earlier attempt is forgotten with its producer, and with its epoch.
  expect(await refusalOf(numbered(1, 5))).toEqual(["UNKNOWN_PRODUCER", OUTCOME_UNKNOWN]);
  expect(await refusalOf(numbered(1, 1))).toBeUndefined();
  expect(await refusalOf(numbered(1, 3))).toEqual(["SEQUENCE_GAP", OUTCOME_NOT_APPLIED]);
  expect(await refusalOf(numbered(0, 2))).toEqual(["STALE_PRODUCER_EPOCH", OUTCOME_UNKNOWN]);
  expect(await endOf(port)).toBe(1);
});

test("messages of another type, a topic and a queue of nobody", async () => {
  const port = await started();
  const { channel, topicId } = port;
  const { topicId: fifo } = await createTopic(channel, {
    name: "in-order",
    messageType: MessageType.MESSAGE_TYPE_FIFO,
  });
  const batches = [
    batchOf({ topicId: fifo, queue: 0 }, ["x"]),
    batchOf({ topicId: 77, queue: 0 }, ["x"]),
    batchOf({ topicId, queue: 40 }, ["x"]),
  ];

  const { results } = await publish(channel, { batches });
  const { queues } = await fetch(channel, {
    positions: [
      { topicId: 77, queue: 0, offset: 0 },
      { topicId, queue: 40, offset: 0 },
      { topicId, queue: 0, offset: 2 ** 53 },
    ],
  });

  expect(results.map(({ error }) => error?.code)).toEqual([
    "MESSAGE_TYPE_MISMATCH",
    "UNKNOWN_TOPIC",
    "UNKNOWN_QUEUE",
  ]);
  const codes = new Set(queues.map(({ error }) => error?.code));
  expect(codes).toEqual(new Set(["OFFSET_OUT_OF_RANGE", "UNKNOWN_QUEUE", "UNKNOWN_TOPIC"]));
});

test("a client that vanishes in the middle of a batch has stored nothing", async () => {
  const port = await started();
  const { nodes, topicId } = port;
  const request = BROKER_SERVICE.publish.requestSerialize({
    batches: [batchOf({ topicId, queue: 0 }, ["x".repeat(50_000)])],
  });
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(request.length, 1);

  for (const part of [0, 1, 10_000, request.length - 1]) {
    const session = connect(`http://127.0.0.1:${nodes.broker(1).port}`);
    const stream = session.request({
      ":method": "POST",
      ":path": BROKER_SERVICE.publish.path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => undefined);
    await new Promise<void>((resolve) => {
      stream.write(Buffer.concat([frame, request.subarray(0, part)]), () => {
        resolve();
      });
    });
    session.destroy();
  }

  expect(await endOf(port)).toBe(0);
});

test("who is refused by the coordinator leaves nothing behind, and is told why", async () => {
  const { channel } = await started();
  const refusalOf = (join: object): Promise<string> => {
    const stream = channel.duplex(COORDINATOR_SERVICE.join);
    onTestFinished(() => {
      stream.cancel();
    });
    return new Promise((resolve) => {
      stream.on("data", ({ error }: CoordinatorMessage) => {
        resolve(error?.code ?? "");
      });
      stream.on("error", (error: Error) => {
        resolve(fromGrpcFailure(error).code);
      });
      stream.write(join);
    });
  };
  const subscriptions = [{ topic: "orders", tagExpression: "*" }];
  const join = { group: "g", memberId: "m", mode: 1, strategy: 4, subscriptions };

  expect(await refusalOf({ adoptedEpoch: 1 })).toBe("INVALID_ARGUMENT");
  for (const wrong of [
    { group: "" },
    { group: "x".repeat(200) },
    { memberId: "" },
    { mode: 9 },
    { subscriptions: [] },
    { subscriptions: [{ topic: "orders", tagExpression: "a |b" }] },
    { subscriptions: [{ topic: "orders", tagExpression: "t".repeat(20_000) }] },
    { sessionTimeoutMs: 1 },
  ])
    expect(await refusalOf({ join: { ...join, ...wrong } })).toBe("INVALID_ARGUMENT");
});

/** That is refused, as a whole. */
async function fieldOf(reply: Promise<Pick<PublishReply, "error">>): Promise<string> {
  return (await reply).error?.problems?.[0]?.field ?? "";
}

test("bounds of a request are said with the field", async () => {
  const { channel, topicId } = await started();
  const batches = [batchOf({ topicId, queue: 0 }, ["x"])];
  expect(await fieldOf(publish(channel, { batches: [] }))).toBe("batches");
  expect(await fieldOf(publish(channel, { batches, timeoutMs: 10_000_000 }))).toBe("timeout_ms");
  expect(await fieldOf(fetch(channel, { positions: [] }))).toBe("positions");
  const tags = Array.from({ length: 101 }, (_, i) => `${i}`);
  const tagged = { positions: [{ topicId, queue: 0, offset: 0, tags }] };
  expect(await fieldOf(fetch(channel, tagged))).toBe("tags");
});

test("fetches that wait are bounded, and so are the queues that they wait for", async () => {
  const { channel, topicId } = await started();
  const refusedBehind = (positionCount: number): Promise<number> => {
    const stream = channel.duplex(BROKER_SERVICE.fetch);
    onTestFinished(() => {
      stream.cancel();
    });
    const position = { topicId, queue: 0, offset: 0 };
    const positions = Array.from({ length: positionCount }, () => position);
    return new Promise((resolve) => {
      stream.on("error", () => undefined);
      stream.on("data", ({ requestId, error }: FetchReply) => {
        expect(error?.code).toBe("TOO_MANY");
        resolve(requestId);
      });
      for (let requestId = 0; requestId <= 1_024; requestId++)
        stream.write({ requestId, positions, waitMs: 20_000 });
    });
  };

  expect(await refusedBehind(1)).toBe(1_024);
  expect(await refusedBehind(16_384)).toBe(4);
});
