/** Scenario: all nodes are killed at once, on disks that lose what was not synced. */

import type { DiskKind } from "../node-protocol.ts";
import { sleep } from "../patience.ts";
import type { Part, PartContext, PartResult, Scenario } from "../scenario.ts";

const ROUND_COUNT = { short: 2, full: 15 } as const;

async function run(context: PartContext, disk: DiskKind): Promise<PartResult> {
  const { prng, form } = context;
  const cluster = await context.startCluster({ disk });
  context.startLoad();
  const goal = ROUND_COUNT[form];
  for (let round = 1; round <= goal; round++) {
    await sleep(prng.between(100, 1_000));
    await Promise.all(cluster.founders().map((nodeId) => cluster.kill(nodeId)));
    context.count("rounds");
    context.count("kills", cluster.founders().length);
    await cluster.startAll();
    await cluster.leader();
    context.progress(`${round} of ${goal} rounds, ${context.journal.acknowledgedCount} appends`);
  }
  await context.check();
  return context.result();
}

const DISKS: readonly DiskKind[] = ["memory-until-synced", "leaky-until-synced"];

export const powerLoss: Scenario = {
  name: "power-loss",
  title: "all three nodes killed at once, un-synced bytes lost",
  parts: (): readonly Part[] =>
    DISKS.map((disk) => ({ name: disk, run: (context) => run(context, disk) })),
};
