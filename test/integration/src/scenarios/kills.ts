/** Scenario: nodes are killed at random, one or two at a time, and come back. */

import type { DiskKind } from "../node-protocol.ts";
import { sleep } from "../patience.ts";
import type { Form, Part, PartContext, PartResult, Scenario } from "../scenario.ts";

const KILLS_PER_PART = { short: 5, full: 25 } as const;
const PART_COUNT = { short: 2, full: 8 } as const;
const DISKS: readonly DiskKind[] = ["real", "leaky-until-synced", "real", "memory-until-synced"];

async function run(context: PartContext, disk: DiskKind): Promise<PartResult> {
  const { prng, form } = context;
  const cluster = await context.startCluster({ disk });
  context.startLoad();
  const goal = KILLS_PER_PART[form];
  for (let kills = 0; kills < goal;) {
    await sleep(prng.between(50, 500));
    const victims = prng.shuffle([...cluster.founders()]).slice(0, prng.chance(0.25) ? 2 : 1);
    const leaderIds = (await cluster.statuses())
      .filter(({ role }) => role === "leader")
      .map(({ nodeId }) => nodeId);
    await Promise.all(victims.map((nodeId) => cluster.kill(nodeId)));
    kills += victims.length;
    context.count("kills", victims.length);
    context.count("kills of leaders", victims.filter((id) => leaderIds.includes(id)).length);
    await sleep(prng.below(400));
    await Promise.all(victims.map((nodeId) => cluster.start(nodeId)));
    context.progress(`${kills} of ${goal} kills, ${context.journal.acknowledgedCount} appends`);
  }
  context.countMax("write gap ms Max", context.journal.takeGapMs());
  await context.check();
  return context.result();
}

export const kills: Scenario = {
  name: "kills",
  title: "random kill -9 of nodes under load",
  parts: (form: Form): readonly Part[] =>
    Array.from({ length: PART_COUNT[form] }, (_, i) => {
      const disk = DISKS[i % DISKS.length] as DiskKind;
      return { name: `${i + 1} ${disk}`, run: (context) => run(context, disk) };
    }),
};
