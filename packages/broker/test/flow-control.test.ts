// Goal: whatever clients do, a broker keeps no more for them than it may, and says so.
// Method: a group of one node with small limits, and clients that behave badly, over real sockets.

import { type ClientHttp2Stream, connect } from "node:http2";
import { BROKER_SERVICE, RpcChannel } from "@quorumlog/protocol";
import { FetchRequest, type PublishReply, PublishRequest } from "@quorumlog/protocol/messages";
import { expect, onTestFinished, test } from "vitest";
import { BrokerNodes, type BrokerNodesOptions } from "./kit/broker-nodes.ts";
import { batchOf, bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

async function started(
  options: BrokerNodesOptions = {},
): Promise<{ nodes: BrokerNodes; channel: RpcChannel; topicId: number }> {
  const nodes = await BrokerNodes.start(1, options);
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders" });
  return { nodes, channel, topicId };
}

test("more than may wait is refused with how much waits, for what, and till when", async () => {
  const { channel, topicId } = await started({ tuning: { pendingBytesMax: 512 * KIB } });
  const body = "x".repeat(100_000);
  const count = 30;
  const stream = channel.duplex(BROKER_SERVICE.publish);
  const replies = await new Promise<PublishReply[]>((resolve, reject) => {
    const found: PublishReply[] = [];
    stream.on("data", (reply: PublishReply) => {
      if (found.push(reply) === count) resolve(found);
    });
    stream.on("error", reject);
    for (let i = 0; i < count; i++)
      stream.write({ requestId: i, batches: [batchOf({ topicId, queue: 0 }, [body])] });
  });
  stream.end();

  const refused = replies.filter(({ error }) => error);
  const stored = replies.filter(({ error }) => !error);
  expect(stored.length).toBeGreaterThan(3);
  expect(refused.length).toBeGreaterThan(3);
  expect(refused[0]?.error).toMatchObject({ code: "OVERLOADED", outcome: 1, retryAfterMs: 20 });
  expect(refused[0]?.error?.message).toMatch(
    /^\d+ MiB of publishes wait (?:for the leader's disk|to be applied): slow down$/u,
  );
  const again = await publish(channel, { batches: [batchOf({ topicId, queue: 0 }, ["later"])] });
  expect(again.results[0]?.baseOffset).toBe(stored.length);
});

test("a message has a bound, and an error names its size and that", async () => {
  const { channel, topicId } = await started({ more: { messageBytesMax: 2 * KIB } });
  const place = { topicId, queue: 0 };

  const large = await publish(channel, {
    batches: [batchOf(place, ["small", "x".repeat(2 * KIB), "small"])],
  });
  const many = await publish(channel, {
    batches: [batchOf(place, ["x".repeat(KIB), "y".repeat(KIB)])],
  });

  expect(large.error?.code).toBe("MESSAGE_TOO_LARGE");
  expect(large.error?.message).toMatch(
    /^batch 0: a message of 20\d\d bytes, and it may have 2048$/u,
  );
  expect(many.results[0]?.baseOffset).toBe(0);
});

test("a message of 4 MiB is stored, and a larger one is not", async () => {
  const { channel, topicId } = await started({ tuning: { segmentBytes: 64 * MIB } });
  const place = { topicId, queue: 0 };
  const body = "x".repeat(4 * MIB - 64);

  const stored = await publish(channel, { batches: [batchOf(place, [body])] });
  const refused = await publish(channel, { batches: [batchOf(place, [`${body}${body}`])] });

  expect(stored.results[0]?.error).toBeNull();
  expect(bodiesOf(await fetch(channel, { positions: [{ ...place, offset: 0 }] }))).toEqual([body]);
  expect(refused.error?.message).toMatch(/\d{7} bytes, of 4194304 at most/u);
});

/** A call as bytes on a connection: what a client that keeps to gRPC would not do. */
function rawCall(port: number, path: string): ClientHttp2Stream {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  const call = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  call.on("error", () => undefined);
  onTestFinished(() => {
    session.destroy();
  });
  return call;
}

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

test("a client that vanishes in the middle of a batch leaves nothing", async () => {
  const { nodes, channel, topicId } = await started();
  const batches = [batchOf({ topicId, queue: 0 }, ["x".repeat(50_000)])];
  const frame = framed(PublishRequest.encode({ requestId: 1, batches }).finish());
  const call = rawCall(nodes.broker(1).port, BROKER_SERVICE.publish.path);
  await new Promise((resolve) => call.write(frame.subarray(0, 40_000), resolve));
  call.session?.destroy();

  const after = await publish(channel, { batches: [batchOf({ topicId, queue: 0 }, ["next"])] });

  expect(after.results[0]?.baseOffset).toBe(0);
  expect(nodes.broker(1).group.replica.status().pendingBytes).toBe(0);
});

test("a client that does not read is not sent more than a stream may hold", async () => {
  const { nodes, channel, topicId } = await started({ tuning: { segmentBytes: 32 * MIB } });
  const place = { topicId, queue: 0 };
  for (let i = 0; i < 8; i++)
    await publish(channel, { batches: [batchOf(place, [`${i}`.padEnd(MIB / 2, "x")])] });
  const { traffic } = nodes.broker(1).group;
  const call = rawCall(nodes.broker(1).port, BROKER_SERVICE.fetch.path);
  const count = 40;
  for (let requestId = 1; requestId <= count; requestId++) {
    const positions = [{ ...place, offset: 0 }];
    call.write(framed(FetchRequest.encode({ requestId, positions, bytesMax: 4 * MIB }).finish()));
  }

  await expect.poll(() => traffic.bytesOut).toBeGreaterThan(7 * MIB);
  await new Promise((resolve) => setTimeout(resolve, 500));

  // Of the 160 MiB that it has asked for.
  expect(traffic.bytesOut).toBeLessThan(24 * MIB);
  let read = 0;
  call.on("data", (bytes: Buffer) => {
    read += bytes.length;
  });
  await expect.poll(() => read, { timeout: 30_000 }).toBeGreaterThan(count * 3 * MIB);
}, 60_000);

test("so many connections are taken, and the others when there is room again", async () => {
  const { nodes, topicId } = await started({ more: { connectionCountMax: 2 } });
  const address = `127.0.0.1:${nodes.broker(1).port}`;
  const asked = { topicId, queue: 0, storeTimestampMs: -1 };
  const second = new RpcChannel({ address });
  await second.call(BROKER_SERVICE.queryOffsets, asked);
  const third = new RpcChannel({ address });
  onTestFinished(() => {
    third.close();
  });

  const code = await third.call(BROKER_SERVICE.queryOffsets, asked, { timeoutMs: 2_000 }).then(
    () => undefined,
    (error: unknown) => (error as { code?: string }).code,
  );
  second.close();

  expect(["UNAVAILABLE", "TIMEOUT"]).toContain(code);
  const isTaken = (): Promise<boolean> =>
    third.call(BROKER_SERVICE.queryOffsets, asked, { timeoutMs: 2_000 }).then(
      () => true,
      () => false,
    );
  await expect.poll(isTaken, { timeout: 20_000 }).toBe(true);
}, 60_000);
