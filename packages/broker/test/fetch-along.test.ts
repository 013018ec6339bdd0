// Goal: a fetch of many queues reads along the log, and each queue has its turn.
// Method: a real broker; queues whose batches lie between one another, and one far behind another.

import { expect, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";

const QUEUES = 50;
const ROUNDS = 30;

test("batches of many queues are all read, each queue in order", async () => {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders", queueCount: QUEUES });
  const batches = Array.from({ length: QUEUES * ROUNDS }, (_, i) =>
    batchOf({ topicId, queue: i % QUEUES }, [`m${Math.floor(i / QUEUES)}`]),
  );
  for (let i = 0; i < batches.length; i += 500)
    await publish(channel, { batches: batches.slice(i, i + 500) });

  const seen = Array.from({ length: QUEUES }, () => [] as string[]);
  for (let fetches = 0; seen.some(({ length }) => length < ROUNDS); fetches++) {
    expect(fetches).toBeLessThan(QUEUES * ROUNDS);
    const positions = seen.map(({ length: offset }, queue) => ({ topicId, queue, offset }));
    const reply = await fetch(channel, { positions });
    for (const part of reply.queues) seen[part.queue ?? 0]?.push(...bodiesOf({ queues: [part] }));
  }

  const expected = Array.from({ length: ROUNDS }, (_, i) => `m${i}`);
  for (const bodies of seen) expect(bodies).toEqual(expected);
}, 60_000);

test("a queue that is far behind does not keep another one waiting", async () => {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders", queueCount: 2 });
  const large = "x".repeat(10_000);
  for (let i = 0; i < 50; i++)
    await publish(channel, { batches: [batchOf({ topicId, queue: 0 }, [large])] });
  await publish(channel, { batches: [batchOf({ topicId, queue: 1 }, ["new"])] });

  const seen: string[] = [];
  for (let i = 0; i < 100 && !seen.includes("new"); i++) {
    const positions = [0, 1].map((queue) => ({ topicId, queue, offset: 0 }));
    seen.push(...bodiesOf(await fetch(channel, { positions, bytesMax: 1 })));
  }

  expect(seen).toContain(large);
  expect(seen).toContain("new");
});
