// Goal: who asks and does not read costs what is on its way, and nothing more; nobody else notices.
// Method: an HTTP/2 stream that waits with many fetches and reads none of the answers, beside a
// client that does.

import { connect } from "node:http2";
import { BROKER_SERVICE } from "@quorumlog/protocol";
import { expect, onTestFinished, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";

const BODY_BYTES = 200_000;
const FETCHES = 500;
/** For 8 MiB of them that nobody has read, and a few that are on their way. */
const ANSWERED_MAX = 100;
const FRAME_HEAD_BYTES = 5;

test("answers that nobody reads are not made", async () => {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders" });
  const position = { topicId, queue: 0, offset: 0 };
  const { group, port } = nodes.broker(1);
  const session = connect(`http://127.0.0.1:${port}`);
  onTestFinished(() => {
    session.destroy();
  });
  const slow = session.request({
    ":method": "POST",
    ":path": BROKER_SERVICE.fetch.path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  slow.on("error", () => undefined);
  slow.pause();
  for (let requestId = 1; requestId <= FETCHES; requestId++)
    slow.write(framed({ requestId, positions: [position], waitMs: 60_000 }));
  await expect.poll(() => group.traffic.fetchesWaiting, { timeout: 20_000 }).toBe(FETCHES);

  const batch = batchOf({ topicId, queue: 0 }, ["x".repeat(BODY_BYTES)]);
  const { error } = await publish(channel, { batches: [batch] });
  const other = await fetch(channel, { positions: [position] });
  await new Promise((resolve) => setTimeout(resolve, 1_000));

  expect(error).toBeNull();
  expect(bodiesOf(other)[0]).toHaveLength(BODY_BYTES);
  expect(group.traffic.messagesOut).toBeLessThan(ANSWERED_MAX);
  // Once it reads, it gets all of them.
  let bytes = 0;
  slow.on("data", (data: Buffer) => {
    bytes += data.length;
  });
  slow.resume();
  await expect.poll(() => bytes, { timeout: 20_000 }).toBeGreaterThan(FETCHES * BODY_BYTES);
}, 60_000);

function framed(request: Parameters<typeof BROKER_SERVICE.fetch.requestSerialize>[0]): Buffer {
  const message = BROKER_SERVICE.fetch.requestSerialize(request);
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
