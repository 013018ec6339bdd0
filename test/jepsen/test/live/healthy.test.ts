// Goal: each workload's history of a healthy cluster is valid, also when clients crash.
// Method: clusters of processes, and processes of clients, one of which is killed on the way.

import { expect, onTestFinished, test } from "vitest";
import type { ClusterKind } from "../../src/cluster/target.ts";
import { TestCluster } from "../../src/cluster/test-cluster.ts";
import { WORKLOADS } from "../../src/workload/all-workloads.ts";
import { beginRun } from "../kit/recorded-run.ts";

const TEST_MS = 240_000;

async function startCluster(kind: ClusterKind): Promise<TestCluster> {
  const cluster = await TestCluster.start({ kind, nodes: 3, seed: 5 });
  onTestFinished(() => cluster.stop());
  return cluster;
}

test.each(WORKLOADS.map((workload) => [workload.name, workload] as const))(
  "%s",
  async (_name, workload) => {
    const cluster = await startCluster(workload.kind);
    const { clients, events, completed } = await beginRun(workload, cluster.target);
    await completed(400);
    expect(await clients.crash()).toContain("clients");
    await completed(1_200);
    expect(await clients.drain()).toBe(true);

    const verdict = workload.check(events);
    expect(verdict).toMatchObject({ valid: true, anomalies: [], unknown: [] });
    for (const [name, count] of Object.entries(verdict.counts))
      if (name !== "recovered" && name !== "redelivered")
        expect([name, count]).not.toEqual([name, 0]);
    expect(events.map(({ index }) => index)).toEqual(events.map((_, i) => i));
    const times = events.map(({ timeNs }) => timeNs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  },
  TEST_MS,
);
