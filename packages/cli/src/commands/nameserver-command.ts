/** `quorumlog nameserver`: says where things are, and keeps nothing on a disk. */

import { NameServer, type NameServerEvent, type NameServerLimits } from "@quorumlog/nameserver";
import { type Command, command } from "../command.ts";
import { tellEvent } from "../event-log.ts";
import { aborted, endInTime, endOnDefect, tellParent } from "../process-life.ts";
import { addressProblem } from "../setting-spec.ts";
import { METRICS_TLS, metricsTls, SERVER_TLS, serverTls, tlsProblems } from "../tls-settings.ts";

const LIMITS: readonly (keyof NameServerLimits)[] = [
  "expiryMs",
  "scanMs",
  "messageBytesMax",
  "clusterCountMax",
  "registrationCountMax",
  "watcherCountMax",
  "topicCountMax",
  "configurationCountMax",
];

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
    expiryMs: { type: "integer", about: "without a word for so long, a node leaves the routes" },
    scanMs: { type: "integer", about: "between looks for such nodes" },
    messageBytesMax: { type: "integer", about: "of a message that is received" },
    clusterCountMax: { type: "integer", about: "clusters that are served" },
    registrationCountMax: { type: "integer", about: "nodes that are connected" },
    watcherCountMax: { type: "integer", about: "clients that are connected" },
    topicCountMax: { type: "integer", about: "topics of a cluster" },
    configurationCountMax: { type: "integer", about: "values of a cluster's configuration" },
    clusterId: { type: "text", about: "serves this cluster alone; default: any" },
    ...SERVER_TLS,
    ...METRICS_TLS,
  },
  {
    name: "nameserver",
    about: "runs a NameServer",
    examples: ["quorumlog nameserver --listen 10.0.0.1:9876"],
    relations: tlsProblems,
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

/** Those that were said: bounds and defaults are the NameServer's own. */
function limitsOf(
  settings: Readonly<Record<keyof NameServerLimits, number | undefined>>,
): Partial<NameServerLimits> {
  const given = LIMITS.filter((name) => settings[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, settings[name]]));
}
