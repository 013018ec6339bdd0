// Goal: clusters of each kind are there, and take writes through their proxies.
// Method: real processes, asked as clients ask them.

import { until } from "@quorumlog/integration/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { NodesEndedError, TestCluster } from "../../src/cluster/test-cluster.ts";
import { untilWhole } from "../../src/cluster/whole.ts";
import { waysBetween } from "../../src/links/way.ts";
import { writerTo } from "../kit/writer.ts";

const KINDS = ["broker", "registers", "log"] as const;

describe.each(KINDS)("a cluster of kind %s", (kind) => {
  test("takes writes, while its leader is cut off and after all have lost power", async () => {
    const cluster = await TestCluster.start({ kind, nodes: 3, disk: "unsynced", seed: 7 });
    onTestFinished(() => cluster.stop());
    const writer = await writerTo(cluster);
    await writer.write();

    const { nodeId: former, view } = await cluster.leader();
    const votes = cluster.events
      .filter(({ name }) => name === "voteSent")
      .map(({ detail }) => JSON.parse(detail) as object);
    expect(votes).toContainEqual({ candidateId: former, term: view?.term });
    const others = cluster.founders.filter((nodeId) => nodeId !== former);
    const silence = await cluster.links.silence(waysBetween([former], others));
    await cluster.until(
      "another one leads",
      () => cluster.leaderId() !== former || undefined,
      60_000,
    );
    await writer.write();
    const { breach, hasBitten } = await silence.end();
    await Promise.all(cluster.founders.map((nodeId) => cluster.losePower(nodeId)));
    await Promise.all(cluster.founders.map((nodeId) => cluster.startNode(nodeId)));
    await writer.write();

    expect(await writer.count()).toBe(3);
    expect([breach, hasBitten]).toEqual(["", true]);
    expect(cluster.unexpectedEnds).toEqual([]);
  });
});

/** Ends without anybody's wish. */
async function end(cluster: TestCluster, nodeId: number): Promise<void> {
  const node = cluster.node(nodeId);
  // Before it serves it refuses.
  await until(`node ${nodeId} has ended`, 60_000, async () => {
    await node.call("crash", undefined).catch(() => undefined);
    return node.end;
  });
}

test("nobody waits for a majority that has ended by itself, and it is started again", async () => {
  const cluster = await TestCluster.start({ kind: "log", nodes: 3, seed: 8 });
  onTestFinished(() => cluster.stop());
  await Promise.all([end(cluster, 1), end(cluster, 2)]);

  // Longer than this test may take.
  const waits = cluster.until("never", () => undefined, 600_000);

  await expect(waits).rejects.toThrow(NodesEndedError);
  expect(cluster.endedMemberIds).toEqual([1, 2]);
  await untilWhole(cluster);
  expect(cluster.endedMemberIds).toEqual([]);
  expect(cluster.unexpectedEnds.map(({ finding }) => finding)).toEqual([undefined, undefined]);
});

test("a node that ends whenever it is started is given up", async () => {
  const cluster = await TestCluster.start({ kind: "log", nodes: 3, seed: 9 });
  onTestFinished(() => cluster.stop());
  const stop = cluster.onEvent(({ nodeId, name }) => {
    if (nodeId === 1 && name === "leader") void end(cluster, 1);
  });
  await end(cluster, 1);

  await expect(untilWhole(cluster)).rejects.toThrow(NodesEndedError);
  stop();
});
