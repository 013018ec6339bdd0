// Goal: batches under load take the memory of those that were answered; a batch whose outcome is
// not known keeps its own, as it may be sent again, or be read by a stream that is about to end.
// Method: batches of one queue, encoded, answered or not.

import { expect, test } from "vitest";
import { BatchMemory } from "../src/batch-memory.ts";
import type { OutgoingBatch } from "../src/outgoing-batch.ts";
import { QueueOutbox } from "../src/queue-outbox.ts";
import { SendCall } from "../src/send-call.ts";

const KIB = 1_024;

function newOutbox(): QueueOutbox {
  const topic = {
    topicId: 1,
    name: "orders",
    groupIds: [1],
    isWritable: true,
    isReadable: true,
    messageType: 1,
  };
  return new QueueOutbox(topic, 0, {
    batchBytesMax: 256 * KIB,
    compress: false,
    memory: new BatchMemory(),
  });
}

/** One that is under way. */
function sent(outbox: QueueOutbox, fill: number): OutgoingBatch {
  const call = new SendCall({
    topic: "orders",
    message: { body: Buffer.alloc(100 * KIB, fill) },
    others: undefined,
    bytes: 100 * KIB,
    durability: "quorum",
    timeoutMs: 1_000,
    resolve: () => undefined,
    reject: () => undefined,
  });
  outbox.add(call);
  const batch = outbox.next();
  if (batch === undefined) throw new Error("there is nothing to send");
  outbox.send(batch);
  return batch;
}

test("a batch has the memory of one that was answered", () => {
  const outbox = newOutbox();
  const first = sent(outbox, 1);
  outbox.finish(first);
  outbox.letGo(first);

  expect(sent(outbox, 2).encoded?.buffer).toBe(first.encoded?.buffer);
});

test("one that is under way, or was given up, keeps its own", () => {
  const outbox = newOutbox();
  const [first, second] = [sent(outbox, 1), sent(outbox, 2)];
  first.isUncertain = true;
  outbox.finish(first);
  outbox.letGo(first);

  const buffers = [first, second, sent(outbox, 3)].map(({ encoded }) => encoded?.buffer);
  expect(new Set(buffers).size).toBe(3);
});

test("it is given back once", () => {
  const outbox = newOutbox();
  const first = sent(outbox, 1);
  outbox.finish(first);
  outbox.letGo(first);
  outbox.letGo(first);

  expect(sent(outbox, 2).encoded?.buffer).not.toBe(sent(outbox, 3).encoded?.buffer);
});

test("of what nobody uses, no more is kept than is of use", () => {
  const memory = new BatchMemory();
  const all = Array.from({ length: 100 }, () => memory.take(256 * KIB));
  for (const each of all) memory.give(each);
  const again = Array.from({ length: 100 }, () => memory.take(256 * KIB));
  expect(again.filter((each) => all.includes(each))).toHaveLength(32);
});
