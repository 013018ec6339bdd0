/**
 * What is known of one cluster: which nodes are there, what they have said of their groups, and the
 * newest metadata.
 *
 * Pure: it is told of registrations, heartbeats, ends of streams and the time, and gives the
 * cluster. Of two views of a group the one of the higher term is newer; within a term, the leader's
 * own; among others, the later one that knows a leader. What a node has said outlives it as long as
 * its group has a node, so that a late registration does not take a route back. So does where it
 * was, as long as it is a member: whoever looks for a node that is down is told its address.
 *
 * Invariants: a group is there if and only if a node of it is; the term of a group never goes back
 * while it is there, nor does the version of the metadata.
 */

import { assert } from "@quorumlog/std";
import type {
  Cluster,
  ClusterMetadata,
  GroupRoute,
  GroupView,
  NodeRoute,
  Registration,
} from "./cluster.ts";

interface KnownNode {
  readonly nodeId: number;
  address: string;
  groupId: number;
  heardAtMs: number;
}

interface KnownGroup {
  view: GroupView;
  /** Whose view it is. */
  fromNodeId: number;
  /** It led this term as it said so, or says now that it does not any more. */
  isLeadersOwn: boolean;
}

/** Times are milliseconds of one clock that never goes back. */
export class RouteTable {
  readonly clusterId: string;
  readonly #nodes = new Map<number, KnownNode>();
  /** Nodes that have left; a group has no more of them than members. */
  readonly #absent = new Map<number, KnownNode>();
  readonly #groups = new Map<number, KnownGroup>();
  #metadata: ClusterMetadata | undefined;
  #cluster: Cluster;
  /** The groups of `#cluster` as text: what has changed is asked after each registration. */
  #groupsText = "[]";
  #isStale = false;

  constructor(clusterId: string) {
    this.clusterId = clusterId;
    this.#cluster = { clusterId, groups: [], metadata: undefined };
  }

  get nodeCount(): number {
    return this.#nodes.size;
  }

  /** 0: there is none yet. */
  get metadataVersion(): number {
    return this.#metadata?.version ?? 0;
  }

  hasNode(nodeId: number): boolean {
    return this.#nodes.has(nodeId);
  }

  /** A whole registration, or a heartbeat of a node that has registered before. */
  register(registration: Registration, nowMs: number): void {
    assert(registration.clusterId === this.clusterId, "a node registers with its own cluster");
    const { nodeId, address, group, metadata } = registration;
    if (group !== undefined) this.#placeNode({ nodeId, address, group }, nowMs);
    const node = this.#nodes.get(nodeId);
    assert(node !== undefined, "the first registration of a node is whole");
    node.heardAtMs = nowMs;
    if (node.address !== address) {
      node.address = address;
      this.#isStale = true;
    }
    if (metadata !== undefined && metadata.version > (this.#metadata?.version ?? -1)) {
      this.#metadata = metadata;
      this.#isStale = true;
    }
  }

  /** Takes a node off the routes; its group goes with its last one. */
  leave(nodeId: number): void {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) return;
    this.#nodes.delete(nodeId);
    this.#absent.set(nodeId, node);
    this.#forgetIfEmpty(node.groupId);
    this.#isStale = true;
  }

