/** Scenario: one write or sync of a node's disk fails: the node says so and ends, others go on. */

import { formatDiskFault } from "../disk-fault.ts";
import type { NodeProcess } from "../node-process.ts";
import { until } from "../patience.ts";
import { describeReport } from "../process/error-report.ts";
import { EXIT_CODE } from "../process/serving-protocol.ts";
import type { Part, PartContext, PartResult, Scenario } from "../scenario.ts";

const ROUND_COUNT = { short: 2, full: 12 } as const;
/** How far into the load the fault may come. */
const OPERATION_COUNT_MAX = 60;
const FAULT_TIMEOUT_MS = 30_000;
const GO_ON_TIMEOUT_MS = 10_000;

async function run(context: PartContext, operation: "write" | "sync"): Promise<PartResult> {
  const { prng, form, journal } = context;
  const cluster = await context.startCluster({});
  const goal = ROUND_COUNT[form];
  context.startLoad();
  for (let round = 1; round <= goal; round++) {
    const isLeader = round % 2 === 0;
    const node = await (isLeader ? cluster.leader() : cluster.follower());
    const number = 1 + prng.below(OPERATION_COUNT_MAX);
    await node.call("arm", { fault: formatDiskFault({ effect: "error", operation, number }) });
    demandClearEnd(context, node, await node.ended(FAULT_TIMEOUT_MS));
    context.count(isLeader ? "failed leaders" : "failed followers");
    const before = journal.acknowledgedCount;
    const startedAt = performance.now();
    await until("the others go on", GO_ON_TIMEOUT_MS, () =>
      journal.acknowledgedCount > before ? true : undefined,
    );
    const ms = Math.round(performance.now() - startedAt);
    context.countMax(`gap ms, ${isLeader ? "leader" : "follower"} Max`, ms);
    const others = cluster.serving().map(({ nodeId }) => nodeId);
    context.demand(others.length === 2, `round ${round}: those that serve are ${others.join()}`);
    await cluster.start(node.nodeId);
    context.progress(`${round} of ${goal} failures, ${journal.acknowledgedCount} appends`);
  }
  await context.check();
  return context.result();
}

/** It ended because of the error, with a message that leads to it. */
function demandClearEnd(
  context: PartContext,
  node: NodeProcess,
  { exitCode, fatal }: Awaited<ReturnType<NodeProcess["ended"]>>,
): void {
  const text = fatal === undefined ? "nothing" : describeReport(fatal.error);
  const isClear =
    exitCode === EXIT_CODE.failed &&
    fatal?.during === "service" &&
    text.includes("EIO") &&
    fatal.error.file !== undefined;
  context.demand(isClear, `node ${node.nodeId} said ${text}: ${node.describe()}`);
}

export const diskErrors: Scenario = {
  name: "disk-errors",
  title: "EIO on one write or sync",
  parts: (): readonly Part[] =>
    (["write", "sync"] as const).map((operation) => {
      return { name: operation, run: (context) => run(context, operation) };
    }),
};
