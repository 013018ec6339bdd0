// Goal: the groups of a process share its port and nothing else.
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { expect, test } from "vitest";
import { nodeEnvironment, ReplicatedLog } from "../src/index.ts";

const PEERS = { 1: "a:1", 2: "b:1", 3: "c:1" };
const TUNING = { segmentBytes: 65_536 };

async function appendTo(logs: readonly ReplicatedLog[], text: string): Promise<void> {
  const leaderId = await (logs[0] as ReplicatedLog).leader();
  await logs[leaderId - 1]?.append(Buffer.from(text));
}

test("groups of the same nodes have logs of their own, over one transport", async () => {
  const network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
  const transports = new Map(
    [1, 2, 3].map((nodeId) => [nodeId, network.transport({ nodeId, incarnation: 0 })]),
  );
  const disks = new Map(
    [1, 2, 3].map((nodeId) => [nodeId, new MemoryFileSystem({ prng: new Prng(nodeId) })]),
  );
  const open = (nodeId: number, groupId: number): Promise<ReplicatedLog> => {
    const fileSystem = disks.get(nodeId) as MemoryFileSystem;
    const transport = transports.get(nodeId);
    if (transport === undefined) throw new Error("no transport");
    return ReplicatedLog.open({
      directory: "/node",
      clusterId: "c",
      nodeId,
      groupId,
      peers: PEERS,
      ifMissing: "found",
      transport,
      fileSystem,
      tuning: TUNING,
    });
  };

  const first = await Promise.all([1, 2, 3].map((nodeId) => open(nodeId, 0)));
  const second = await Promise.all([1, 2, 3].map((nodeId) => open(nodeId, 7)));
  await appendTo(first, "first");
  await appendTo(second, "second");

  for (const [logs, text] of [[first, "first"] as const, [second, "second"] as const])
    for (const log of logs) {
      await log.readBarrier();
      expect(log.read(0).records.map(({ data }) => Buffer.from(data).toString())).toEqual([text]);
    }
  for (const log of [...first, ...second]) await log.close({ handOver: false });
});
