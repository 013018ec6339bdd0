/** Scenario: the log is trimmed again and again under load; then every node is replaced. */

import { PatienceError, sleep } from "../patience.ts";
import { ProcessCallError } from "../process/serving-process.ts";
import type { Form, Part, PartContext, PartResult, Scenario } from "../scenario.ts";

const TRIM_COUNT = { short: 3, full: 20 } as const;
const EVERY_MS = { short: 300, full: 2_000 } as const;

async function run(context: PartContext): Promise<PartResult> {
  const { form, journal, prng } = context;
  const cluster = await context.startCluster({ tuning: { snapshotEveryBytes: 262_144 } });
  const load = context.startLoad();
  let trimmedBefore = 0;
  for (let trims = 1; trims <= TRIM_COUNT[form]; trims++) {
    await sleep(EVERY_MS[form]);
    await cluster.byLeader("the log is trimmed", async (leader) => {
      const { firstOffset, nextOffset } = await leader.call("status", undefined);
      const before = firstOffset + prng.below(Math.max(1, nextOffset - firstOffset));
      trimmedBefore = Math.max(trimmedBefore, before);
      await leader.call("trim", { before });
    });
    context.count("trims");
    context.progress(`${trims} of ${TRIM_COUNT[form]} trims, ${journal.acknowledgedCount} appends`);
  }
  for (const former of [1, 2, 3]) {
    const nodeId = former + 3;
    await cluster.start(nodeId, { ifMissing: "join" });
    const address = await cluster.addressOf(nodeId);
    await cluster.byLeader(`node ${nodeId} replaces node ${former}`, async (leader) => {
      if (leader.nodeId !== former) await replace(context, { former, nodeId, address });
      else {
        const { configuration } = await leader.call("status", undefined);
        const heir = configuration.voters.find(({ id }) => id !== former);
        await leader.call("transfer", { to: heir?.id ?? 0 });
        const message = "leadership was moved first";
        throw new ProcessCallError("the leader", {
          name: "Moved",
          code: "LEADERSHIP_LOST",
          message,
        });
      }
    });
    await cluster.kill(former);
    context.count("replaced");
    context.progress(`node ${former} is replaced`);
  }
  context.countMax("write gap ms Max", journal.takeGapMs());
  await context.check(trimmedBefore);
  context.countMax("latency ms Max", load.latencyMsMax);
  context.counts["first offset"] = (await cluster.statuses())[0]?.firstOffset ?? -1;
  return context.result();
}

/** A change whose answer was lost may have happened. */
async function replace(
  { cluster }: PartContext,
  change: { readonly former: number; readonly nodeId: number; readonly address: string },
): Promise<void> {
  const leader = await cluster.leader();
  const { configuration } = await leader.call("status", undefined);
  if (!configuration.voters.some(({ id }) => id === change.former)) return;
  try {
    await leader.call("replace", { ...change, timeoutMs: 20_000 });
  } catch (error) {
    if (!(error instanceof PatienceError)) throw error;
    const report = { name: error.name, code: "TIMEOUT", message: error.message };
    throw new ProcessCallError("the leader", report, { cause: error });
  }
}

export const trims: Scenario = {
  name: "trims",
  title: "trims under load, then every node replaced once",
  parts: (_form: Form): readonly Part[] => [{ name: "all", run }],
};
