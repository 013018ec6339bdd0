// Goal: clusters of each kind are there, and take writes through their proxies.
// Method: real processes, asked as clients ask them.

import { describe, expect, onTestFinished, test } from "vitest";
import { TestCluster } from "../../src/cluster/test-cluster.ts";
import { waysBetween } from "../../src/cluster/way.ts";
import { writerTo } from "../kit/writer.ts";

const KINDS = ["broker", "registers", "log"] as const;

describe.each(KINDS)("a cluster of kind %s", (kind) => {
  test("takes writes, while its leader is cut off and after all have lost power", async () => {
    const cluster = await TestCluster.start({ kind, nodes: 3, disk: "unsynced", seed: 7 });
    onTestFinished(() => cluster.stop());
    const writer = await writerTo(cluster);
    await writer.write();

    const { nodeId: former } = await cluster.leader();
    const others = cluster.founders.filter((nodeId) => nodeId !== former);
    const silence = cluster.links.silence(waysBetween([former], others));
    await cluster.until(
      "another one leads",
      () => cluster.leaderId() !== former || undefined,
      60_000,
    );
    await writer.write();
    silence.end();
    await Promise.all(cluster.founders.map((nodeId) => cluster.losePower(nodeId)));
    await Promise.all(cluster.founders.map((nodeId) => cluster.startNode(nodeId)));
    await writer.write();

    expect(await writer.count()).toBe(3);
    expect(silence.counts()).toMatchObject({ leakedEnds: 0, ways: 8 });
    expect(cluster.unexpectedEnds).toEqual([]);
  });
});
