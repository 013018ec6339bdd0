/** A node's replica with what it serves to clients, whatever kind it is of. */

import { join } from "node:path";
import { Broker } from "@quorumlog/broker";
import { KeyValueMachine, TABLE_NAMES } from "@quorumlog/example-kv";
import type { FileSystem } from "@quorumlog/log";
import {
  type Environment,
  type MachineOptions,
  ReplicatedLog,
  ReplicatedStateMachine,
} from "@quorumlog/replica";
import { openNode } from "@quorumlog/replica/testing";
import { RoutedTransport } from "@quorumlog/integration/testing";
import { LmdbTables } from "@quorumlog/tables";
import { openTcpTransport, parseTransportOptions, type Transport } from "@quorumlog/transport";
import type { CallPlace } from "../service/call-server.ts";
import { serveLog } from "../service/log-service.ts";
import { serveRegisters } from "../service/register-service.ts";
import type { NodeSettings } from "./node-protocol.ts";
import { type AuditedParts, auditState, snapshotNames, type StateAudit } from "./state-audit.ts";
import { WatchedTransport } from "./watched-transport.ts";

export interface NodeGroup {
  readonly replica: ReplicatedLog | ReplicatedStateMachine;
  audit(): Promise<StateAudit>;
  /** Of those on its disk. */
  snapshotNames(): string[];
  close(): Promise<void>;
}

export interface NodeParts {
  readonly settings: NodeSettings;
  readonly fileSystem: FileSystem;
  readonly environment: Environment;
  readonly onEvent: (name: string, detail: Readonly<Record<string, unknown>>) => void;
  /** It has stopped for good, or has a defect. */
  readonly onFailure: (error: unknown) => void;
}

type ReplicaOptions = Omit<MachineOptions, "checkpoint" | "groupId" | "onEvent" | "retention">;

/** As soon as it can be asked of the others; often, as it may be cut off from some NameServers. */
const HEARTBEAT_MS = 1_000;
const BROKER_GROUP_ID = 1;

/** @throws whatever the replica, the broker or the port is not opened for. */
export async function openNodeGroup(parts: NodeParts): Promise<NodeGroup> {
  const { kind } = parts.settings;
  const options = await replicaOptions(parts);
  if (kind === "broker") return openBroker(parts, options);
  return kind === "log" ? openLog(parts, options) : openRegisters(parts, options);
}

async function openBroker(parts: NodeParts, replica: ReplicaOptions): Promise<NodeGroup> {
  const { host, clientPort, advertise, nameServers } = parts.settings;
  const broker = await Broker.open({
    listen: `${host}:${clientPort}`,
    advertise,
    nameServers,
    heartbeatMs: HEARTBEAT_MS,
    groupId: BROKER_GROUP_ID,
    retention: "keep",
    replica,
    onEvent: listener(parts),
    onDefect: parts.onFailure,
  });
  const { group } = broker;
  return {
    replica: group.replica,
    ...auditsOf(parts, { group: group.replica, machine: group.machine, keepsLog: true }),
    close: () => broker.close(),
  };
}

async function openLog(parts: NodeParts, options: ReplicaOptions): Promise<NodeGroup> {
  const log = await ReplicatedLog.open({ ...options, onEvent: listener(parts) });
  const server = await serveLog(log, placeOf(parts));
  return {
    replica: log,
    ...auditsOf(parts, { group: log, machine: undefined, keepsLog: true }),
    close: async () => {
      await log.close();
      await server.close();
    },
  };
}

/** Its log is cut to what snapshots do not cover: who is far behind is sent one. */
async function openRegisters(parts: NodeParts, options: ReplicaOptions): Promise<NodeGroup> {
  const tables = new LmdbTables(TABLE_NAMES);
  const machine = new KeyValueMachine(tables);
  const group = await ReplicatedStateMachine.open(
    { ...options, checkpoint: tables, onEvent: listener(parts) },
    machine,
  );
  const server = await serveRegisters(group, machine, placeOf(parts));
  return {
    replica: group,
    ...auditsOf(parts, { group, machine, keepsLog: false }),
    close: async () => {
      await group.close();
      await server.close();
    },
  };
}

function placeOf({ settings: { host, clientPort: port } }: NodeParts): CallPlace {
  return { host, port };
}

function auditsOf(
  { settings }: NodeParts,
  parts: Omit<AuditedParts, "snapshots">,
): Pick<NodeGroup, "audit" | "snapshotNames"> {
  const snapshots = join(settings.directory, `group-${groupIdOf(settings)}`, "snapshots");
  return {
    audit: () => auditState({ ...parts, snapshots }),
    snapshotNames: () => snapshotNames(snapshots),
  };
}

function groupIdOf({ kind }: NodeSettings): number {
  return kind === "broker" ? BROKER_GROUP_ID : 0;
}

async function replicaOptions(parts: NodeParts): Promise<ReplicaOptions> {
  const { directory, clusterId, nodeId, ifMissing, peers, tuning, recoverFromPeers, leaseReads } =
    parts.settings;
  const { fileSystem, environment } = parts;
  const transport = await openTransport(parts);
  const place = { directory, clusterId, nodeId, ifMissing, peers, tuning };
  return { ...place, recoverFromPeers, leaseReads, transport, fileSystem, environment };
}

/** What is sent to another node goes where its link begins. */
async function openTransport({ settings, fileSystem, onEvent }: NodeParts): Promise<Transport> {
  const { directory, clusterId, nodeId, ifMissing, listen, token, routes } = settings;
  const groupId = groupIdOf(settings);
  const place = { directory, clusterId, nodeId, groupId, ifMissing, fileSystem };
  const { incarnation } = openNode({ ...place, foundersAgree: true });
  const input = { clusterId, nodeId, incarnation, listen, token };
  const inner = await openTcpTransport({
    options: parseTransportOptions(input),
    log: () => undefined,
  });
  const routed = new RoutedTransport(inner, new Map(Object.entries(routes)));
  return new WatchedTransport(routed, (vote) => {
    onEvent("voteSent", { ...vote });
  });
}

function listener({ onEvent, onFailure }: NodeParts) {
  return (event: { readonly type: string }): void => {
    const { type: name, ...detail } = event;
    const { error } = detail as { readonly error?: unknown };
    if (name === "failed") onFailure(error);
    else onEvent(name, error instanceof Error ? { ...detail, error: error.message } : detail);
  };
}
