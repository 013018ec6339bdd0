/** `quorumlog broker`: a node of a broker group. */

import type { BrokerOptions } from "@quorumlog/broker";
import { cachedFileSystem } from "@quorumlog/log";
import { type Command, command } from "../command.ts";
import { aborted, endInTime, endOnDefect, tellParent } from "../process-life.ts";
import { tellEvent, tellIndexFailure } from "../event-log.ts";
import { addressProblem, type SettingsOf, type SettingSpecs } from "../setting-spec.ts";
import {
  channelTls,
  METRICS_TLS,
  metricsTls,
  readTls,
  SERVER_TLS,
  serverTls,
  tlsProblems,
} from "../tls-settings.ts";

const HOUR_MS = 3_600_000;
const TOKEN_BYTES_MIN = 16;
const PEER = /^(?<id>[1-9]\d*)=(?<address>.+)$/u;

const SPECS = {
  nodeId: { type: "integer", about: "of this node in the cluster", min: 1, isRequired: true },
  groupId: {
    type: "integer",
    about: "of its broker group; group 1 has the metadata",
    min: 1,
    fallback: 1,
  },
  groupName: {
    type: "text",
    about: "of its broker group; default: broker-a of group 1, broker-b of group 2, and so on",
  },
  clusterId: { type: "text", about: "of the cluster", fallback: "quorumlog" },
  dataDir: { type: "path", about: "of this node alone", isRequired: true, alias: "data" },
  listen: {
    type: "text",
    about: "host:port for clients",
    isRequired: true,
    check: addressProblem,
  },
  advertise: {
    type: "text",
    about: "host:port that clients are told; default: as it listens",
    check: addressProblem,
  },
  peers: {
    type: "list",
    about: "id=host:port of each node of the group, this one too",
    isRequired: true,
    check: peerProblem,
  },
  peerListen: {
    type: "text",
    about: "host:port to listen for peers; default: as in --peers",
    check: addressProblem,
  },
  token: {
    type: "text",
    about: "a secret of the cluster, of 16 bytes or more",
    isSecret: true,
    check: tokenProblem,
  },
  nameServers: {
    type: "list",
    about: "host:port of each NameServer",
    fallback: [],
    check: addressProblem,
  },
  heartbeatMs: {
    type: "integer",
    about: "between words to NameServers when nothing changes",
    min: 100,
    max: 3_600_000,
    fallback: 30_000,
  },
  flush: {
    type: "text",
    about: "acknowledges what is synced, or what is written and synced soon",
    oneOf: ["sync", "async"],
    fallback: "sync",
  },
  flushIntervalMs: {
    type: "integer",
    about: "of flush async: how soon",
    min: 1,
    max: 60_000,
    fallback: 500,
  },
  flushBytes: {
    type: "integer",
    about: "of flush async: or after so much",
    min: 4_096,
    fallback: 8_388_608,
  },
  logWrites: {
    type: "text",
    about: "of the log's files: past the cache of the system, where it can be, or through it",
    oneOf: ["direct", "cached"],
    fallback: "direct",
  },
  ifMissing: {
    type: "text",
    about: "what to do where there is no data yet",
    oneOf: ["found", "join", "fail"],
    fallback: "found",
  },
  acceptLoss: {
    type: "flag",
    about: "goes on without what a crash of the host may have cost: docs/operations.md",
  },
  retentionHours: { type: "integer", about: "messages are kept so long", min: 1, fallback: 72 },
  retentionBytes: { type: "integer", about: "and up to this; default: no limit", min: 1 },
  retentionDiskPercent: {
    type: "integer",
    about: "and while the disk is not fuller; default 75",
    min: 1,
    max: 99,
  },
  groupRetentionMs: {
    type: "integer",
    about: "a consumer group without members and commits is forgotten after that; 0: never",
    min: 0,
    max: 315_360_000_000,
    fallback: 604_800_000,
  },
  defaultQueueCount: {
    type: "integer",
    about: "queues of a topic that is made without saying how many",
    min: 1,
    max: 1_024,
    fallback: 4,
  },
  messageBytesMax: {
    type: "integer",
    about: "of one message, its properties included; default: 4 MiB, if half a segment holds it",
    min: 1_024,
    max: 4_194_304,
  },
  pendingBytesMax: {
    type: "integer",
    about: "of publishes that wait, of all clients: more are refused for a while",
    min: 16_777_216,
    max: 4_294_967_296,
    fallback: 67_108_864,
  },
  autoCreateTopics: {
    type: "flag",
    about: "makes a topic that a producer asks for, if there is none",
  },
  followerReadBytes: {
    type: "integer",
    about: "behind the newest entries in memory: who reads so far back reads a follower; 0: never",
    min: 0,
    fallback: 67_108_864,
  },
  segmentBytes: {
    type: "integer",
    about: "of a file of the log, which retention frees as a whole; a multiple of 4096",
    multipleOf: 4_096,
    min: 65_536,
    max: 1_073_741_824,
    fallback: 67_108_864,
  },
  diskReserveBytes: {
    type: "integer",
    about: "of free room: with less, publishes are refused; default: four segments",
    min: 0,
  },
  diskFullPercent: {
    type: "integer",
    about: "of a disk's use: beyond it, too, unless 16 GiB are free",
    min: 1,
    max: 100,
    fallback: 90,
  },
  connectionCountMax: {
    type: "integer",
    about: "connections of clients; more are dropped",
    min: 1,
    max: 1_000_000,
    fallback: 10_000,
  },
  streamCountMax: {
    type: "integer",
    about: "calls of clients at a time, of all connections; more are refused",
    min: 1,
    max: 1_000_000,
    fallback: 20_000,
  },
  unreadBytesMax: {
    type: "integer",
    about: "of requests that are not whole, or not read yet; with more, the largest are ended",
    min: 16 * 1024 * 1024,
    max: 2 ** 40,
    fallback: 512 * 1024 * 1024,
  },
  metrics: {
    type: "text",
    about: "host:port for /metrics, /health and /ready; default: none",
    check: addressProblem,
  },
  ...METRICS_TLS,
  ...SERVER_TLS,
  tlsAuthority: {
    type: "path",
    about: "PEM: whom to trust of NameServers and other groups; default: the system's authorities",
  },
  peerTlsCertificate: { type: "path", about: "PEM: peers speak TLS, and show each other this" },
  peerTlsKey: { type: "path", about: "PEM: of that certificate" },
  peerTlsAuthority: {
    type: "path",
    about: "PEM: signs for the nodes of this cluster, and nobody else",
  },
  peerTlsServerName: {
    type: "text",
    about: "name in every node's certificate; default: the host that is dialed",
  },
} as const satisfies SettingSpecs;

