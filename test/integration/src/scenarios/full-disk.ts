/**
 * Scenario: a small file system runs full. A node stops or refuses clearly, nothing is lost, and it
 * comes back when there is space again. Needs to mount, which mostly takes root.
 */

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { sleep, until } from "../patience.ts";
import { describeReport } from "../process/error-report.ts";
import type { Form, Part, PartContext, PartResult, Scenario } from "../scenario.ts";

const SMALL_BYTES = 12 * 1024 * 1024;
const LARGE_BYTES = 64 * 1024 * 1024;
const RECORD_BYTES = 30_000;
const FULL_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
/** So often, and it is not by chance. */
const REFUSAL_COUNT = 8;

const mounted = new Set<string>();

// For a run that is cut; the nodes were killed just before, and may not have ended yet.
process.on("exit", () => {
  for (const place of mounted) execFileSync("umount", ["-l", place], { stdio: "pipe" });
});

async function run(context: PartContext, smallIds: readonly number[]): Promise<PartResult> {
  const { journal } = context;
  const disks = join(context.directory, "disks");
  const directoryOf = (nodeId: number): string => join(disks, `${nodeId}`, "node");
  const skipped = mountAll(context, smallIds, (nodeId) => join(disks, `${nodeId}`));
  if (skipped !== undefined) return { ...context.result(), skipped };
  const cluster = await context.startCluster({ directoryOf });
  const nodes = smallIds.map((nodeId) => cluster.node(nodeId));
  const load = context.startLoad({ recordBytes: RECORD_BYTES, thinkMs: 4, timeoutMs: 2_000 });
  await until("the disk is full", FULL_TIMEOUT_MS, async () => {
    if (nodes.every(({ hasEnded }) => hasEnded) || cluster.serving().length < 2) return true;
    await sleep(POLL_MS);
    return (load.refusals()["DISK_FULL"] ?? 0) >= REFUSAL_COUNT ? true : undefined;
  });
  for (const node of nodes) {
    if (!node.hasEnded) {
      context.count("nodes that refuse, and run");
      continue;
    }
    const { fatal } = await node.ended();
    const text = fatal === undefined ? "nothing" : describeReport(fatal.error);
    context.demand(text.includes("ENOSPC"), `node ${node.nodeId}: ${node.describe()}`);
    context.count("nodes that ended");
  }
  if (smallIds.length === 1) {
    const before = journal.acknowledgedCount;
    const startedAt = performance.now();
    // As long as it runs, the group refuses, so that nobody runs into its disk's end.
    await Promise.all(nodes.map((node) => node.kill()));
    await until("the others go on", FULL_TIMEOUT_MS, () =>
      journal.acknowledgedCount > before + REFUSAL_COUNT ? true : undefined,
    );
    context.countMax("gap ms, minority Max", Math.round(performance.now() - startedAt));
  }
  for (const nodeId of smallIds)
    execFileSync("mount", ["-o", `remount,size=${LARGE_BYTES}`, join(disks, `${nodeId}`)]);
  await Promise.all(nodes.filter(({ hasEnded }) => hasEnded).map((n) => cluster.start(n.nodeId)));
  const goal = journal.acknowledgedCount + 20;
  await until("it goes on with space again", FULL_TIMEOUT_MS, () =>
    journal.acknowledgedCount >= goal ? true : undefined,
  );
  await context.check();
  return context.result();
}

function unmount(place: string): void {
  mounted.delete(place);
  execFileSync("umount", [place], { stdio: "pipe" });
}

/** @returns why it cannot. */
function mountAll(
  context: PartContext,
  nodeIds: readonly number[],
  placeOf: (nodeId: number) => string,
): string | undefined {
  try {
    for (const nodeId of nodeIds) {
      const place = placeOf(nodeId);
      mkdirSync(place, { recursive: true });
      const options = ["-t", "tmpfs", "-o", `size=${SMALL_BYTES}`, "tmpfs", place];
      execFileSync("mount", options, { stdio: "pipe" });
      mounted.add(place);
      context.onDispose(() => {
        unmount(place);
        return Promise.resolve();
      });
    }
    return undefined;
  } catch (error) {
    return `no file system can be mounted: ${(error as Error).message.trim()}`;
  }
}

export const fullDisk: Scenario = {
  name: "full-disk",
  title: "a small file system runs full",
  parts: (_form: Form): readonly Part[] => [
    { name: "minority", run: (context) => run(context, [2]) },
    { name: "all", run: (context) => run(context, [1, 2, 3]) },
  ],
};
