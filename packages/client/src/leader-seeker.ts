/**
 * Which node of a broker group to ask: the leader as far as it is known, and when that one does not
 * answer as a leader does, the others in turn, until somebody knows better.
 */

import { OperationError } from "@quorumlog/protocol";
import type { RouteSource } from "./route-source.ts";

/** After that the leader is asked again: it may have been away for a moment. */
const FAILED_MS = 2_000;

export class LeaderSeeker {
  readonly groupId: number;
  readonly #routes: RouteSource;
  /** Of the leader that has failed. */
  #failedTerm = -1;
  #failedNodeId = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #turn = 0;

  constructor(groupId: number, routes: RouteSource) {
    this.groupId = groupId;
    this.#routes = routes;
  }

  /** As `host:port`; `undefined` while nothing is known of the group. */
  address(): string | undefined {
    const group = this.#routes.route.groups.get(this.groupId);
    if (group === undefined) return undefined;
    const { leaderNodeId, addresses, term } = group;
    const hasFailed =
      term === this.#failedTerm &&
      leaderNodeId === this.#failedNodeId &&
      performance.now() - this.#failedAt < FAILED_MS;
    const leader = hasFailed ? undefined : addresses.get(leaderNodeId);
    if (leader !== undefined) return leader;
    const all = [...addresses.values()];
    return all[this.#turn % Math.max(1, all.length)];
  }

  /** It was asked, and did not do it; whoever asks again finds another one, or news. */
  failed(address: string, error: OperationError): void {
    if (error.leader !== undefined) this.#routes.learnLeader(error.leader);
    const group = this.#routes.route.groups.get(this.groupId);
    if (group === undefined) return;
    this.#turn += 1;
    if (group.addresses.get(group.leaderNodeId) !== address) return;
    this.#failedTerm = group.term;
    this.#failedNodeId = group.leaderNodeId;
    this.#failedAt = performance.now();
  }

  /**
   * It has done what only a leader does.
   *
   * @param term - In which it did, if it has said so; 0: it has not.
   */
  succeeded(address: string, term = 0): void {
    const group = this.#routes.route.groups.get(this.groupId);
    if (group === undefined) return;
    if (group.addresses.get(group.leaderNodeId) === address) {
      this.#failedTerm = -1;
      return;
    }
    // The routes are behind.
    const { groupId } = this;
    for (const [nodeId, other] of group.addresses)
      if (other === address) this.#routes.learnLeader({ groupId, term, nodeId, address });
  }
}
