/** What faults have in common: who is hit, in words, and what is seen of it. */

import { type DiskCondition, isFailedCall } from "@quorumlog/integration/testing";
import type { NodeEvent } from "../../cluster/node-process.ts";
import type { TestCluster } from "../../cluster/test-cluster.ts";

export function sayNodes(nodes: readonly number[]): string {
  return nodes.length === 1 ? `node ${nodes[0]}` : `nodes ${nodes.join(", ")}`;
}

/** With what they have. */
export async function startAll(cluster: TestCluster, nodes: readonly number[]): Promise<void> {
  await Promise.all(nodes.map((nodeId) => cluster.startNode(nodeId)));
}

/** @returns how many terms have had a leader since, as far as nodes tell. */
export function electionsSeen(cluster: TestCluster): () => number {
  const before = newestReign(cluster);
  const terms = new Set<number>();
  const stop = cluster.onEvent(({ name, detail }) => {
    if (name !== "role") return;
    const { role, term } = JSON.parse(detail) as { readonly role: string; readonly term: number };
    if (role === "leader" && term > before) terms.add(term);
  });
  return () => {
    stop();
    return terms.size;
  };
}

/** Counts what nodes tell, from its making on until it is stopped. */
export class EventCounter {
  readonly #stop: () => void;
  #count = 0;

  constructor(cluster: TestCluster, isWanted: (event: NodeEvent) => boolean) {
    this.#stop = cluster.onEvent((event) => {
      if (isWanted(event)) this.#count += 1;
    });
  }

  get count(): number {
    return this.#count;
  }

  stop(): number {
    this.#stop();
    return this.#count;
  }
}

function newestReign(cluster: TestCluster): number {
  return Math.max(0, ...[...cluster.views().values()].map((view) => view?.term ?? 0));
}

/** @returns whether it has: who is down has not. */
export async function setDisk(
  cluster: TestCluster,
  nodeId: number,
  condition: DiskCondition,
): Promise<boolean> {
  try {
    await cluster.node(nodeId).call("setDisk", condition);
    return true;
  } catch (error) {
    if (isFailedCall(error)) return false;
    throw error;
  }
}