type BrokerSettings = SettingsOf<typeof SPECS>;

export const BROKER: Command = command(SPECS, {
  name: "broker",
  about: "runs a node of a broker group",
  notes: [
    "Each node of a group gets the same --cluster-id, --group-id, --peers and --token (or",
    "certificates for peers); --node-id, --data-dir and --listen are its own. The nodes in --peers",
    "found the group once they have all met; one that is added later starts with",
    "--if-missing join.",
  ],
  examples: [
    "quorumlog broker --node-id 1 --data-dir ./data --listen 10.0.0.1:7100 --peers " +
      "1=10.0.0.1:7101,2=10.0.0.2:7101,3=10.0.0.3:7101 --name-servers 10.0.0.1:9876",
  ],
  relations: (settings) => [...tlsProblems(settings), ...peerProblems(settings)],
  isServer: () => true,
  async run({ settings, signal }) {
    // Here, as no other command needs it, and it takes as long to load as all the rest.
    const { Broker, giveHeapHeadroom } = await import("@quorumlog/broker");
    giveHeapHeadroom();
    const broker = await Broker.open(brokerOptions(settings, signal));
    console.log(`node ${settings.nodeId} of ${broker.group.name}: clients on port ${broker.port}`);
    if (broker.metricsPort !== undefined) console.log(`figures on port ${broker.metricsPort}`);
    tellParent({ type: "ready" });
    await aborted(signal);
    endInTime();
    await broker.close();
  },
});

/** @returns what does not fit together about peers */
function peerProblems(settings: Partial<BrokerSettings>): readonly string[] {
  const { nodeId, peers, token, peerTlsCertificate, peerTlsKey, peerTlsAuthority } = settings;
  const problems: string[] = [];
  const ids = peers?.map((peer) => peerOf(peer).id) ?? [];
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) problems.push(`--peers: node ${twice} is there twice`);
  if (nodeId !== undefined && ids.length > 0 && !ids.includes(nodeId))
    problems.push(`--peers: has no ${nodeId}=host:port, where this node itself is reached`);
  const files = [peerTlsCertificate, peerTlsKey, peerTlsAuthority];
  const given = files.filter((file) => file !== undefined).length;
  if (given !== 0 && given !== files.length)
    problems.push("--peer-tls-certificate, --peer-tls-key and --peer-tls-authority go together");
  if (given === 0 && token === undefined)
    problems.push("--token is required, unless there are certificates for peers");
  return problems;
}

