/** `quorumlog nameserver`: says where things are, and keeps nothing on a disk. */

import { NameServer } from "@quorumlog/nameserver";
import { type Command, command } from "../command.ts";
import { aborted, endOnDefect, tellParent } from "../process-life.ts";
import { addressProblem } from "../setting-spec.ts";
import { METRICS_TLS, metricsTls, SERVER_TLS, serverTls, tlsProblems } from "../tls-settings.ts";

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
          ...(clusterId === undefined ? {} : { clusterId }),
          ...(metrics === undefined ? {} : { metrics }),
          ...(watched === undefined ? {} : { metricsTls: watched }),
          ...(tls === undefined ? {} : { tls }),
        },
        { onDefect: endOnDefect },
      );
      console.log(`NameServer on ${server.address}`);
      tellParent({ type: "ready" });
      await aborted(signal);
      await server.close();
    },
  },
);
