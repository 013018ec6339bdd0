/** `quorumlog nameserver`: says where things are, and keeps nothing on a disk. */

import {
  LIMIT_BOUNDS,
  NameServer,
  type NameServerEvent,
  type NameServerLimits,
} from "@quorumlog/nameserver";
import { type Command, command } from "../command.ts";
import { tellEvent } from "../event-log.ts";
import { aborted, endInTime, endOnDefect, tellParent } from "../process-life.ts";
import { addressProblem } from "../setting-spec.ts";
import { METRICS_TLS, metricsTls, SERVER_TLS, serverTls, tlsProblems } from "../tls-settings.ts";

const LIMITS = Object.keys(LIMIT_BOUNDS) as (keyof NameServerLimits)[];

export const NAMESERVER: Command = command(
  {
    listen: {
      type: "text",
      about: "host:port for brokers and clients",
      fallback: "127.0.0.1:9876",
      check: addressProblem,
    },
    metrics: {
      type: "text",
      about: "host:port for /metrics, /health and /ready; default: none",
      check: addressProblem,
    },
    expiryMs: {
      type: "integer",
      about: "without a word for so long, a node leaves the routes",
      ...LIMIT_BOUNDS.expiryMs,
    },
    scanMs: {
      type: "integer",
      about: "between looks for such nodes",
      ...LIMIT_BOUNDS.scanMs,
    },
    messageBytesMax: {
      type: "integer",
      about: "of a message that is received",
      ...LIMIT_BOUNDS.messageBytesMax,
    },
    clusterCountMax: {
      type: "integer",
      about: "clusters that are served",
      ...LIMIT_BOUNDS.clusterCountMax,
    },
    registrationCountMax: {
      type: "integer",
      about: "nodes that are connected",
      ...LIMIT_BOUNDS.registrationCountMax,
    },
    watcherCountMax: {
      type: "integer",
      about: "clients that are connected",
      ...LIMIT_BOUNDS.watcherCountMax,
    },
    topicCountMax: {
      type: "integer",
      about: "topics of a cluster",
      ...LIMIT_BOUNDS.topicCountMax,
    },
    configurationCountMax: {
      type: "integer",
      about: "values of a cluster's configuration",
      ...LIMIT_BOUNDS.configurationCountMax,
    },
    clusterId: { type: "text", about: "serves this cluster alone; default: any" },
    ...SERVER_TLS,
    ...METRICS_TLS,
  },
  {
    name: "nameserver",
    about: "runs a NameServer",
    examples: ["quorumlog nameserver --listen 10.0.0.1:9876"],
    relations: tlsProblems,
    isServer: () => true,
    async run({ settings, signal }) {
      const { listen, clusterId, metrics } = settings;
      const tls = serverTls(settings);
      const watched = metricsTls(settings);
      const server = await NameServer.open(
        {
          listen,
          ...limitsOf(settings),
          ...(clusterId === undefined ? {} : { clusterId }),
          ...(metrics === undefined ? {} : { metrics }),
          ...(watched === undefined ? {} : { metricsTls: watched }),
          ...(tls === undefined ? {} : { tls }),
        },
        { onDefect: endOnDefect, onEvent: tellNodes },
      );
      console.log(`NameServer on ${server.address}`);
      tellParent({ type: "ready" });
      await aborted(signal);
      endInTime();
      await server.close();
    },
  },
);

/** Who comes and goes: of the rest there is much, and others may cause it. */
function tellNodes(event: NameServerEvent): void {
  if (event.type === "registered" || event.type === "left") tellEvent(event);
}

function limitsOf(settings: NameServerLimits): NameServerLimits {
  const entries = LIMITS.map((name) => [name, settings[name]]);
  return Object.fromEntries(entries) as NameServerLimits;
}
