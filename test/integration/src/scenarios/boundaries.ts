/** Scenario: a process is killed at every operation of its disk, before it and right after it. */

import type { ReplicaTuning } from "@quorumlog/replica";
import { DISK_OPERATIONS, type DiskFault, formatDiskFault } from "../disk-fault.ts";
import type { OperationCounts } from "../faulty-file-system.ts";
import { Load } from "../load.ts";
import type { NodeProcess } from "../node-process.ts";
import type { DiskKind } from "../node-protocol.ts";
import { sleep, until } from "../patience.ts";
import type { ServingEnd } from "../process/serving-process.ts";
import type { Form, Part, PartContext, PartResult, Scenario } from "../scenario.ts";

type Role = "leader" | "follower";

const SLICE_COUNT = { short: 1, full: 6 } as const;
/** Of each slice, in short form: boundaries drawn from all. */
const SAMPLE_COUNT = 3;
const DISKS: readonly DiskKind[] = ["memory-until-synced", "leaky-until-synced", "real"];
/** Small, so that all kinds of operations come soon; and a check now and then, before a trim. */
const TUNING: Partial<ReplicaTuning> = { segmentBytes: 65_536, snapshotEveryBytes: 65_536 };
const RETENTION_BYTES = 1024 * 1024;
const CHECK_EVERY = 8;
const RECORD_BYTES = 3_000;
const LOAD = { plain: 1, sessions: 1, thinkMs: 1, recordBytes: RECORD_BYTES } as const;
const ENUMERATED_APPEND_COUNT = 40;
const BOUNDARY_TIMEOUT_MS = 60_000;

interface Slice {
  readonly number: number;
  readonly disk: DiskKind;
}

/** While it serves: under load, at every boundary that some appends have. */
async function runServing(context: PartContext, role: Role, slice: Slice): Promise<PartResult> {
  const { disk } = slice;
  const retentionBytes = RETENTION_BYTES;
  const cluster = await context.startCluster({ disk, tuning: TUNING, retentionBytes });
  const target = (): Promise<NodeProcess> =>
    role === "leader" ? cluster.leader() : cluster.follower();
  keepLoad(context);
  const counts = await operationsOf(context, await target());
  const boundaries = chosen(context, boundariesOf(counts), slice.number);
  context.count("boundaries", boundaries.length);
  for (const [i, fault] of boundaries.entries()) {
    const node = await target();
    await node.call("arm", { fault: formatDiskFault(fault) });
    demandKilled(context, fault, await node.ended(BOUNDARY_TIMEOUT_MS));
    await cluster.start(node.nodeId);
    if (i % CHECK_EVERY === CHECK_EVERY - 1) {
      await context.check(Number.POSITIVE_INFINITY);
      keepLoad(context);
    }
    context.progress(`${i + 1} of ${boundaries.length}, ${formatDiskFault(fault)}`);
  }
  await context.check(Number.POSITIVE_INFINITY);
  return context.result();
}

/** While it opens what a killed process has left. */
async function runOpening(context: PartContext, disk: DiskKind): Promise<PartResult> {
  const retentionBytes = RETENTION_BYTES;
  const cluster = await context.startCluster({ disk, tuning: TUNING, retentionBytes });
  keepLoad(context);
  await appended(context, ENUMERATED_APPEND_COUNT);
  const { nodeId } = await cluster.follower();
  await cluster.kill(nodeId);
  const counts = await (await cluster.start(nodeId)).call("operations", undefined);
  const boundaries = chosen(context, boundariesOf(counts), undefined);
  for (const fault of boundaries) {
    await cluster.kill(nodeId);
    const node = await cluster.launch(nodeId, { fault: formatDiskFault(fault) });
    // What comes late in one opening may come after another one.
    demandKilled(context, fault, await node.ended(BOUNDARY_TIMEOUT_MS));
    await cluster.start(nodeId);
    context.count("boundaries");
    context.progress(`${context.counts["boundaries"]} of ${boundaries.length}`);
  }
  await context.check(Number.POSITIVE_INFINITY);
  return context.result();
}

