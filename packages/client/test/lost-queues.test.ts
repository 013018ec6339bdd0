// Goal: a queue that is lost, reset or claimed anew costs no message, and no process.
// Method: members against small brokers and a coordinator on real ports, which fence them.

import { expect, test } from "vitest";
import { consumerOf, publish, until } from "./kit/push-members.ts";
import { SmallCluster } from "./kit/small-cluster.ts";

const ORDERS = { name: "orders", topicId: 7, groupIds: [1, 1, 1, 1] };

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const sorted = (numbers: Iterable<number>): number[] => [...numbers].toSorted((a, b) => a - b);

test("orderly: all queues are fenced at once, claimed anew, and consumed on", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const seen: number[] = [];
  await consumerOf(cluster, {
    order: "orderly",
    listener: (message) => void seen.push(Number(message.text())),
  });
  await publish(cluster, 0, 100);
  await until(() => seen.length === 100);
  for (const round of [1, 2, 3]) {
    for (const queue of range(4)) cluster.first.offsets.fence("billing", 7, queue);
    await publish(cluster, round * 100, (round + 1) * 100);
    await until(() => new Set(seen).size === (round + 1) * 100);
  }

  expect(sorted(new Set(seen))).toEqual(range(400));
});

test("what was not finished as its queue was lost is not passed over", async () => {
  const cluster = await SmallCluster.open(1, [{ ...ORDERS, groupIds: [1] }]);
  await publish(cluster, 0, 10);
  const events: string[] = [];
  let started = 0;
  const first = await consumerOf(cluster, {
    attemptsMax: 1,
    closeTimeoutMs: 50,
    onEvent: ({ type }) => events.push(type),
    listener: (_, { signal }) => {
      started += 1;
      return new Promise((__, reject) => {
        signal.addEventListener("abort", () => {
          reject(new Error("aborted"));
        });
      });
    },
  });
  await until(() => started === 10);
  await first.close();
  const iterated = await consumerOf(cluster, { attemptsMax: 1 });
  for await (const message of iterated) if (Number(message.text()) === 4) break;
  await iterated.close();

  expect(events).not.toContain("given-up");
  expect(cluster.first.offsets.committed("billing", 7, 0)).toBe(4);
});
