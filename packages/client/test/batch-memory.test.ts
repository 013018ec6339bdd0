// Goal: batches under load take the memory of those that were answered; a batch whose outcome is
// not known keeps its own, as it may be sent again, or be read by a stream that is about to end.
// Method: batches of one queue, encoded, answered or not.

import { SpareMemory } from "@quorumlog/protocol";
import { expect, test } from "vitest";
import type { OutgoingBatch } from "../src/outgoing-batch.ts";
import { type OutboxOptions, QueueOutbox } from "../src/queue-outbox.ts";
import { SendCall } from "../src/send-call.ts";

const KIB = 1_024;

function newMemory(): SpareMemory {
  return new SpareMemory({ bytesMin: 16 * KIB, bytesMax: 1_024 * KIB, spareBytesMax: 8 << 20 });
}

function newOutbox(options: Partial<OutboxOptions> = {}): QueueOutbox {
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
    memory: newMemory(),
    ...options,
  });
}

/** One that is under way. */
function sent(outbox: QueueOutbox, fill: number, tag?: string): OutgoingBatch {
  const call = new SendCall({
    topic: "orders",
    message: { body: Buffer.alloc(100 * KIB, fill), ...(tag === undefined ? {} : { tag }) },
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

test.each([
  { name: "compressed", options: { compress: true }, tag: undefined },
  { name: "with labels", options: {}, tag: "paid" },
])("it is given back at once by a batch whose bytes are elsewhere: $name", ({ options, tag }) => {
  const memory = newMemory();
  const outbox = newOutbox({ ...options, memory });
  const batch = sent(outbox, 1, tag);

  expect(memory.spareBytes).toBeGreaterThan(100 * KIB);
  outbox.finish(batch);
  outbox.letGo(batch);
  expect(memory.spareBytes).toBeLessThan(200 * KIB);
});
