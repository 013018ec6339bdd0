// Goal: in flush mode `async` a group keeps what it acknowledged when a minority loses power, and
// says what is the matter when a majority has.

import { MemoryFileSystem, type OperationEvent } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { describe, expect, test } from "vitest";
import { nodeEnvironment } from "../src/environment.ts";
import { type ReplicatedLog, ReplicatedStateMachine } from "../src/index.ts";
import type { ReplicaEvent } from "../src/replica-event.ts";
import { startCluster } from "../src/testing/index.ts";
import { MemoryCheckpoint } from "./kit/memory-checkpoint.ts";

/** Nothing is synced by itself for a minute. */
const FLUSH = { mode: "async", intervalMs: 60_000 } as const;
const TEXTS = Array.from({ length: 20 }, (_, i) => `record ${i}`);

function texts(log: ReplicatedLog): string[] {
  return log.read(0).records.map(({ data }) => Buffer.from(data).toString());
}

async function appendAll(leader: ReplicatedLog): Promise<void> {
  for (const text of TEXTS) await leader.append(Buffer.from(text));
}

/** The disk takes what is written, and syncs no file and no directory. */
function failingSyncs({ operation }: OperationEvent): Error | undefined {
  return operation.startsWith("sync") ? new Error("EIO") : undefined;
}

