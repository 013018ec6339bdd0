/**
 * Where everything is, as far as a client has heard: immutable, each news makes another one. News
 * may come from a NameServer that has just begun and knows little, or is behind: what is known
 * stays known until something newer takes its place.
 */

import type { LeaderHint } from "@quorumlog/protocol";
import type { Cluster, GroupRoute as WireGroup, Topic } from "@quorumlog/protocol/messages";

export interface TopicRoute {
  readonly name: string;
  readonly topicId: number;
  /** As in topic.proto: 1 normal, 2 fifo. */
  readonly messageType: number;
  readonly isReadable: boolean;
  readonly isWritable: boolean;
  /** The broker group of each queue. */
  readonly groupIds: readonly number[];
}

/** Of the cluster's configuration. */
export interface ConfigurationEntry {
  readonly namespace: string;
  readonly key: string;
  readonly value: string;
}

export interface GroupRoute {
  readonly groupId: number;
  readonly name: string;
  readonly term: number;
  /** 0: none is known. */
  readonly leaderNodeId: number;
  /** Those that are alive, and the leader, by their ids. */
  readonly addresses: ReadonlyMap<number, string>;
}

interface RouteParts {
  readonly clusterId: string;
  readonly configuration: readonly ConfigurationEntry[];
  readonly metadataVersion: number;
  readonly topics: ReadonlyMap<string, TopicRoute>;
  readonly groups: ReadonlyMap<number, GroupRoute>;
}

export class ClusterRoute {
  static readonly empty: ClusterRoute = new ClusterRoute({
    clusterId: "",
    configuration: [],
    metadataVersion: -1,
    topics: new Map(),
    groups: new Map(),
  });

  readonly clusterId: string;
  readonly configuration: readonly ConfigurationEntry[];
  readonly metadataVersion: number;
  readonly topics: ReadonlyMap<string, TopicRoute>;
  readonly groups: ReadonlyMap<number, GroupRoute>;

  private constructor(parts: RouteParts) {
    this.clusterId = parts.clusterId;
    this.configuration = parts.configuration;
    this.metadataVersion = parts.metadataVersion;
    this.topics = parts.topics;
    this.groups = parts.groups;
  }

  /** Whether there is anything to go to. */
  get isKnown(): boolean {
    return this.groups.size > 0;
  }

  /** Of a topic that may have been deleted since. */
  topicOfId(topicId: number): TopicRoute | undefined {
    for (const topic of this.topics.values()) if (topic.topicId === topicId) return topic;
    return undefined;
  }

  merged(cluster: Cluster.$Properties): ClusterRoute {
    const groups = new Map(this.groups);
    for (const wire of cluster.groups ?? []) {
      const group = groupOf(wire);
      groups.set(group.groupId, newerGroup(groups.get(group.groupId), group));
    }
    const metadata = cluster.metadata ?? undefined;
    const isNewer = metadata !== undefined && (metadata.version ?? 0) > this.metadataVersion;
    return new ClusterRoute({
      clusterId: cluster.clusterId ?? this.clusterId,
      metadataVersion: isNewer ? (metadata.version ?? 0) : this.metadataVersion,
      topics: isNewer ? topicsOf(metadata.topics ?? []) : this.topics,
      configuration: isNewer
        ? (metadata.configuration ?? []).map(({ namespace, key, value }) => ({
            namespace: namespace ?? "",
            key: key ?? "",
            value: value ?? "",
          }))
        : this.configuration,
      groups,
    });
  }

  /** @returns itself if the hint says nothing newer. */
  withLeader({ groupId, term, nodeId, address }: LeaderHint): ClusterRoute {
    const { clusterId, configuration, metadataVersion, topics } = this;
    const known = this.groups.get(groupId);
    if (nodeId === 0 || address === "") return this;
    if (known !== undefined) {
      if (term < known.term || (term === known.term && known.leaderNodeId !== 0)) return this;
    }
    const addresses = new Map(known?.addresses).set(nodeId, address);
    const groups = new Map(this.groups);
    groups.set(groupId, {
      groupId,
      name: known?.name ?? "",
      term,
      leaderNodeId: nodeId,
      addresses,
    });
    return new ClusterRoute({ clusterId, configuration, metadataVersion, topics, groups });
  }
}

function newerGroup(known: GroupRoute | undefined, told: GroupRoute): GroupRoute {
  if (known === undefined || told.term > known.term) return told;
  // Nodes come and go within a term, and a leader once elected leads for the whole of it.
  if (told.term === known.term)
    return told.leaderNodeId === 0 ? { ...told, leaderNodeId: known.leaderNodeId } : told;
  return known;
}

function groupOf(wire: WireGroup.$Properties): GroupRoute {
  return {
    groupId: wire.groupId ?? 0,
    name: wire.name ?? "",
    term: wire.term ?? 0,
    leaderNodeId: wire.leaderNodeId ?? 0,
    addresses: new Map((wire.nodes ?? []).map((node) => [node.nodeId ?? 0, node.address ?? ""])),
  };
}

function topicsOf(topics: readonly Topic.$Properties[]): Map<string, TopicRoute> {
  return new Map(topics.map((topic) => [topic.name ?? "", topicRoute(topic)]));
}

export function topicRoute(topic: Topic.$Properties): TopicRoute {
  return {
    name: topic.name ?? "",
    topicId: topic.topicId ?? 0,
    messageType: topic.messageType ?? 0,
    isReadable: topic.isReadable ?? false,
    isWritable: topic.isWritable ?? false,
    groupIds: topic.queueGroupIds ?? [],
  };
}
