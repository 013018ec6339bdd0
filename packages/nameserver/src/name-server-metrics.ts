/** What is measured of a NameServer: one table, read when somebody asks. */

import type { Metric, RpcServer } from "@quorumlog/protocol";
import type { ServedCluster } from "./served-cluster.ts";

export interface NameServerMetricsInit {
  readonly clusters: () => readonly ServedCluster[];
  /** Streams of nodes, and of clients. */
  readonly registrationCount: () => number;
  readonly watcherCount: () => number;
  /** Calls and streams that were refused. */
  readonly refusedCount: () => number;
  readonly port: Pick<RpcServer, "droppedConnectionCount" | "intake">;
}

export function nameServerMetrics(init: NameServerMetricsInit): readonly Metric[] {
  return [
    row("gauge", "clusters", "That are served.", () => init.clusters().length),
    row("gauge", "registrations", "Streams of nodes.", init.registrationCount),
    row("gauge", "watchers", "Streams of clients.", init.watcherCount),
    row("counter", "refused_total", "Calls and streams.", init.refusedCount),
    row("counter", "dropped_connections_total", "One too many.", () => {
      return init.port.droppedConnectionCount;
    }),
    row("gauge", "calls", "That are open.", () => init.port.intake.streamCount),
    row("gauge", "unread_request_bytes", "Of requests that are not whole, or not read yet.", () =>
      init.port.intake.unreadBytes(),
    ),
    row("counter", "dropped_calls_total", "One too many, or of too many unread bytes.", () => {
      return init.port.intake.refusedCount;
    }),
    ofClusters(init, "nodes", "Of each cluster: that are alive.", ({ table }) => table.nodeCount),
    ofClusters(init, "metadata_version", "Of each cluster, as brokers tell.", ({ table }) => {
      return table.metadataVersion;
    }),
  ];
}

function row(type: "counter" | "gauge", name: string, help: string, samples: () => number): Metric {
  return { name: `quorumlog_nameserver_${name}`, type, help, samples };
}

function ofClusters(
  { clusters }: NameServerMetricsInit,
  name: string,
  help: string,
  read: (cluster: ServedCluster) => number,
): Metric {
  return {
    name: `quorumlog_nameserver_${name}`,
    type: "gauge",
    help,
    samples: () =>
      clusters().map((cluster) => {
        return { labels: { cluster: cluster.table.clusterId }, value: read(cluster) };
      }),
  };
}