function isOfNewSegment({ path }: OperationEvent): boolean {
  return /\/log(?:|\/spare\.tmp)$/u.test(path);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe("an acknowledgement", () => {
  test("says what was reached, in each mode", async () => {
    await using synced = await startCluster({ nodes: 1 });
    const first = await synced.leader();
    expect(await first.append(Buffer.of(1))).toMatchObject({ reached: "synced" });
    expect(first.status()).toMatchObject({ flush: "sync", isSuspect: false });

    await using written = await startCluster({ nodes: 1, flush: FLUSH });
    const second = await written.leader();
    for (const durability of ["quorum", "leader"] as const)
      expect(await second.append(Buffer.of(1), { durability })).toMatchObject({
        reached: "written",
      });
    const memory = await second.append(Buffer.of(1), { durability: "async" });
    expect(memory).toMatchObject({ reached: "memory" });
    const { flush, syncedIndex, lastIndex } = second.status();
    expect(flush).toBe("async");
    expect(syncedIndex).toBeLessThan(lastIndex);
  });
});

describe("a group that syncs later", () => {
  test("keeps what it acknowledged when the leader loses power", async () => {
    const events: string[] = [];
    await using cluster = await startCluster({
      flush: FLUSH,
      onEvent: (nodeId, { type }) => events.push(`${nodeId} ${type}`),
    });
    const leader = await cluster.leader();
    const { nodeId } = leader.status();
    await appendAll(leader);
    await cluster.losePower(nodeId);
    const back = await cluster.restart(nodeId);
    expect(back.status().isSuspect).toBe(true);

    const next = await cluster.leader();
    expect(next.status().nodeId).not.toBe(nodeId);
    await next.append(Buffer.from("after"));
    await until(() => !back.status().isSuspect);
    for (const log of cluster.logs) {
      await log.readBarrier();
      expect(texts(log)).toEqual([...TEXTS, "after"]);
    }
    expect(events).toContain(`${nodeId} suspect`);
    expect(events).toContain(`${nodeId} suspicionCleared`);
  });

  test("loses nothing by a close, or by the end of processes, all at once", async () => {
    await using cluster = await startCluster({ flush: FLUSH });
    await appendAll(await cluster.leader());
    for (const nodeId of [1, 2, 3]) await cluster.kill(nodeId);
    await Promise.all([1, 2, 3].map((nodeId) => cluster.restart(nodeId)));
    const leader = await cluster.leader();
    await leader.readBarrier();
    expect(texts(leader)).toEqual(TEXTS);
    expect(leader.status().isSuspect).toBe(false);
  });

  test("takes a node for suspect whose syncs fail, that of the note, too", async () => {
    const events: string[] = [];
    await using cluster = await startCluster({
      flush: { mode: "async", intervalMs: 10 },
      onEvent: (nodeId, { type }) => events.push(`${nodeId} ${type}`),
    });
    const disk = cluster.disk(1);
    // A segment that cannot be made ends a log, too, but takes nothing from it.
    disk.fault = (event) => (isOfNewSegment(event) ? undefined : failingSyncs(event));
    await appendAll(await cluster.leader()).catch(() => undefined);
    await until(() => events.includes("1 failed"));
    await cluster.kill(1);
    disk.fault = undefined;
    await cluster.restart(1);
    // It may have caught up by now.
    expect(events).toContain("1 suspect");
  });

  test("takes a node for suspect whose recovered tail could not be synced", async () => {
    await using cluster = await startCluster({ flush: FLUSH });
    await appendAll(await cluster.leader());
    const disk = cluster.disk(1);
    disk.crash("process");
    void cluster.kill(1);
    await until(() => cluster.logs.length === 2);
    disk.fault = (event) => (event.path.endsWith(".log") ? failingSyncs(event) : undefined);
    await expect(cluster.restart(1)).rejects.toMatchObject({ code: "LOG_FAILED" });
    disk.fault = undefined;
    const back = await cluster.restart(1);
    expect(back.status().isSuspect).toBe(true);
  });

  test("whose majority lost power says so, and goes on once the loss is accepted", async () => {
    const events: [number, ReplicaEvent][] = [];
    await using cluster = await startCluster({
      flush: FLUSH,
      onEvent: (nodeId, event) => events.push([nodeId, event]),
    });
    await appendAll(await cluster.leader());
    for (const nodeId of [1, 2]) await cluster.losePower(nodeId);
    for (const nodeId of [1, 2]) await cluster.restart(nodeId);
    const ofType = (type: string): ReplicaEvent[] =>
      events.filter(([, event]) => event.type === type).map(([, event]) => event);
    await until(() => ofType("majoritySuspect").length >= 3);
    expect(ofType("majoritySuspect")[0]).toEqual({ type: "majoritySuspect", nodeIds: [1, 2] });

    await cluster.kill(2);
    const accepted = await cluster.restart(2, "fail", { acceptLoss: true });
    expect(ofType("lossAccepted")).toHaveLength(1);
    expect(accepted.status().isSuspect).toBe(false);
    const leader = await cluster.leader();
    // Node 3 has not lost its power, so nothing was lost in the end.
    expect(leader.status().nodeId).toBe(3);
    await leader.readBarrier();
    expect(texts(leader)).toEqual(TEXTS);
    await until(() => !cluster.log(1).status().isSuspect);
  });

  test("of one node asks its owner, too", async () => {
    const events: ReplicaEvent[] = [];
    await using cluster = await startCluster({
      nodes: 1,
      flush: FLUSH,
      onEvent: (_, event) => events.push(event),
    });
    await appendAll(await cluster.leader());
    await cluster.losePower(1);
    await cluster.restart(1);
    await until(() => events.some(({ type }) => type === "majoritySuspect"));
    await cluster.kill(1);
    await cluster.restart(1, "fail", { acceptLoss: true });
    const leader = await cluster.leader();
    await leader.readBarrier();
    const kept = texts(leader);
    expect(kept).toEqual(TEXTS.slice(0, kept.length));
  });
});

test("a checkpoint that is ahead of what the power left of the log is not used", async () => {
  const checkpoint = new MemoryCheckpoint();
  const prng = new Prng(1);
  let isSyncing = true;
  const fileSystem = new MemoryFileSystem({
    prng,
    schedule: (run, { operation }) => {
      if (isSyncing || operation !== "sync") setImmediate(run);
    },
  });
  const open = (boot: string, isFirst: boolean): Promise<ReplicatedStateMachine> =>
    ReplicatedStateMachine.open(
      {
        directory: "/node",
        clusterId: "c",
        nodeId: 1,
        ifMissing: isFirst ? "found" : "fail",
        acceptLoss: !isFirst,
        peers: { 1: "a:1" },
        transport: new MemoryNetwork({ scheduler: nodeEnvironment, prng }).transport({
          nodeId: 1,
          incarnation: 0,
        }),
        flush: FLUSH,
        tuning: { segmentBytes: 1024 * 1024 },
        fileSystem,
        environment: { ...nodeEnvironment, bootId: () => boot },
        checkpoint,
      },
      checkpoint,
    );
  const first = await open("first", true);
  await first.leader();
  isSyncing = false;
  const proposed: string[] = [];
  while (checkpoint.pending.length === 0) {
    proposed.push(`record ${proposed.length}`);
    await first.execute(Buffer.from(proposed.at(-1) as string));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  while (checkpoint.pending.length > 0) checkpoint.settleOne();
  const keptIndex = checkpoint.kept?.position.index ?? 0;
  fileSystem.crash("power");
  isSyncing = true;
  void first.close();
  checkpoint.crash();

  await using back = await open("second", false);

  expect(back.status().lastIndex).toBeLessThan(keptIndex);
  await back.leader();
  await back.readBarrier();
  expect(checkpoint.records).toEqual(proposed.slice(0, checkpoint.records.length));
}, 20_000);