/** While it founds the group, with nothing on its disk yet. */
async function runFounding(context: PartContext, disk: DiskKind): Promise<PartResult> {
  const { journal } = context;
  const cluster = await context.startCluster({ disk, tuning: TUNING });
  const begin = async (): Promise<void> => {
    await Promise.all(cluster.serving().map((node) => node.kill()));
    for (const nodeId of cluster.founders()) cluster.wipe(nodeId);
  };
  await begin();
  await cluster.startAll("found");
  const counts = await cluster.node(1).call("operations", undefined);
  const boundaries = chosen(context, boundariesOf(counts), undefined);
  for (const fault of boundaries) {
    await begin();
    // They wait for each other before they begin.
    const nodes = await Promise.all(
      cluster.founders().map((nodeId) => {
        const options = nodeId === 1 ? { fault: formatDiskFault(fault) } : {};
        return cluster.launch(nodeId, { ifMissing: "found", ...options });
      }),
    );
    // What is done last may be done after the others have begun, and only under load.
    const load = new Load({ ...LOAD, journal, prng: context.prng, nodes: cluster.serving });
    demandKilled(context, fault, await (nodes[0] as NodeProcess).ended(BOUNDARY_TIMEOUT_MS));
    await cluster.start(1, { ifMissing: "found" });
    await appended(context, 5);
    await load.stop();
    const hashes = new Set((await cluster.audit()).map(({ audit }) => audit.hash));
    context.demand(hashes.size === 1, `${formatDiskFault(fault)}: the replicas differ`);
    context.count("boundaries");
    context.progress(`${context.counts["boundaries"]} of ${boundaries.length}`);
  }
  return context.result();
}

function keepLoad(context: PartContext): void {
  context.keepLoad(LOAD);
}

async function appended(context: PartContext, count: number): Promise<void> {
  const { journal } = context;
  const goal = journal.acknowledgedCount + count;
  await until(`${count} appends`, BOUNDARY_TIMEOUT_MS, () =>
    journal.acknowledgedCount >= goal ? true : undefined,
  );
}

/** What a node's disk is asked for while some appends go on. */
async function operationsOf(context: PartContext, node: NodeProcess): Promise<OperationCounts> {
  // Behind the first trim, all kinds of operations come again and again.
  await until("the log is trimmed", BOUNDARY_TIMEOUT_MS, async () => {
    const { firstIndex } = await node.call("status", undefined);
    return firstIndex > 100 ? true : undefined;
  });
  await node.call("arm", { fault: undefined });
  await appended(context, ENUMERATED_APPEND_COUNT);
  await sleep(50);
  return node.call("operations", undefined);
}

function boundariesOf(counts: OperationCounts): DiskFault[] {
  const effects = ["kill-before", "kill-after"] as const;
  return DISK_OPERATIONS.flatMap((operation) =>
    Array.from({ length: counts[operation] }, (_, i) => i + 1).flatMap((number) =>
      effects.map((effect) => ({ effect, operation, number })),
    ),
  );
}

/** @param slice - `undefined` for all of them, in full form. */
function chosen(
  { form, prng }: PartContext,
  all: readonly DiskFault[],
  slice: number | undefined,
): DiskFault[] {
  if (form === "short") return prng.shuffle([...all]).slice(0, SAMPLE_COUNT);
  return all.filter((_, i) => slice === undefined || i % SLICE_COUNT.full === slice);
}

function demandKilled(context: PartContext, fault: DiskFault, end: ServingEnd): void {
  const why = end.fatal === undefined ? "" : end.fatal.error.message;
  context.demand(
    end.signal === "SIGKILL",
    `${formatDiskFault(fault)}: ended with ${end.exitCode} ${why}`,
  );
}

export const boundaries: Scenario = {
  name: "boundaries",
  title: "killed before and after every operation of the disk",
  parts: (form: Form): readonly Part[] => {
    const slices = Array.from({ length: SLICE_COUNT[form] }, (_, number) => {
      return { number, disk: DISKS[number % DISKS.length] as DiskKind };
    });
    const serving = (["follower", "leader"] as const).flatMap((role) =>
      slices.map((slice) => ({
        name: `${role} ${slice.number + 1} ${slice.disk}`,
        run: (context: PartContext) => runServing(context, role, slice),
      })),
    );
    return [
      ...serving,
      { name: "opening", run: (context) => runOpening(context, "memory-until-synced") },
      { name: "founding", run: (context) => runFounding(context, "leaky-until-synced") },
    ];
  },
};
