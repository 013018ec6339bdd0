/** `quorumlog broker`: a node of a broker group. */

import { Broker } from "@quorumlog/broker";
import type { Flush, ReplicaEvent } from "@quorumlog/replica";
import { type Command, integer, list, text } from "../command.ts";
import { aborted, tellParent } from "../process-life.ts";
import { UsageError } from "../settings.ts";

const HOUR_MS = 3_600_000;

export const BROKER: Command = {
  name: "broker",
  about: "runs a node of a broker group",
  settings: {
    nodeId: { type: "integer", about: "of this node in the cluster", min: 1, isRequired: true },
    groupId: { type: "integer", about: "of its broker group", min: 1, fallback: 1 },
    groupName: { type: "text", about: "of its broker group", fallback: "broker-a" },
    clusterId: { type: "text", about: "of the cluster", fallback: "quorumlog" },
    dataDir: { type: "text", about: "of this node alone", isRequired: true },
    listen: { type: "text", about: "host:port for clients", isRequired: true },
    advertise: { type: "text", about: "host:port that clients are told; default: as it listens" },
    peers: { type: "list", about: "id=host:port of each node of the group", isRequired: true },
    token: {
      type: "text",
      about: "a secret of the cluster, of 16 bytes or more",
      isRequired: true,
    },
    nameServers: { type: "list", about: "host:port of each NameServer", fallback: [] },
    flush: {
      type: "text",
      about: "when a disk is synced",
      oneOf: ["sync", "async"],
      fallback: "sync",
    },
    ifMissing: {
      type: "text",
      about: "what to do where there is no data yet",
      oneOf: ["found", "join", "fail"],
      fallback: "found",
    },
    retentionHours: { type: "integer", about: "messages are kept so long", min: 1, fallback: 72 },
    retentionBytes: { type: "integer", about: "and up to this; default: no limit", min: 1 },
  },
  async run({ settings, signal }) {
    const { advertise, retentionBytes } = settings;
    const milliseconds = integer(settings, "retentionHours") * HOUR_MS;
    const broker = await Broker.open({
      listen: text(settings, "listen"),
      ...(advertise === undefined ? {} : { advertise: String(advertise) }),
      nameServers: list(settings, "nameServers"),
      groupId: integer(settings, "groupId"),
      groupName: text(settings, "groupName"),
      replica: {
        directory: text(settings, "dataDir"),
        clusterId: text(settings, "clusterId"),
        nodeId: integer(settings, "nodeId"),
        peers: peersOf(list(settings, "peers")),
        token: text(settings, "token"),
        ifMissing: text(settings, "ifMissing") as "found",
        flush: text(settings, "flush") as Flush,
        recoverFromPeers: true,
      },
      retention: {
        milliseconds,
        ...(retentionBytes === undefined ? {} : { bytes: Number(retentionBytes) }),
      },
      onEvent: tellEvent,
      onDefect: (error) => {
        console.error(error);
        process.exit(70);
      },
    });
    const { name } = broker.group;
    console.log(`node ${text(settings, "nodeId")} of ${name} for clients on port ${broker.port}`);
    tellParent({ type: "ready", port: broker.port });
    await aborted(signal);
    await broker.close();
  },
};

/** @throws UsageError */
function peersOf(peers: readonly string[]): Readonly<Record<number, string>> {
  const problems: string[] = [];
  const entries = peers.map((peer) => {
    const [id = "", address = ""] = peer.split("=");
    if (!/^\d+$/u.test(id) || address === "")
      problems.push(`--peers: "${peer}" is not id=host:port`);
    return [Number(id), address] as const;
  });
  if (problems.length > 0) throw new UsageError(problems);
  return Object.fromEntries(entries);
}

/** What an operator has to know; the rest is in the status. */
function tellEvent(event: ReplicaEvent): void {
  if (event.type === "failed") {
    console.error(event.error);
    process.exit(70);
  }
  if (process.env["QUORUMLOG_EVENTS"] !== undefined) console.error(JSON.stringify(event));
}
