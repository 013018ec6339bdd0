/** Scenario: every node is closed and started again in turn, under load: no append fails. */

import { EXIT_CODE } from "../process/serving-protocol.ts";
import { sleep } from "../patience.ts";
import type { Part, PartContext, PartResult, Scenario } from "../scenario.ts";

const ROUND_COUNT = { short: 1, full: 8 } as const;
const TIMEOUT_MS = 5_000;
const BETWEEN_MS = 300;

/** @param hasSessions - Clients that repeat what is ambiguous; else it is counted. */
async function run(context: PartContext, hasSessions: boolean): Promise<PartResult> {
  const { form, journal } = context;
  const cluster = await context.startCluster({});
  const clients = hasSessions ? { sessions: 6, plain: 0 } : { sessions: 0, plain: 3 };
  const load = context.startLoad({ ...clients, timeoutMs: TIMEOUT_MS, thinkMs: 4 });
  await sleep(BETWEEN_MS);
  journal.takeGapMs();
  for (let round = 1; round <= ROUND_COUNT[form]; round++)
    for (const nodeId of cluster.founders()) {
      const leader = await cluster.leader();
      const isLeader = leader.nodeId === nodeId;
      const end = await cluster.node(nodeId).close();
      context.demand(
        end.exitCode === EXIT_CODE.closed,
        `node ${nodeId} ended with ${end.exitCode}`,
      );
      await cluster.start(nodeId);
      await sleep(BETWEEN_MS);
      const gapMs = journal.takeGapMs();
      context.count(isLeader ? "restarts of leaders" : "restarts of followers");
      context.countMax(`write gap ms, ${isLeader ? "leader" : "follower"} Max`, gapMs);
      context.progress(`round ${round}, ${journal.acknowledgedCount} appends, gap ${gapMs} ms`);
    }
  await context.check();
  context.countMax("latency ms Max", load.latencyMsMax);
  context.demand(
    load.latencyMsMax <= TIMEOUT_MS,
    `an append was unknown for ${load.latencyMsMax} ms, more than ${TIMEOUT_MS}`,
  );
  const failed = journal.entries().filter(({ outcome }) => outcome !== "acknowledged");
  if (hasSessions) context.demand(failed.length === 0, `${failed.length} appends failed`);
  return context.result();
}

export const rollingRestart: Scenario = {
  name: "rolling-restart",
  title: "close with hand-over and start again, node by node, under load",
  parts: (): readonly Part[] => [
    { name: "sessions", run: (context) => run(context, true) },
    { name: "plain", run: (context) => run(context, false) },
  ],
};
