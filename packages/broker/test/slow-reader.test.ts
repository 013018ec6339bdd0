// Goal: who asks and does not read costs what is on its way, and nothing more; nobody else notices.
// Method: a stream that waits with many fetches and reads none of the answers, beside one that
// does.

import { BROKER_SERVICE } from "@quorumlog/protocol";
import type { FetchReply } from "@quorumlog/protocol/messages";
import { expect, onTestFinished, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";

const MIB = 1024 * 1024;
const BODY_BYTES = 200_000;
const FETCHES = 1_000;
/** What waits for a reader, here and in the sockets between, and what is being written. */
const TAKEN_MAX = 90 * MIB;

test("answers that nobody reads are not made", async () => {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders" });
  const position = { topicId, queue: 0, offset: 0 };
  const slow = channel.duplex(BROKER_SERVICE.fetch);
  onTestFinished(() => {
    slow.cancel();
  });
  slow.on("error", () => undefined);
  slow.pause();
  for (let requestId = 1; requestId <= FETCHES; requestId++)
    slow.write({ requestId, positions: [position], bytesMax: MIB, waitMs: 60_000 });
  const before = process.memoryUsage().arrayBuffers;

  const batch = batchOf({ topicId, queue: 0 }, ["x".repeat(BODY_BYTES)]);
  const { error } = await publish(channel, { batches: [batch] });
  const other = await fetch(channel, { positions: [position] });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const taken = process.memoryUsage().arrayBuffers - before;

  expect(error).toBeNull();
  expect(bodiesOf(other)[0]).toHaveLength(BODY_BYTES);
  expect(taken).toBeLessThan(TAKEN_MAX);
  // Once it reads, it gets all of them.
  const answered = new Set<number>();
  await new Promise<void>((resolve) => {
    slow.on("data", ({ requestId }: FetchReply) => {
      answered.add(requestId);
      if (answered.size === FETCHES) resolve();
    });
    slow.resume();
  });
});
