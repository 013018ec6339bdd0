/**
 * Where everything is, as far as a client has heard: immutable, each news makes another one. News
 * may come from a NameServer that has just begun and knows little, or is behind: what is known
 * stays known until something newer takes its place.
 */

import type { LeaderHint } from "@quorumlog/protocol";
import type {
  Cluster,
  ConfigurationEntry,
  GroupRoute as ToldGroup,
  TopicRoute as ToldTopic,
} from "@quorumlog/nameserver";

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

export interface GroupRoute {
  readonly groupId: number;
  readonly name: string;
  readonly term: number;
  /** 0: none is known. */
  readonly leaderNodeId: number;
  /** Those that are alive, and the leader, by their ids. */
  readonly addresses: ReadonlyMap<number, string>;
  /** Members that are down, where they were last, as far as NameServers have heard. */
  readonly absentAddresses: ReadonlyMap<number, string>;
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
  /** Once somebody has asked. */
  #topicsById: ReadonlyMap<number, TopicRoute> | undefined;

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
    this.#topicsById ??= new Map([...this.topics.values()].map((each) => [each.topicId, each]));
    return this.#topicsById.get(topicId);
  }

  merged(cluster: Cluster): ClusterRoute {
    const groups = new Map(this.groups);
    for (const told of cluster.groups)
      groups.set(told.groupId, newerGroup(groups.get(told.groupId), groupOf(told)));
    const { clusterId, metadata } = cluster;
    if (metadata === undefined || metadata.version <= this.metadataVersion) {
      const { configuration, metadataVersion, topics } = this;
      return new ClusterRoute({ clusterId, configuration, metadataVersion, topics, groups });
    }
    return new ClusterRoute({
      clusterId,
      metadataVersion: metadata.version,
      topics: new Map(metadata.topics.map((topic) => [topic.name, topicRoute(topic)])),
      configuration: metadata.configuration,
      groups,
    });
  }

  /** @returns itself if the hint says nothing newer. */
  withLeader({ groupId, term, nodeId, address }: LeaderHint): ClusterRoute {
    const { clusterId, configuration, metadataVersion, topics } = this;
    const known = this.groups.get(groupId);
    if (nodeId === 0 || address === "") return this;
    if (known !== undefined) {
      const isReached = known.addresses.has(known.leaderNodeId);
      if (term < known.term || (term === known.term && isReached)) return this;
    }
    const addresses = new Map(known?.addresses).set(nodeId, address);
    const groups = new Map(this.groups);
    groups.set(groupId, {
      groupId,
      name: known?.name ?? "",
      term,
      leaderNodeId: nodeId,
      addresses,
      absentAddresses: known?.absentAddresses ?? new Map(),
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

function groupOf({ groupId, name, term, leaderNodeId, ...told }: ToldGroup): GroupRoute {
  const { nodes, absentNodes = [] } = told;
  const addresses = new Map(nodes.map((node) => [node.nodeId, node.address]));
  const absentAddresses = new Map(absentNodes.map((node) => [node.nodeId, node.address]));
  return { groupId, name, term, leaderNodeId, addresses, absentAddresses };
}

/** Of what a NameServer tells, or the metadata group itself. */
export function topicRoute(topic: ToldTopic): TopicRoute {
  const { name, topicId, messageType, isReadable, isWritable, queueGroupIds: groupIds } = topic;
  return { name, topicId, messageType, isReadable, isWritable, groupIds };
}