function tokenProblem(token: string): string | undefined {
  return Buffer.byteLength(token) < TOKEN_BYTES_MIN
    ? `is of less than ${TOKEN_BYTES_MIN} bytes`
    : undefined;
}

function brokerOptions(settings: BrokerSettings, signal: AbortSignal): BrokerOptions {
  const { advertise, listen, nameServers, groupId, groupName } = settings;
  const { retentionBytes, retentionDiskPercent, metrics, messageBytesMax } = settings;
  const tls = serverTls(settings);
  const watched = metricsTls(settings);
  const outgoing = channelTls(settings);
  return {
    listen,
    ...(advertise === undefined ? {} : { advertise }),
    ...(tls === undefined ? {} : { tls }),
    ...(outgoing === undefined ? {} : { channelTls: outgoing }),
    nameServers,
    groupId,
    ...(groupName === undefined ? {} : { groupName }),
    retention: {
      milliseconds: settings.retentionHours * HOUR_MS,
      ...(retentionBytes === undefined ? {} : { bytes: retentionBytes }),
      ...(retentionDiskPercent === undefined ? {} : { diskPercent: retentionDiskPercent }),
    },
    groupRetentionMs: settings.groupRetentionMs,
    heartbeatMs: settings.heartbeatMs,
    defaultQueueCount: settings.defaultQueueCount,
    ...(messageBytesMax === undefined ? {} : { messageBytesMax }),
    autoCreateTopics: settings.autoCreateTopics,
    followerReadBytes: settings.followerReadBytes,
    connectionCountMax: settings.connectionCountMax,
    streamCountMax: settings.streamCountMax,
    unreadBytesMax: settings.unreadBytesMax,
    ...(metrics === undefined ? {} : { metrics }),
    ...(watched === undefined ? {} : { metricsTls: watched }),
    replica: replicaOptions(settings, signal),
    onEvent: tellEvent,
    onIndexFailure: tellIndexFailure,
    onDefect: endOnDefect,
  };
}

function replicaOptions(settings: BrokerSettings, signal: AbortSignal): BrokerOptions["replica"] {
  const { dataDir, clusterId, nodeId, peers, peerListen, token, ifMissing } = settings;
  const { flush, flushIntervalMs: intervalMs, flushBytes: bytes } = settings;
  const { acceptLoss, segmentBytes, diskReserveBytes, diskFullPercent, pendingBytesMax } = settings;
  const { logWrites } = settings;
  const tls = peerTls(settings);
  return {
    directory: dataDir,
    clusterId,
    nodeId,
    peers: Object.fromEntries(peers.map(peerOf).map(({ id, address }) => [id, address])),
    ...(peerListen === undefined ? {} : { listen: peerListen }),
    ...(token === undefined ? {} : { token }),
    ...(tls === undefined ? {} : { tls }),
    ifMissing,
    ...(logWrites === "cached" ? { fileSystem: cachedFileSystem } : {}),
    flush: flush === "sync" ? "sync" : { mode: "async", intervalMs, bytes },
    acceptLoss,
    recoverFromPeers: true,
    tuning: {
      segmentBytes,
      // A trim goes from one snapshot of the state to another: as fine as the files.
      snapshotEveryBytes: segmentBytes,
      diskFullPercent,
      pendingBytesMax,
      ...(diskReserveBytes === undefined ? {} : { diskReserveBytes }),
    },
    signal,
  };
}

function peerTls(settings: BrokerSettings): BrokerOptions["replica"]["tls"] {
  const { peerTlsCertificate, peerTlsKey, peerTlsAuthority, peerTlsServerName } = settings;
  const names = { certificate: "peerTlsCertificate", key: "peerTlsKey", ca: "peerTlsAuthority" };
  const read = readTls(names, { peerTlsCertificate, peerTlsKey, peerTlsAuthority });
  const { certificate: cert, key, ca } = read;
  if (cert === undefined || key === undefined || ca === undefined) return undefined;
  const name = peerTlsServerName === undefined ? {} : { serverName: peerTlsServerName };
  return { cert, key, ca, ...name };
}

/** As in `1=10.0.0.1:7101`. */
function peerOf(peer: string): { readonly id: number; readonly address: string } {
  const [, id = "0", address = ""] = PEER.exec(peer) ?? [];
  return { id: Number(id), address };
}

function peerProblem(peer: string): string | undefined {
  const { id, address } = peerOf(peer);
  const isPeer = id > 0 && addressProblem(address) === undefined;
  return isPeer ? undefined : "is not id=host:port, as in 1=10.0.0.1:7101";
}
