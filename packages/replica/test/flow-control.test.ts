// Goal: to be told to come back later, or to go elsewhere, costs less than to be served: a node
// that is overloaded gets out of it again.

import { expect, test } from "vitest";
import { failure, start } from "./kit/clusters.ts";

test("a refusal carries no stack, and other errors have theirs", async () => {
  const cluster = await start();
  const leader = await cluster.leader();
  const follower = cluster.logs.find((log) => log !== leader);

  const refusal = await failure(follower?.append(Buffer.of(1)) as Promise<unknown>);
  const mistake = await failure(leader.append([]));

  expect(refusal.code).toBe("NOT_LEADER");
  expect(refusal.stack).toBe(`ReplicaError: ${refusal.message}`);
  expect(mistake.stack).toContain("    at ");
});

test("calls that are refused in one turn are told so in one", async () => {
  let turnCount = 0;
  const cluster = await start();
  const leader = await cluster.leader();
  const follower = cluster.logs.find((log) => log !== leader);
  const refused: number[] = [];

  const calls = Array.from({ length: 100 }, async () => {
    await failure(follower?.append(Buffer.of(1)) as Promise<unknown>);
    refused.push(turnCount);
  });
  const count = setInterval(() => (turnCount += 1), 0);
  await Promise.all(calls);
  clearInterval(count);

  expect(new Set(refused).size).toBe(1);
});
