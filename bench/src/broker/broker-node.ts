/** A node of a broker group, as its own process: `node broker-node.js JSON`. */

import { readFileSync } from "node:fs";
import { Broker, giveHeapHeadroom } from "@quorumlog/broker";
import { type BenchTls, serverTlsOf } from "./server-tls.ts";

export interface BrokerNodeConfig {
  /** 1 has the cluster's metadata, too. */
  readonly groupId: number;
  readonly nodeId: number;
  readonly directory: string;
  readonly nameServer: string;
  /** Of each node, for the others. */
  readonly peers: Readonly<Record<number, string>>;
  /** Nothing is trimmed. */
  readonly keepsAll: boolean;
  /** On every port. */
  readonly tls: BenchTls | undefined;
}

export interface NodeUsage {
  readonly isLeader: boolean;
  readonly cpuMicros: number;
  readonly anonymousKb: number;
}

/** Of each node's log: what is trimmed is written to again, as in the bare program. */
const RETENTION_BYTES = 2 * 1024 ** 3;

const config = JSON.parse(process.argv[2] ?? "{}") as BrokerNodeConfig;
const { groupId, nodeId, directory, nameServer, peers, keepsAll, tls } = config;
giveHeapHeadroom();
const broker = await Broker.open({
  listen: "127.0.0.1:0",
  nameServers: [nameServer],
  groupId,
  retention: keepsAll ? "keep" : { bytes: RETENTION_BYTES },
  ...(tls === undefined ? {} : { tls: serverTlsOf(tls), channelTls: tls }),
  replica: {
    directory,
    clusterId: "bench",
    nodeId,
    peers,
    token: "the token of the bench",
    ...(tls === undefined
      ? {}
      : { tls: { key: tls.key, cert: tls.certificate, ca: tls.authority } }),
    ifMissing: "found",
  },
  onDefect: (error) => {
    console.error(error);
    process.exit(1);
  },
});
process.on("message", () => {
  process.send?.(usage());
});
process.on("disconnect", () => process.exit(0));
process.send?.("ready");

function usage(): NodeUsage {
  const { user, system } = process.cpuUsage();
  const found = /RssAnon:\s+(?<kb>\d+)/u.exec(readFileSync("/proc/self/status", "utf8"));
  return {
    isLeader: broker.group.isLeader,
    cpuMicros: user + system,
    anonymousKb: Number(found?.groups?.["kb"] ?? 0),
  };
}
