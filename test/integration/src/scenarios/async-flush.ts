/**
 * Scenario: nodes acknowledge before they sync. One after another loses its power, and what it had
 * not synced, and has to catch up before the next one does; or all processes are killed at once, on
 * a machine that stays up.
 */

import type { Flush } from "@quorumlog/replica";
import type { Cluster } from "../cluster.ts";
import type { DiskKind } from "../node-protocol.ts";
import { sleep, until } from "../patience.ts";
import type { Part, PartContext, PartResult, Scenario } from "../scenario.ts";

const ROUND_COUNT = { short: 3, full: 20 } as const;
const TRUST_TIMEOUT_MS = 20_000;
const FLUSHES: readonly Flush[] = [
  { mode: "async", intervalMs: 20 },
  { mode: "async", intervalMs: 60_000 },
];

async function run(context: PartContext, disk: DiskKind, flush: Flush): Promise<PartResult> {
  const { prng, form } = context;
  const cluster = await context.startCluster({ disk, flush });
  context.startLoad();
  const goal = ROUND_COUNT[form];
  for (let round = 1; round <= goal; round++) {
    await sleep(prng.between(100, 700));
    const all = cluster.founders();
    const victims = disk === "real" ? all : [prng.pick(all)];
    await Promise.all(victims.map((nodeId) => cluster.kill(nodeId)));
    context.count(disk === "real" ? "kills" : "power losses", victims.length);
    await sleep(prng.below(300));
    await Promise.all(victims.map((nodeId) => cluster.start(nodeId)));
    await allTrusted(cluster);
    context.progress(`${round} of ${goal} rounds, ${context.journal.acknowledgedCount} appends`);
  }
  const suspects = cluster.events.filter(({ name }) => name === "suspect").length;
  context.count("suspects", suspects);
  context.demand((suspects === 0) === (disk === "real"), `${suspects} times a node was suspect`);
  await context.check();
  return context.result();
}

/** No node may lose its power while another one may lack what it had acknowledged. */
async function allTrusted(cluster: Cluster): Promise<void> {
  await until("every node has caught up", TRUST_TIMEOUT_MS, async () => {
    const statuses = await cluster.statuses();
    const isEveryone = statuses.length === cluster.founders().length;
    return isEveryone && statuses.every(({ isSuspect }) => !isSuspect) ? true : undefined;
  });
}

export const asyncFlush: Scenario = {
  name: "async-flush",
  title: "flush mode async: power loss of one node at a time, kill -9 of all",
  parts: (): readonly Part[] =>
    FLUSHES.flatMap((flush, i) =>
      (["memory-until-synced", "leaky-until-synced", "real"] as const).map((disk) => ({
        name: `${i + 1} ${disk}`,
        run: (context: PartContext) => run(context, disk, flush),
      })),
    ),
};
