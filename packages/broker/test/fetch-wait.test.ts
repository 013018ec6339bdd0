// Goal: a fetch waits as long as it says, and no longer.
// Method: one that waits at the end of a queue, while it is woken again and again for nothing.

import { ADMIN_SERVICE } from "@quorumlog/protocol";
import { expect, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { createTopic, fetch } from "./kit/calls.ts";

const WAIT_MS = 1_000;
const PATIENCE_MS = 20_000;

test("a fetch that is woken for nothing is answered when its time is over", async () => {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders" });
  const beganAt = performance.now();
  const answeredAt: number[] = [];
  const answer = fetch(channel, {
    positions: [{ topicId, queue: 0, offset: 0 }],
    waitMs: WAIT_MS,
  }).finally(() => {
    answeredAt.push(performance.now());
  });

  // Each change wakes whoever waits: its topic may be gone.
  while (answeredAt.length === 0 && performance.now() < beganAt + PATIENCE_MS)
    await channel.call(ADMIN_SERVICE.putConfiguration, {
      namespace: "shop",
      key: "opens",
      value: String(performance.now()),
    });

  expect(answeredAt[0]).toBeGreaterThan(beganAt + WAIT_MS - 100);
  expect((await answer).queues).toEqual([]);
}, 60_000);
