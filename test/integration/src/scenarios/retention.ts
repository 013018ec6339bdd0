/** Scenario: a follower that is down past what is retained comes back by snapshot and log. */

import { sleep, until } from "../patience.ts";
import type { Form, Part, PartContext, PartResult, Scenario } from "../scenario.ts";

const ROUND_COUNT = { short: 1, full: 4 } as const;
const MIB = 1024 * 1024;
const RETENTION_BYTES = 2 * MIB;
const RECORD_BYTES = 40_000;
const PAST_TIMEOUT_MS = 60_000;

async function run(context: PartContext): Promise<PartResult> {
  const { form, journal } = context;
  const tuning = { snapshotEveryBytes: MIB / 2 };
  const cluster = await context.startCluster({ tuning, retentionBytes: RETENTION_BYTES });
  for (let round = 1; round <= ROUND_COUNT[form]; round++) {
    context.startLoad({ recordBytes: RECORD_BYTES });
    await sleep(200);
    const late = await cluster.follower();
    const { nextOffset } = await late.call("status", undefined);
    await late.kill();
    // What it lacks is gone, and some more.
    await until("the log is trimmed past the follower", PAST_TIMEOUT_MS, async () => {
      const { firstOffset } = await (await cluster.leader()).call("status", undefined);
      context.progress(`the log begins at ${firstOffset}, the follower is at ${nextOffset}`);
      return firstOffset > nextOffset + 20 ? true : undefined;
    });
    cluster.events.length = 0;
    await cluster.start(late.nodeId);
    const startedAt = performance.now();
    await until("the follower has caught up", PAST_TIMEOUT_MS, async () => {
      await cluster
        .node(late.nodeId)
        .call("barrier", {})
        .catch(() => undefined);
      const { firstOffset } = await late
        .call("status", undefined)
        .catch(() => cluster.node(late.nodeId).call("status", undefined));
      return firstOffset > nextOffset ? true : undefined;
    });
    context.countMax("catch-up ms Max", Math.round(performance.now() - startedAt));
    const installs = cluster.events.filter(({ name }) => name === "snapshotInstalled");
    context.demand(installs.length > 0, `round ${round}: no snapshot was installed`);
    context.count("snapshots installed", installs.length);
    await context.check(Number.POSITIVE_INFINITY);
    context.progress(`round ${round}, ${journal.acknowledgedCount} appends`);
  }
  return context.result();
}

export const retention: Scenario = {
  name: "retention",
  title: "a follower down past the retention point",
  parts: (_form: Form): readonly Part[] => [{ name: "all", run }],
};
