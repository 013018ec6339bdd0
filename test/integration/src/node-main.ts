/**
 * One node: a process of its own that opens a replica, and does what the harness tells it.
 *
 *     node dist/node-main.js SETTINGS     SETTINGS is the JSON of `NodeSettings`
 *
 * Ends with the replica, or with the harness.
 */

import { type FileSystem, nodeFileSystem } from "@quorumlog/log";
import {
  type Environment,
  type LogOptions,
  nodeEnvironment,
  ReplicatedLog,
} from "@quorumlog/replica";
import { openNode } from "@quorumlog/replica/testing";
import { Prng } from "@quorumlog/std";
import { openTcpTransport, parseTransportOptions } from "@quorumlog/transport";
import { parseDiskFault } from "./disk-fault.ts";
import { FaultyFileSystem } from "./faulty-file-system.ts";
import type { NodeCalls, NodeEventWord, NodeSettings } from "./node-protocol.ts";
import { nodeHandlers } from "./node-service.ts";
import { endWithParent, fail, serveCalls, tell } from "./process/parent-process.ts";
import { RoutedTransport } from "./routed-transport.ts";
import { UnsyncedFileSystem } from "./unsynced-file-system.ts";

const CLUSTER_ID = "integration";
const TOKEN = "a token for integration tests";
const LEAK_EVERY_MS = 7;

function diskOf({ disk, fault, seed }: NodeSettings): FaultyFileSystem {
  const prng = new Prng(seed);
  const inner: FileSystem =
    disk === "real"
      ? nodeFileSystem
      : new UnsyncedFileSystem({
          prng,
          ...(disk === "leaky-until-synced" ? { leakEveryMs: LEAK_EVERY_MS } : {}),
        });
  const faulty = new FaultyFileSystem(inner, () => {
    process.kill(process.pid, "SIGKILL");
  });
  if (fault !== undefined) faulty.arm(parseDiskFault(fault));
  return faulty;
}

/** On a disk that forgets, the end of a process is that of its machine, which is booted anew. */
function environmentOf({ disk, seed }: NodeSettings): Environment {
  if (disk === "real") return nodeEnvironment;
  return { ...nodeEnvironment, bootId: () => `process ${process.pid}, ${seed}` };
}

async function open(settings: NodeSettings, fileSystem: FileSystem): Promise<ReplicatedLog> {
  const { directory, nodeId, ifMissing, listen, peers, tuning } = settings;
  const { flush, retentionBytes, routes } = settings;
  const options: LogOptions = {
    directory,
    clusterId: CLUSTER_ID,
    nodeId,
    ifMissing,
    peers,
    listen,
    token: TOKEN,
    tuning,
    recoverFromPeers: settings.recoverFromPeers === true,
    fileSystem,
    environment: environmentOf(settings),
    ...(flush === undefined ? {} : { flush }),
    onEvent: (event) => {
      if (event.type === "failed") {
        fail("service", event.error);
        return;
      }
      const { type, ...detail } = event;
      if (type !== "configuration")
        tell({ type: "event", name: type, detail: JSON.stringify(detail) } satisfies NodeEventWord);
    },
    ...(retentionBytes === undefined ? {} : { retention: { bytes: retentionBytes } }),
  };
  if (routes === undefined) return ReplicatedLog.open(options);
  const place = { directory, clusterId: CLUSTER_ID, nodeId, groupId: 0, ifMissing, fileSystem };
  const { incarnation } = openNode({ ...place, foundersAgree: true });
  const input = { clusterId: CLUSTER_ID, nodeId, incarnation, listen, token: TOKEN };
  const inner = await openTcpTransport({
    options: parseTransportOptions(input),
    log: () => undefined,
  });
  const transport = new RoutedTransport(inner, new Map(Object.entries(routes)));
  return ReplicatedLog.open({ ...options, transport });
}

async function main(settings: NodeSettings): Promise<void> {
  const disk = diskOf(settings);
  let log: ReplicatedLog;
  try {
    log = await open(settings, disk);
  } catch (error) {
    fail("open", error);
    return;
  }
  serveCalls<NodeCalls>(nodeHandlers(log, disk));
}

endWithParent();
await main(JSON.parse(process.argv[2] ?? "") as NodeSettings);
