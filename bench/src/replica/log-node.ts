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
  // Bounded, as logs are: what is trimmed is written to again, as in the bare program.
  retention: { bytes: 64 * 1024 * 1024 },
  tuning: { segmentBytes: 32 * 1024 * 1024, snapshotEveryBytes: 32 * 1024 * 1024 },
});
// Node 1 makes the load, so it is to lead.
while ((await log.leader()) !== 1) {
  if (log.status().role === "leader") await log.transferLeadership(1);
  await new Promise((resolve) => setTimeout(resolve, 10));
}
serveParent((bytes) => log.append(bytes));
