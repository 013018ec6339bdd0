// Goal: a leader learns which rules every member knows, from what each says of itself now, and from
// nothing that somebody has said before.
// Method: state machines that know rules, on nodes that come and go.

import { expect, test } from "vitest";
import { MachineCluster } from "./kit/machine-cluster.ts";

const WAIT = { timeout: 20_000 };

/** Of each node, the newest rules that its program knows, as it is started next. */
function clusterKnowing(known: Map<number, number>): Promise<MachineCluster> {
  return MachineCluster.start({
    around: (listing, nodeId) => Object.assign(listing, { rulesVersion: known.get(nodeId) ?? 0 }),
  });
}

test("they are the newest that all of them know, as each node sees it", async () => {
  const cluster = await clusterKnowing(
    new Map([
      [1, 3],
      [2, 2],
      [3, 4],
    ]),
  );

  for (const { group } of cluster.nodes) await expect.poll(() => group.commonRules, WAIT).toBe(2);
});

test("a member that is down has said nothing, and one that is back says it anew", async () => {
  const known = new Map([1, 2, 3].map((nodeId) => [nodeId, 2]));
  const cluster = await clusterKnowing(known);
  const { nodeId: leaderId, group } = await cluster.leader();
  const nodeId = (leaderId % 3) + 1;
  await expect.poll(() => group.commonRules, WAIT).toBe(2);

  await cluster.kill(nodeId);
  await expect.poll(() => group.commonRules, WAIT).toBe(0);
  known.set(nodeId, 1);
  await cluster.open(nodeId);

  await expect.poll(() => group.commonRules, WAIT).toBeGreaterThan(0);
  expect(group.commonRules).toBe(1);
});

test("a learner is asked as the others are, as long as it is a member", async () => {
  const cluster = await clusterKnowing(new Map([1, 2, 3].map((nodeId) => [nodeId, 2])));
  const { group } = await cluster.leader();
  await expect.poll(() => group.commonRules, WAIT).toBe(2);
  await cluster.open(4, "join");

  await group.addLearner(4, "node-4:1");
  await expect.poll(() => group.commonRules, WAIT).toBe(0);
  await group.remove(4);

  await expect.poll(() => group.commonRules, WAIT).toBe(2);
});
