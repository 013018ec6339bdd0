// Goal: who leads is as it was asked for, and reads from a lease are fresh.
import { afterEach, describe, expect, test } from "vitest";
import { type Environment, nodeEnvironment } from "../src/index.ts";
import { type ClusterOptions, startCluster, type TestCluster } from "../src/testing/index.ts";

/** Ten times as fast: what takes seconds is over in tenths. */
const FAST: Environment = {
  ...nodeEnvironment,
  now: () => nodeEnvironment.now() * 10,
  after: (delayMs, run) => nodeEnvironment.after(delayMs / 10, run),
};

const clusters: TestCluster[] = [];

async function start(options: ClusterOptions): Promise<TestCluster> {
  const cluster = await startCluster(options);
  clusters.push(cluster);
  return cluster;
}

afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.close();
});

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!isTrue()) {
    expect(performance.now()).toBeLessThan(deadline);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("the preferred leader", () => {
  test("gets leadership back after it was away", { timeout: 30_000 }, async () => {
    const cluster = await start({
      preferredLeaders: [2],
      environment: FAST,
      tuning: { heartbeatMs: 500, electionMs: 3_000 },
    });
    await until(() => cluster.log(2).status().role === "leader");
    await cluster.kill(2);
    const other = await cluster.leader();
    await other.append(Buffer.of(1));

    await cluster.restart(2);

    await until(() => cluster.log(2).status().role === "leader");
    expect((await cluster.log(2).append(Buffer.of(2))).offset).toBe(1);
  });
});

describe("a lease", () => {
  test("lets the leader answer, and what it answers is fresh", async () => {
    const cluster = await start({ leaseReads: true });
    const leader = await cluster.leader();
    await leader.append(Buffer.of(1));

    await leader.readBarrier();

    expect(leader.read(0).records).toHaveLength(1);
    for (const log of cluster.logs) {
      await log.readBarrier();
      expect(log.read(0).records).toHaveLength(1);
    }
  });

  test("is over when its leader hears of nobody", async () => {
    const cluster = await start({ leaseReads: true });
    const leader = await cluster.leader();
    for (const log of cluster.logs) if (log !== leader) await cluster.kill(log.status().nodeId);

    await until(() => leader.status().role !== "leader");

    await expect(leader.readBarrier({ timeoutMs: 50 })).rejects.toThrow();
  });
});
