/**
 * All there is to know to reach every queue of a cluster: what a NameServer says, and what clients
 * and brokers keep. Values: whoever has one never sees it change.
 */

export interface Cluster {
  readonly clusterId: string;
  /** In the order of their ids. */
  readonly groups: readonly GroupRoute[];
  /** `undefined`: nobody has told yet. */
  readonly metadata: ClusterMetadata | undefined;
}

/** Where a broker group is. */
export interface GroupRoute {
  readonly groupId: number;
  /** As in `broker-a`. */
  readonly name: string;
  readonly term: number;
  /** 0: none is known, or none that is alive. */
  readonly leaderNodeId: number;
  /** Those that are alive, leader first, then in the order of their ids. */
  readonly nodes: readonly NodeRoute[];
  /** Members that are not alive, where they were last; none, left out, if nobody has told. */
  readonly absentNodes?: readonly NodeRoute[];
}

export interface NodeRoute {
  readonly nodeId: number;
  /** Of its client port, as `host:port`. */
  readonly address: string;
  readonly isVoter: boolean;
}

/** What the metadata group decides and everybody else follows. */
export interface ClusterMetadata {
  /** Counts the changes; of two, the higher one is newer. */
  readonly version: number;
  readonly topics: readonly TopicRoute[];
  readonly configuration: readonly ConfigurationEntry[];
}

export interface TopicRoute {
  readonly name: string;
  /** Never given to another topic. */
  readonly topicId: number;
  /** A `MessageType` of the protocol; a later version may have more of them. */
  readonly messageType: number;
  readonly isReadable: boolean;
  readonly isWritable: boolean;
  /** Which broker group has each queue: the queue's number is the position. */
  readonly queueGroupIds: readonly number[];
  /** Of the metadata, when this topic was last changed. */
  readonly version: number;
}

export interface ConfigurationEntry {
  readonly namespace: string;
  readonly key: string;
  readonly value: string;
}

/** A broker group as one of its nodes sees it. */
export interface GroupView {
  readonly groupId: number;
  readonly name: string;
  readonly term: number;
  /** 0: none is known. */
  readonly leaderNodeId: number;
  readonly voterNodeIds: readonly number[];
  readonly learnerNodeIds: readonly number[];
}

/** What a broker's node says of itself. */
export interface Registration {
  readonly clusterId: string;
  /** From 1. */
  readonly nodeId: number;
  readonly address: string;
  /** `undefined` in a heartbeat. */
  readonly group: GroupView | undefined;
  /** `undefined` where the NameServer has this version already. */
  readonly metadata: ClusterMetadata | undefined;
}
