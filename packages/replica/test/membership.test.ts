// Goal: nodes come and go while appends go on, and every record stays readable from the first.
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { afterEach, describe, expect, test } from "vitest";
import { nodeEnvironment, ReplicaError, type ReplicaEvent, ReplicatedLog } from "../src/index.ts";
import { startCluster, type TestCluster } from "../src/testing/index.ts";

const clusters: TestCluster[] = [];
const TUNING = { segmentBytes: 65_536, snapshotEveryBytes: 65_536 };

async function start(nodes: number): Promise<TestCluster> {
  const cluster = await startCluster({ nodes, tuning: TUNING });
  clusters.push(cluster);
  return cluster;
}

afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.close();
});

/** Appends until it is told to stop, by whoever leads; counts what was acknowledged. */
class Writer {
  acknowledged = 0;
  #isStopped = false;
  readonly #done: Promise<void>;

  constructor(cluster: TestCluster) {
    this.#done = this.#run(cluster);
  }

  async stop(): Promise<number> {
    this.#isStopped = true;
    await this.#done;
    return this.acknowledged;
  }

  async #run(cluster: TestCluster): Promise<void> {
    while (!this.#isStopped) {
      const leader = cluster.logs.find((log) => log.status().role === "leader");
      try {
        const expectedOffset = this.acknowledged;
        await leader?.append(Buffer.alloc(1_000, expectedOffset % 251), { expectedOffset });
        if (leader !== undefined) this.acknowledged += 1;
      } catch (error) {
        if (!(error instanceof ReplicaError)) throw error;
        // Its outcome was unknown the first time: it had been stored.
        if (error.code === "OFFSET_MISMATCH") this.acknowledged = error.nextOffset as number;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function ids(log: ReplicatedLog): number[] {
  return log.status().configuration.voters.map(({ id }) => id);
}

async function addVoter(cluster: TestCluster, nodeId: number): Promise<void> {
  await cluster.join(nodeId);
  const leader = await leaderOf(cluster);
  await leader.addLearner(nodeId, cluster.address(nodeId));
  await leader.promote(nodeId);
}

async function leaderOf(cluster: TestCluster): Promise<ReplicatedLog> {
  for (;;) {
    const leader = cluster.logs.find((log) => log.status().role === "leader");
    if (leader !== undefined) return leader;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function expectAll(log: ReplicatedLog, count: number): void {
  const { records } = log.read(0, { maxBytes: 64 * 1024 * 1024 });
  expect(records).toHaveLength(count);
  for (const { offset, data } of records) expect(data[999]).toBe(offset % 251);
}

describe("a group", () => {
  test("grows from one node to three under load, and each holds everything", async () => {
    const cluster = await start(1);
    const writer = new Writer(cluster);

    await addVoter(cluster, 2);
    await addVoter(cluster, 3);
    const count = await writer.stop();

    expect(count).toBeGreaterThan(10);
    for (const log of cluster.logs) {
      await log.readBarrier();
      expect(ids(log)).toEqual([1, 2, 3]);
      expectAll(log, count);
    }
  });

  test("is replaced node by node under load, and offset 0 still reads", async () => {
    const cluster = await start(3);
    const writer = new Writer(cluster);

    for (const former of [1, 2, 3]) {
      const next = former + 3;
      await cluster.join(next);
      const leader = await leaderOf(cluster);
      if (leader.status().nodeId === former) {
        const heir = leader.status().configuration.voters.find(({ id }) => id !== former);
        await leader.transferLeadership(heir?.id as number);
      }
      const place = { nodeId: next, address: cluster.address(next) };
      await (await leaderOf(cluster)).replace(former, place);
      await cluster.kill(former);
    }
    const count = await writer.stop();

    expect(cluster.logs.map((log) => log.status().nodeId)).toEqual([4, 5, 6]);
    for (const log of cluster.logs) {
      await log.readBarrier();
      expect(ids(log)).toEqual([4, 5, 6]);
      expectAll(log, count);
    }
  });

  test("goes on after a member is removed", async () => {
    const cluster = await start(3);
    const leader = await cluster.leader();
    const other = ids(leader).find((id) => id !== leader.status().nodeId) as number;

    await leader.remove(other);
    await cluster.kill(other);

    expect((await leader.append(Buffer.of(1))).offset).toBe(0);
    expect(ids(leader)).not.toContain(other);
  });

  test("does not take a founder back whose disk was lost, until it is added anew", async () => {
    const cluster = await start(3);
    const leader = await cluster.leader();
    await leader.append(Buffer.alloc(1_000, 0));
    const lost = ids(leader).find((id) => id !== leader.status().nodeId) as number;
    await cluster.kill(lost);
    await cluster.wipe(lost);

    const refusal = cluster.restart(lost, "found");

    await expect(refusal).rejects.toMatchObject({ code: "DISK_LOST" });
    await leader.remove(lost);
    await cluster.wipe(lost);
    const back = await cluster.restart(lost, "join");
    await leader.addLearner(lost, cluster.address(lost));
    await leader.promote(lost);
    await back.readBarrier();
    expect(ids(back)).toEqual([1, 2, 3]);
    expectAll(back, 1);
  });

  test("counts no change as refused that is in the log", async () => {
    const cluster = await start(3);
    const leader = await cluster.leader();
    const others = ids(leader).filter((id) => id !== leader.status().nodeId);
    for (const id of others) await cluster.kill(id);
    const controller = new AbortController();

    const change = leader.remove(others[0] as number, { signal: controller.signal });
    setTimeout(() => {
      controller.abort();
    }, 20);

    await expect(change).rejects.toMatchObject({ code: "ABORTED", outcome: "unknown" });
  });

  test("waits for all its founders to begin, and says for whom", async () => {
    const network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
    const controller = new AbortController();
    const events: ReplicaEvent[] = [];

    const opening = ReplicatedLog.open({
      directory: "/node",
      clusterId: "c",
      nodeId: 1,
      ifMissing: "found",
      peers: { 1: "a:1", 2: "b:1" },
      transport: network.transport({ nodeId: 1, incarnation: 0 }),
      fileSystem: new MemoryFileSystem({ prng: new Prng(1) }),
      onEvent: (event) => events.push(event),
      signal: controller.signal,
    });
    await Promise.resolve();
    controller.abort();

    await expect(opening).rejects.toMatchObject({ code: "ABORTED" });
    expect(events).toEqual([{ type: "founding", waitingFor: [2] }]);
  });

  test("refuses changes that make no sense, and says why", async () => {
    const cluster = await start(3);
    const leader = await cluster.leader();
    const follower = cluster.logs.find((log) => log !== leader) as ReplicatedLog;

    await expect(leader.remove(9)).rejects.toMatchObject({ code: "MEMBERSHIP_REFUSED" });
    await expect(leader.promote(9)).rejects.toMatchObject({ code: "MEMBERSHIP_REFUSED" });
    await expect(follower.remove(1)).rejects.toMatchObject({ code: "NOT_LEADER" });
    await expect(leader.addLearner(9, "127.0.0.1:1", { timeoutMs: 50 })).rejects.toMatchObject({
      code: "TIMEOUT",
      outcome: "not-applied",
    });
    await expect(leader.addLearner("9" as never, "127.0.0.1:1")).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  test("a voter keeps its vote if it is added again", async () => {
    const cluster = await start(3);
    const leader = await cluster.leader();
    const { nodeId } = (cluster.logs.find((log) => log !== leader) as ReplicatedLog).status();

    const again = leader.addLearner(nodeId, cluster.address(nodeId));

    await expect(again).rejects.toMatchObject({ code: "MEMBERSHIP_REFUSED" });
    expect(ids(leader)).toHaveLength(3);
  });
});
