/** What is measured of a broker's node: one table, read when somebody asks. */

import type { Metric, RpcServer } from "@quorumlog/protocol";
import type { GroupStatus } from "@quorumlog/replica";
import type { BrokerGroup } from "./broker-group.ts";
import { ConsumerLag } from "./consumer-lag.ts";
import type { ProducerSessions } from "./rpc/producer-sessions.ts";

export interface BrokerMetricsInit {
  readonly group: BrokerGroup;
  readonly nodeId: number;
  readonly producers: ProducerSessions;
  /** Of clients. */
  readonly port: Pick<RpcServer, "droppedConnectionCount" | "intake">;
}

const ROLES = ["follower", "preCandidate", "candidate", "leader"] as const;
/** Entries: a few turns of a busy leader. */
const APPLY_LAG_MAX = 10_000;

export function brokerMetrics(init: BrokerMetricsInit): readonly Metric[] {
  const { group, port } = init;
  return [
    ...nodeMetrics(init),
    ...logMetrics(group),
    ...portMetrics(port),
    ...trafficMetrics(init),
  ];
}

/** Why it is no use to wait for this node; `undefined` while it runs. */
export function illnessOf({ failure }: BrokerGroup): string | undefined {
  return failure === undefined ? undefined : `the node has stopped: ${failure.message}`;
}

/** Why clients should not be sent here now. */
export function unreadinessOf({ replica }: BrokerGroup): string | undefined {
  const { leaderId, isSuspect, commitIndex, appliedIndex } = replica.status();
  if (leaderId === undefined) return "no leader is known here";
  if (isSuspect) return "the node catches up, as it may lack what it had acknowledged";
  const missing = commitIndex - appliedIndex;
  return missing > APPLY_LAG_MAX ? `${missing} entries are to be applied yet` : undefined;
}

function nodeMetrics({ group, nodeId }: BrokerMetricsInit): readonly Metric[] {
  const { replica, machine } = group;
  const { groupId, name } = group;
  return [
    {
      name: "quorumlog_node_info",
      type: "gauge",
      help: "Always 1: which node this is.",
      samples: () => {
        const { flush } = replica.status();
        return [{ labels: { node: nodeId, group_id: groupId, group: name, flush }, value: 1 }];
      },
    },
    {
      name: "quorumlog_role",
      type: "gauge",
      help: "1 for the role that the node has.",
      samples: () => {
        const { role } = replica.status();
        return ROLES.map((each) => ({ labels: { role: each }, value: each === role ? 1 : 0 }));
      },
    },
    gauge("quorumlog_term", "Of the group, as this node knows.", () => replica.status().term),
    gauge("quorumlog_leader_node", "Who leads; 0: nobody is known to.", () => {
      return replica.status().leaderId ?? 0;
    }),
    counter("quorumlog_leader_changes_total", "Leaders that this node has seen.", () => {
      return group.leaderChanges;
    }),
    gauge("quorumlog_metadata_version", "Of topics and configuration.", () => {
      return machine.metadata.version;
    }),
    gauge("quorumlog_rules_version", "By which records are applied here.", () => {
      return machine.rules.inForce;
    }),
    gauge("quorumlog_known_rules_version", "The newest that this node's program knows.", () => {
      return machine.rules.known;
    }),
    gauge("quorumlog_group_refused", "1: the metadata group does not take this group in.", () => {
      return group.refusal === undefined ? 0 : 1;
    }),
    gauge("quorumlog_topics", "That the cluster has.", () => machine.metadata.topicCount),
    gauge("quorumlog_disk_full", "1: publishes are refused for this node's disk.", () => {
      return replica.status().disk.isFull ? 1 : 0;
    }),
  ];
}

