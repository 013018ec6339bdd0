/** One client of registers or of a log: asks one node at a time, and learns who leads. */

import type { Prng } from "@quorumlog/std";
import type { Target } from "../cluster/target.ts";
import { CallError } from "../service/call-error.ts";
import { type Fields, ServiceConnection } from "./service-connection.ts";

export interface ServiceClientInit {
  /** As the cluster is now. */
  readonly target: () => Target;
  readonly prng: Prng;
}

/** Long enough for a failover, and short enough for one that does not come to be seen. */
const TIMEOUT_MS = 2_000;
/** How often a write goes to a node that may not lead, though one is thought to. */
const STRAY_CHANCE = 0.03;
/** How long a node that was not reached is left alone, if there are others. */
const AWAY_MS = 1_000;

export class ServiceClient {
  readonly #init: ServiceClientInit;
  readonly #connections = new Map<string, ServiceConnection>();
  /** Nodes that were not reached, and when. */
  readonly #awaySince = new Map<number, number>();
  #leaderId: number | undefined;

  constructor(init: ServiceClientInit) {
    this.#init = init;
  }

  /** Asks any node, once. @throws CallError */
  ask(call: string, fields: Fields): Promise<Fields> {
    return this.askNode(this.#anyNode(), call, fields);
  }

  /** Asks whoever is thought to lead, once. @throws CallError */
  async askLeader(call: string, fields: Fields): Promise<Fields> {
    const { target, prng } = this.#init;
    const { nodes } = target();
    const isKnown = this.#leaderId !== undefined && nodes.has(this.#leaderId);
    const isStray = !isKnown || prng.chance(STRAY_CHANCE);
    const nodeId = isStray ? this.#anyNode() : (this.#leaderId ?? 0);
    try {
      const answer = await this.askNode(nodeId, call, fields);
      this.#leaderId = nodeId;
      return answer;
    } catch (error) {
      if (error instanceof CallError && (error.leaderId !== undefined || !isStray))
        this.#leaderId = error.leaderId;
      throw error;
    }
  }

  /** All that are there by now, whether they answer or not. */
  get nodeIds(): number[] {
    return [...this.#init.target().nodes.keys()];
  }

  /** @throws CallError */
  async askNode(nodeId: number, call: string, fields: Fields): Promise<Fields> {
    const address = this.#init.target().nodes.get(nodeId);
    if (address === undefined) throw new RangeError(`there is no node ${nodeId}`);
    let connection = this.#connections.get(address);
    if (connection === undefined) {
      connection = new ServiceConnection(address);
      this.#connections.set(address, connection);
    }
    try {
      return await connection.call(call, fields, TIMEOUT_MS);
    } catch (error) {
      const isAway = error instanceof CallError && error.code === "NOT_REACHED";
      if (isAway) this.#awaySince.set(nodeId, performance.now());
      throw error;
    }
  }

  #anyNode(): number {
    const { target, prng } = this.#init;
    const nodeIds = [...target().nodes.keys()];
    const now = performance.now();
    const there = nodeIds.filter((nodeId) => {
      return now - (this.#awaySince.get(nodeId) ?? -Infinity) > AWAY_MS;
    });
    return prng.pick(there.length > 0 ? there : nodeIds);
  }
}