  /** @returns the nodes that were not heard of since, and have left the routes. */
  expire(sinceMs: number): readonly number[] {
    const silent = [...this.#nodes.values()].filter(({ heardAtMs }) => heardAtMs < sinceMs);
    for (const { nodeId } of silent) this.leave(nodeId);
    return silent.map(({ nodeId }) => nodeId);
  }

  /** The same object as long as nothing has changed, and the same metadata as long as they have. */
  cluster(): Cluster {
    if (!this.#isStale) return this.#cluster;
    this.#isStale = false;
    const groups = this.#groupRoutes();
    const text = JSON.stringify(groups);
    const isNew = text !== this.#groupsText || this.#metadata !== this.#cluster.metadata;
    if (!isNew) return this.#cluster;
    this.#groupsText = text;
    this.#cluster = { clusterId: this.clusterId, groups, metadata: this.#metadata };
    return this.#cluster;
  }

  #placeNode(
    { nodeId, address, group }: { nodeId: number; address: string; group: GroupView },
    nowMs: number,
  ): void {
    const former = this.#nodes.get(nodeId);
    const { groupId } = group;
    this.#absent.delete(nodeId);
    this.#nodes.set(nodeId, { nodeId, address, groupId, heardAtMs: nowMs });
    if (former !== undefined && former.groupId !== groupId) this.#forgetIfEmpty(former.groupId);
    const known = this.#groups.get(groupId);
    const isLeadersOwn = isOwn(group, nodeId, known);
    if (known === undefined || isNewer({ view: group, fromNodeId: nodeId, isLeadersOwn }, known))
      this.#groups.set(groupId, { view: group, fromNodeId: nodeId, isLeadersOwn });
    this.#isStale = true;
  }

  #forgetIfEmpty(groupId: number): void {
    for (const node of this.#nodes.values()) if (node.groupId === groupId) return;
    this.#groups.delete(groupId);
    for (const node of this.#absent.values())
      if (node.groupId === groupId) this.#absent.delete(node.nodeId);
  }

  /** Those of whom the group has taken leave are forgotten. */
  #absentRoutes(groupId: number, view: GroupView): NodeRoute[] {
    const routes: NodeRoute[] = [];
    for (const node of this.#absent.values()) {
      if (node.groupId !== groupId) continue;
      const { voterNodeIds, learnerNodeIds } = view;
      if ([...voterNodeIds, ...learnerNodeIds].includes(node.nodeId))
        routes.push(nodeRoute(node, view));
      else this.#absent.delete(node.nodeId);
    }
    return routes.sort((one, other) => one.nodeId - other.nodeId);
  }

  #groupRoutes(): readonly GroupRoute[] {
    const routes = new Map<number, NodeRoute[]>();
    for (const node of this.#nodes.values()) {
      const { view } = this.#groups.get(node.groupId) ?? {};
      assert(view !== undefined, "a node's group is there");
      if (!routes.has(node.groupId)) routes.set(node.groupId, []);
      if (isMember(view, node.nodeId)) routes.get(node.groupId)?.push(nodeRoute(node, view));
    }
    assert(routes.size === this.#groups.size, "a group has a node");
    return [...routes]
      .sort(([one], [other]) => one - other)
      .map(([groupId, nodes]) => {
        const { view } = this.#groups.get(groupId) as KnownGroup;
        const leader = nodes.find(({ nodeId }) => nodeId === view.leaderNodeId);
        const absentNodes = this.#absentRoutes(groupId, view);
        const rank = ({ nodeId }: NodeRoute) => (nodeId === leader?.nodeId ? 0 : nodeId);
        return {
          groupId,
          name: view.name,
          term: view.term,
          leaderNodeId: leader?.nodeId ?? 0,
          nodes: nodes.sort((one, other) => rank(one) - rank(other)),
          ...(absentNodes.length === 0 ? {} : { absentNodes }),
        };
      });
  }
}

/** Who leads a term, or has led it, knows best. */
function isOwn(view: GroupView, nodeId: number, known: KnownGroup | undefined): boolean {
  if (view.leaderNodeId === nodeId) return true;
  return (
    known !== undefined &&
    known.view.term === view.term &&
    (known.isLeadersOwn ? known.fromNodeId === nodeId : known.view.leaderNodeId === nodeId)
  );
}

function isNewer(fresh: KnownGroup, known: KnownGroup): boolean {
  if (fresh.view.term !== known.view.term) return fresh.view.term > known.view.term;
  // A term has one leader: of two that claim it, one does not tell the truth, and the first stays.
  if (known.isLeadersOwn) return fresh.isLeadersOwn && fresh.fromNodeId === known.fromNodeId;
  if (fresh.isLeadersOwn) return true;
  return fresh.view.leaderNodeId !== 0 || known.view.leaderNodeId === 0;
}

/** A group whose members nobody has told yet has those that say so. */
function isMember({ voterNodeIds, learnerNodeIds }: GroupView, nodeId: number): boolean {
  if (voterNodeIds.length === 0 && learnerNodeIds.length === 0) return true;
  return voterNodeIds.includes(nodeId) || learnerNodeIds.includes(nodeId);
}

function nodeRoute({ nodeId, address }: KnownNode, view: GroupView): NodeRoute {
  return { nodeId, address, isVoter: view.voterNodeIds.includes(nodeId) };
}