function logMetrics({ replica }: BrokerGroup): readonly Metric[] {
  const row = (name: string, help: string, read: (status: GroupStatus) => number): Metric =>
    gauge(`quorumlog_${name}`, help, () => read(replica.status()));
  return [
    row("first_index", "Of the log: its first entry.", (status) => status.firstIndex),
    row("last_index", "Of the log: its last entry.", (status) => status.lastIndex),
    row("synced_index", "The last entry on this node's disk.", (status) => status.syncedIndex),
    row("commit_index", "The last entry that is committed.", (status) => status.commitIndex),
    row("applied_index", "The last entry applied here.", (status) => status.appliedIndex),
    row("log_bytes", "On the disk.", (status) => status.logBytes),
    row("pending_bytes", "Publishes that wait or are under way.", (status) => status.pendingBytes),
    row("disk_free_bytes", "Of the node's disk.", ({ disk }) => disk.freeBytes),
    row("disk_needed_bytes", "Free, for publishes to be taken.", ({ disk }) => disk.neededBytes),
    row("disk_total_bytes", "Of the node's disk.", ({ disk }) => disk.totalBytes),
    row("disk_lag_seconds", "Age of the oldest write that is not done.", (status) => {
      return status.diskLagMs / 1_000;
    }),
    row("log_damages", "Found in files, and not mended yet.", ({ logCondition }) => {
      return logCondition.damagesFound - logCondition.damagesRepaired;
    }),
    {
      name: "quorumlog_member_lag_entries",
      type: "gauge",
      help: "On the leader: what each member has yet to get.",
      samples: () => {
        const { progress, lastIndex } = replica.status();
        return progress.map(({ id, matchIndex }) => {
          return { labels: { node: id }, value: lastIndex - matchIndex };
        });
      },
    },
  ];
}

function portMetrics(port: BrokerMetricsInit["port"]): readonly Metric[] {
  return [
    counter("quorumlog_dropped_connections_total", "One too many.", () => {
      return port.droppedConnectionCount;
    }),
    gauge("quorumlog_calls", "Of clients, that are open.", () => port.intake.streamCount),
    gauge(
      "quorumlog_unread_request_bytes",
      "Of requests that are not whole, or not read yet.",
      () => port.intake.unreadBytes(),
    ),
    counter("quorumlog_dropped_calls_total", "One too many, or of too many unread bytes.", () => {
      return port.intake.refusedCount;
    }),
  ];
}

function trafficMetrics(init: BrokerMetricsInit): readonly Metric[] {
  const { group, producers } = init;
  const { machine, traffic } = group;
  const lag = new ConsumerLag(machine);
  return [
    counter("quorumlog_messages_in_total", "Published, and acknowledged here.", () => {
      return traffic.messagesIn;
    }),
    counter("quorumlog_bytes_in_total", "Of batches that were published.", () => traffic.bytesIn),
    counter("quorumlog_messages_out_total", "Sent to fetches.", () => traffic.messagesOut),
    counter("quorumlog_bytes_out_total", "Of batches sent to fetches.", () => traffic.bytesOut),
    counter("quorumlog_messages_applied_total", "Applied here, on any node.", () => {
      return machine.applied.messages;
    }),
    {
      name: "quorumlog_publish_seconds",
      type: "histogram",
      help: "From a publish request, of one or more batches, to its answer.",
      samples: () => traffic.publishSeconds.samples(),
    },
    {
      name: "quorumlog_refused_total",
      type: "counter",
      help: "Publishes and fetches that were refused, by the code of the error.",
      samples: () =>
        [...traffic.refused].map(([code, value]) => {
          return { labels: { code }, value };
        }),
    },
    gauge("quorumlog_fetches_waiting", "For something to come.", () => traffic.fetchesWaiting),
    gauge("quorumlog_offset_groups", "Consumer groups that have offsets here.", () => {
      return machine.offsets.rows.groupCount;
    }),
    counter(
      "quorumlog_groups_expired_total",
      "Consumer groups forgotten, as nobody uses them.",
      () => {
        return machine.applied.groupsExpired;
      },
    ),
    gauge("quorumlog_producers", "With a stream to this node, that say who they are.", () => {
      return producers.sessions.size;
    }),
    gauge(
      "quorumlog_producer_topics",
      "Topics of producer groups in the log, each by each.",
      () => {
        return machine.producerGroups.rowCount;
      },
    ),
    {
      name: "quorumlog_consumer_lag_messages",
      type: "gauge",
      help: "On the leader: what a consumer group has not committed yet of a topic.",
      samples: () => (group.isLeader ? lag.samples() : []),
    },
  ];
}

function gauge(name: string, help: string, samples: () => number): Metric {
  return { name, type: "gauge", help, samples };
}

function counter(name: string, help: string, samples: () => number): Metric {
  return { name, type: "counter", help, samples };
}
