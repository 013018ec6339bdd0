/** A replica as an application has it: its own process, its own disk, `ReplicatedLog`. */

import { ReplicatedLog } from "@quorumlog/replica";
import { readConfig, serveParent } from "./node-process.ts";

const { nodeId, directory, ports } = readConfig();
const peers = Object.fromEntries(
  Object.entries(ports).map(([id, port]) => [Number(id), `127.0.0.1:${port}`]),
);
const log = await ReplicatedLog.open({
  directory,
  clusterId: "bench",
  nodeId,
  ifMissing: "found",
  peers,
  token: "the token of the bench",
  retention: { bytes: 256 * 1024 * 1024 },
});
await log.leader();
if (nodeId === 1 && log.status().role !== "leader") {
  const others = Object.keys(ports).map(Number);
  throw new Error(`node 1 of ${others.length} was to lead; run it again`);
}
serveParent((bytes) => log.append(bytes));
