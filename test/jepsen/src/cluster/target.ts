/** What clients are told of a cluster: where its nodes and NameServers are, and what they serve. */

/** What the nodes of a cluster are: brokers, or the library in a process with a small server. */
export type ClusterKind = "broker" | "registers" | "log";

/** Every address is where clients have to dial, as `host:port`. */
export interface Target {
  readonly kind: ClusterKind;
  /** By node id; nodes that were added are in here as soon as they were. */
  readonly nodes: ReadonlyMap<number, string>;
  /** None, unless the nodes are brokers. */
  readonly nameServers: readonly string[];
}

/** A target as it is told to another process. */
export interface TargetMessage {
  readonly kind: ClusterKind;
  readonly nodes: readonly (readonly [nodeId: number, address: string])[];
  readonly nameServers: readonly string[];
}

export function messageOfTarget({ kind, nodes, nameServers }: Target): TargetMessage {
  return { kind, nodes: [...nodes], nameServers: [...nameServers] };
}

export function targetOfMessage({ kind, nodes, nameServers }: TargetMessage): Target {
  return { kind, nodes: new Map(nodes), nameServers };
}
