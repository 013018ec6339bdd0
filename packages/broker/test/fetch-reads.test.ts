// Goal: small batches of a queue that lie between those of others are not looked for one by one.
// Method: many of them in a real broker's log, and a count of how often a fetch goes to the log.

import { expect, test, vi } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";

const QUEUES = 4;
const ROUNDS = 500;
const READS_MAX = 10;

test("a fetch of small batches goes on in the log from one to the next", async () => {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders", queueCount: QUEUES });
  const batches = Array.from({ length: ROUNDS * QUEUES }, (_, i) =>
    batchOf({ topicId, queue: i % QUEUES }, [`m${i}`]),
  );
  const { error } = await publish(channel, { batches });
  expect(error).toBeNull();
  const read = vi.spyOn(nodes.broker(1).group.replica, "read");

  const reply = await fetch(channel, { positions: [{ topicId, queue: 1, offset: 0 }] });

  const bodies = bodiesOf(reply);
  const expected = Array.from({ length: ROUNDS }, (_, i) => `m${i * QUEUES + 1}`);
  // As many as there was time for, without a gap.
  expect(bodies).toEqual(expected.slice(0, bodies.length));
  expect(bodies.length).toBeGreaterThan(ROUNDS / 10);
  expect(read.mock.calls.length).toBeLessThanOrEqual(READS_MAX);
});
