/**
 * Files of a node that is down are damaged, and it is started on them. It may refuse them, or mend
 * them, or not need them; it may not serve or lead with holes.
 *
 * What a node wrote last, and nothing on its disk says to have been synced, cannot be told from
 * what a crash has torn. So the others have everything that it has before it is damaged, and no
 * other node is harmed until it has caught up: else acknowledged entries would be lost by two
 * faults, of which one is all that three nodes stand.
 */

import { existsSync, readFileSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { EXIT_CODE, ProcessCallError, sleep } from "@quorumlog/integration/testing";
import { replaceNode } from "../../cluster/membership.ts";
import type { NodeProcess } from "../../cluster/node-process.ts";
import type { TestCluster } from "../../cluster/test-cluster.ts";
import type { Fault, FaultContext } from "../fault.ts";
import {
  filesOf,
  flipBits,
  keepChunks,
  type OldChunks,
  pickFile,
  restoreChunk,
  truncate,
} from "./file-damage.ts";
import { EventCounter } from "./victims.ts";

/**
 * What became of a node that was started on damaged files. `mended`, too, if it could do without
 * them, or had what was missing from others.
 */
type Outcome = "mended" | "refused" | "noticedLater" | "noticedAsRead" | "noticedByScrub";

/** By which a node tells that it has found something of it. */
const OF_DAMAGE: ReadonlySet<string> = new Set([
  "baseDamaged",
  "checkpointDamaged",
  "logDamaged",
  "logRepaired",
  "logRepairWaiting",
  "snapshotFailed",
  "suspect",
]);

const AGE_MS = [300, 1_500] as const;
const CATCH_UP_MS = 30_000;
const READ_MS = 5_000;
const DAMAGES_MAX = 3;
const OPENINGS_MAX = 3;
const SCRUB_MS = 30_000;

export const CORRUPTION: Fault = {
  name: "corruption",
  title: "files of a node are damaged while it is down: bits, ends, old chunks",
  reach: "minority",
  needs: "plainFiles",
  begin: async (context) => {
    const { cluster, harm, prng } = context;
    const claim = harm.room === 0 ? undefined : harm.claim([prng.pick(harm.unharmed)]);
    if (claim === undefined) return undefined;
    const [nodeId = 0] = claim.nodes;
    const directory = cluster.plan.directoryOf(nodeId);
    const old = keepChunks(filesOf(directory), prng);
    await sleep(prng.between(...AGE_MS));
    cluster.expectEnd(nodeId);
    await cluster.kill(nodeId);
    await othersHaveAll(cluster, nodeId);
    const damage = damageFiles(context, filesOf(directory), old);
    const snapshots = filesOf(directory).filter((path) => isOfSnapshot(path, damage));
    return {
      nodes: [nodeId],
      words: `node ${nodeId}: ${damage.join("; ")}`,
      end: async () => {
        const events = new EventCounter(cluster, (event) => {
          return event.nodeId === nodeId && OF_DAMAGE.has(event.name);
        });
        const outcome = await startDamaged(cluster, nodeId, snapshots);
        const replaced = outcome !== "mended";
        const checkpointRemoved = !replaced && damage.some(isOfCheckpoint);
        if (replaced) await replaceNode(cluster, nodeId);
        else if (checkpointRemoved) await restartWithoutCheckpoint(cluster, nodeId);
        else cluster.unexpectEnd(nodeId);
        claim.release();
        const noticed = events.stop();
        const told = { noticed, [outcome]: true, replaced, checkpointRemoved };
        const evidence = { damages: damage.length, ...told };
        return { evidence, hasBitten: replaced || noticed > 0 };
      },
    };
  },
};

function isOfSnapshot(path: string, damage: readonly string[]): boolean {
  const name = basename(path);
  return name.endsWith(".snapshot") && damage.some((words) => words.includes(name));
}

function isOfCheckpoint(damage: string): boolean {
  return damage.includes("data.mdb");
}

/**
 * Damage of the pages that LMDB manages its room with shows when it next needs some, by the end of
 * the process. What it holds is made again from a snapshot and the log.
 */
async function restartWithoutCheckpoint(cluster: TestCluster, nodeId: number): Promise<void> {
  await cluster.kill(nodeId);
  rmSync(cluster.tablesOf(nodeId), { recursive: true, force: true });
  await cluster.startNode(nodeId);
}

function damageFiles(
  { prng }: FaultContext,
  files: readonly string[],
  old: OldChunks,
): readonly string[] {
  const damage: string[] = [];
  const count = prng.between(1, DAMAGES_MAX + 1);
  while (damage.length < count) {
    const path = pickFile(files, prng);
    const kind = prng.below(3);
    const stale = kind === 0 ? restoreChunk(path, old, prng) : undefined;
    if (stale !== undefined) damage.push(stale);
    else damage.push(kind === 1 ? truncate(path, prng) : flipBits(path, prng));
  }
  return damage;
}

/** All that this node can have acknowledged, as it is down. */
async function othersHaveAll(cluster: TestCluster, nodeId: number): Promise<void> {
  const others = cluster.memberIds.filter((id) => id !== nodeId);
  let goal = 0;
  await cluster.until(
    `others have what node ${nodeId} has`,
    () => {
      const leaderId = cluster.leaderId();
      const views = cluster.views();
      if (leaderId === undefined || leaderId === nodeId) return undefined;
      if (goal === 0) goal = views.get(leaderId)?.lastIndex ?? 0;
      const haveAll = others.every((id) => (views.get(id)?.appliedIndex ?? 0) >= goal);
      return goal > 0 && haveAll ? true : undefined;
    },
    CATCH_UP_MS,
  );
}

/**
 * @param snapshots - Paths of those that are damaged.
 * @throws Error if it ends in a way that says nothing, neither ends nor catches up, or does not
 *   notice that a snapshot is damaged
 */
async function startDamaged(
  cluster: TestCluster,
  nodeId: number,
  snapshots: readonly string[],
): Promise<Outcome> {
  const failures = new EventCounter(cluster, (event) => {
    return event.nodeId === nodeId && event.name === "snapshotFailed";
  });
  const damaged = new Map(snapshots.map((path) => [path, readFileSync(path)]));
  const hasOpened = await opens(cluster, nodeId);
  const node = cluster.node(nodeId);
  if (!hasOpened) {
    demandReason(node);
    return "refused";
  }
  try {
    await catchesUp(cluster, nodeId);
    await readsAll(node);
    if (snapshots.length === 0) return "mended";
    await notices(cluster, damaged, failures);
    return failures.count > 0 ? "noticedByScrub" : "mended";
  } catch (error) {
    if (!(error instanceof ProcessCallError)) throw error;
    if (node.end === undefined) return "noticedAsRead";
    demandReason(node);
    return "noticedLater";
  } finally {
    failures.stop();
  }
}

async function opens(cluster: TestCluster, nodeId: number, attempt = 1): Promise<boolean> {
  try {
    await cluster.startNode(nodeId, { mayEnd: true });
  } catch (error) {
    if (cluster.node(nodeId).end === undefined) throw error;
    // A damaged database may end whoever maps it: after two of them it is set aside.
    const { signal } = await cluster.node(nodeId).ended(0);
    const isMapped = existsSync(cluster.tablesOf(nodeId));
    if (signal === null || !isMapped || attempt === OPENINGS_MAX) return false;
    return opens(cluster, nodeId, attempt + 1);
  }
  return true;
}

function demandReason(node: NodeProcess): void {
  const { exitCode, fatal } = node.end ?? {};
  const isTold = exitCode === EXIT_CODE.cannotOpen || exitCode === EXIT_CODE.failed;
  if (isTold && fatal?.error.code !== undefined) return;
  throw new Error(`a node with damaged files ended without a reason:\n${node.describe()}`);
}

async function catchesUp(cluster: TestCluster, nodeId: number): Promise<void> {
  const { commitIndex } = await (await cluster.leader()).call("view", undefined);
  const node = cluster.node(nodeId);
  await cluster.until(
    `node ${nodeId} has caught up`,
    async () =>
      (await node.call("view", undefined)).appliedIndex >= commitIndex ? true : undefined,
    CATCH_UP_MS,
  );
}

function isLeft([path, bytes]: [string, Buffer]): boolean {
  return existsSync(path) && readFileSync(path).equals(bytes);
}

/**
 * A snapshot may not be needed for years, and so be noticed by the scrub alone; unless another one
 * has taken its place.
 */
async function notices(
  cluster: TestCluster,
  damaged: ReadonlyMap<string, Buffer>,
  failures: EventCounter,
): Promise<void> {
  await cluster.until(
    `damage is noticed of ${[...damaged.keys()].join(", ")}`,
    () => (failures.count > 0 || ![...damaged].some(isLeft) ? true : undefined),
    SCRUB_MS,
  );
}

/** What is damaged, and was not noticed yet, is mended while it is read, if it can be. */
async function readsAll(node: NodeProcess): Promise<void> {
  const endMs = performance.now() + READ_MS;
  for (;;) {
    try {
      await node.call("audit", undefined);
      return;
    } catch (error) {
      const isOver = node.end !== undefined || performance.now() > endMs;
      if (!(error instanceof ProcessCallError) || isOver) throw error;
      await sleep(100);
    }
  }
}
