/** Scenario: a group grows from one node to three and to five, and shrinks to one, under load. */

import { EXIT_CODE } from "../process/serving-protocol.ts";
import { sleep } from "../patience.ts";
import type { Form, Part, PartContext, PartResult, Scenario } from "../scenario.ts";

const PHASE_MS = { short: 100, full: 1_500 } as const;
const ROUND_COUNT = { short: 1, full: 3 } as const;

async function run(context: PartContext): Promise<PartResult> {
  const { form, journal, prng } = context;
  const cluster = await context.startCluster({ nodeIds: [1] });
  const load = context.startLoad();
  await sleep(PHASE_MS[form]);
  for (const nodeId of [2, 3, 4, 5]) {
    await cluster.join(nodeId);
    context.count("joined");
    await sleep(PHASE_MS[form]);
    context.progress(`${nodeId} nodes, ${journal.acknowledgedCount} appends`);
  }
  await demandMembers(context, [1, 2, 3, 4, 5]);
  for (const leaving of prng.shuffle([1, 2, 3, 4, 5]).slice(0, 4)) {
    const leader = await cluster.leader();
    const others = cluster.serving().filter(({ nodeId }) => nodeId !== leaving);
    if (leader.nodeId === leaving) {
      const to = prng.pick(others).nodeId;
      await cluster.byLeader(`node ${to} takes over`, async (node) => {
        if (node.nodeId === leaving) await node.call("transfer", { to });
      });
      context.count("transfers");
    }
    await cluster.remove(leaving);
    const { exitCode } = await cluster.node(leaving).close();
    context.demand(exitCode === EXIT_CODE.closed, `node ${leaving} ended with ${exitCode}`);
    context.count("removed");
    await sleep(PHASE_MS[form]);
  }
  context.countMax("write gap ms Max", journal.takeGapMs());
  await context.check();
  context.countMax("latency ms Max", load.latencyMsMax);
  return context.result();
}

async function demandMembers(context: PartContext, expected: readonly number[]): Promise<void> {
  const { configuration } = await (await context.cluster.leader()).call("status", undefined);
  const ids = configuration.voters.map(({ id }) => id).toSorted((a, b) => a - b);
  context.demand(ids.join() === expected.join(), `the voters are ${ids.join()}`);
}

export const membership: Scenario = {
  name: "membership",
  title: "1 -> 3 -> 5 -> 1 nodes under load",
  parts: (form: Form): readonly Part[] =>
    Array.from({ length: ROUND_COUNT[form] }, (_, i) => ({ name: `${i + 1}`, run })),
};
