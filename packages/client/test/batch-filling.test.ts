// Goal: under load every batch is about full, none is a message by itself.
// Method: many calls through the queues of a topic, as a producer adds them; nothing is sent.

import { expect, test } from "vitest";
import type { OutgoingBatch } from "../src/outgoing-batch.ts";
import { BATCH_MEMORY } from "../src/batch-memory.ts";
import { SendCall } from "../src/send-call.ts";
import { TopicQueues } from "../src/topic-queues.ts";

const BATCH_BYTES = 10_000;
const MESSAGE_BYTES = 1_000;

test("messages that go round the queues fill one batch after the other", () => {
  const batches = new Set<OutgoingBatch>();
  const queues = new TopicQueues({
    topic: {
      topicId: 1,
      name: "orders",
      groupIds: [1, 1, 1, 1],
      isWritable: true,
      isReadable: true,
      messageType: 1,
    },
    outbox: { batchBytesMax: BATCH_BYTES, compress: false, memory: BATCH_MEMORY },
    selector: undefined,
    isSlow: () => false,
  });
  const message = { body: new Uint8Array(MESSAGE_BYTES) };
  for (let i = 0; i < 100; i++) {
    const call = new SendCall({
      topic: "orders",
      message,
      others: undefined,
      bytes: MESSAGE_BYTES + 9,
      durability: "quorum",
      timeoutMs: 1_000,
      resolve: () => undefined,
      reject: () => undefined,
    });
    queues.outboxFor(message).add(call);
    batches.add(call.batch as OutgoingBatch);
  }

  const sizes = [...batches].map(({ calls }) => calls.length);
  expect(sizes.slice(0, -1).every((size) => size === 9)).toBe(true);
  expect(sizes).toHaveLength(12);
});
