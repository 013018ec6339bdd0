// Goal: whoever follows the log from where it stopped is not told that this is beyond the end by a
// node that does not know where the end is. Method: a minute of waiting is made short.

import { expect, onTestFinished, test } from "vitest";
import { type Environment, nodeEnvironment } from "../src/environment.ts";
import { startCluster, type TestCluster } from "../src/testing/index.ts";

const WAIT_MS = 60_000;
const SHORT_MS = 50;

const HASTY: Environment = {
  ...nodeEnvironment,
  after: (delayMs, run) => nodeEnvironment.after(delayMs === WAIT_MS ? SHORT_MS : delayMs, run),
};

async function threeRecords(): Promise<TestCluster> {
  const cluster = await startCluster({ environment: HASTY });
  onTestFinished(() => cluster.close());
  return cluster;
}

test("a node that was away waits until it has what is asked for", async () => {
  const cluster = await threeRecords();
  await cluster.kill(3);
  const leader = await cluster.leader();
  for (const text of ["a", "b", "c"]) await leader.append(Buffer.from(text));
  await cluster.kill(1);
  await cluster.kill(2);
  const alone = await cluster.restart(3);
  const tail = alone.tail(2);

  const first = tail.next();
  await new Promise((resolve) => setTimeout(resolve, 4 * SHORT_MS));
  await cluster.restart(1);

  const { value } = await first;
  expect(Buffer.from(value?.data ?? "").toString()).toBe("c");
});

test("an offset that there is not is beyond the end, once that is known", async () => {
  const cluster = await threeRecords();
  const leader = await cluster.leader();
  await leader.append(Buffer.from("a"));

  await expect(leader.tail(3).next()).rejects.toMatchObject({ code: "BEYOND_END", nextOffset: 1 });
});
