// Goal: a node that was started on a wrong disk is told so, and is back on its own as if nothing
// had been: nobody else has to be started again.
// Method: three nodes with files and sockets; one is started on an empty directory meanwhile, as
// where a disk is not mounted.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@quorumlog/transport/testing";
import { expect, onTestFinished, test } from "vitest";
import { ReplicatedLog } from "../src/index.ts";
import { failure } from "./kit/clusters.ts";

test("a node that was started on an empty disk goes on with its own", async () => {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-wrong-disk-"));
  const ports = [await freePort(), await freePort(), await freePort()];
  const peers = Object.fromEntries(ports.map((port, i) => [i + 1, `127.0.0.1:${port}`]));
  const open = (nodeId: number, directory = join(folder, String(nodeId))): Promise<ReplicatedLog> =>
    ReplicatedLog.open({
      directory,
      clusterId: "c",
      nodeId,
      peers,
      token: "a secret of the tests",
      ifMissing: "found",
    });
  const nodes: [ReplicatedLog, ...ReplicatedLog[]] = await Promise.all([open(1), open(2), open(3)]);
  onTestFinished(async () => {
    for (const node of nodes) await node.close({ handOver: false });
    rmSync(folder, { recursive: true, force: true });
  });
  const leaderId = await nodes[0].leader();
  const leader = nodes[leaderId - 1] as ReplicatedLog;
  const strayId = (leaderId % 3) + 1;
  await leader.append(Buffer.from("before"));

  await nodes[strayId - 1]?.close({ handOver: false });
  expect((await failure(open(strayId, join(folder, "not mounted")))).code).toBe("DISK_LOST");
  await leader.append(Buffer.from("meanwhile"));
  const back = await open(strayId);
  nodes[strayId - 1] = back;

  await expect.poll(() => back.status().nextOffset, { timeout: 20_000 }).toBe(2);
  expect(back.read(0).records.map(({ data }) => Buffer.from(data).toString())).toEqual([
    "before",
    "meanwhile",
  ]);
}, 60_000);
