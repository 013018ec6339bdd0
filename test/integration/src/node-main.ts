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
import {
  type CallMessage,
  EXIT_CODE,
  type NodeMessage,
  type NodeSettings,
  reportOf,
} from "./node-protocol.ts";
import { nodeHandlers } from "./node-service.ts";
import { RoutedTransport } from "./routed-transport.ts";
import { UnsyncedFileSystem } from "./unsynced-file-system.ts";

const CLUSTER_ID = "integration";
const TOKEN = "a token for integration tests";
const LEAK_EVERY_MS = 7;
/** A node that has nobody to tell its failure to ends nevertheless. */
const LAST_WORDS_MS = 2_000;

function tell(message: NodeMessage): void {
  // A harness that is gone hears nothing; `disconnect` ends this process then.
  process.send?.(message, undefined, undefined, () => undefined);
}

function endWith(exitCode: number, message: NodeMessage): void {
  const end = (): void => {
    process.exit(exitCode);
  };
  setTimeout(end, LAST_WORDS_MS);
  process.send?.(message, undefined, undefined, end);
}

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
        endWith(EXIT_CODE.failed, {
          type: "fatal",
          during: "service",
          error: reportOf(event.error),
        });
        return;
      }
      const { type, ...detail } = event;
      if (type !== "configuration")
        tell({ type: "event", name: type, detail: JSON.stringify(detail) });
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
    endWith(EXIT_CODE.cannotOpen, { type: "fatal", during: "open", error: reportOf(error) });
    return;
  }
  let isClosed = false;
  const handlers = nodeHandlers(log, disk, () => {
    isClosed = true;
  });
  process.on("message", (message) => {
    void answer(message as CallMessage, handlers).then((reply) => {
      if (isClosed && (message as CallMessage).name === "close") endWith(EXIT_CODE.closed, reply);
      else tell(reply);
    });
  });
  tell({ type: "ready" });
}

async function answer(
  { id, name, input }: CallMessage,
  handlers: ReturnType<typeof nodeHandlers>,
): Promise<NodeMessage> {
  try {
    const handler = handlers[name] as (given: unknown) => unknown;
    return { type: "result", id, value: await handler(input) };
  } catch (error) {
    return { type: "error", id, error: reportOf(error) };
  }
}

process.on("disconnect", () => {
  process.exit(EXIT_CODE.orphaned);
});
await main(JSON.parse(process.argv[2] ?? "") as NodeSettings);
