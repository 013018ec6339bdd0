/** The clusters that a NameServer serves: one that it was told of, or each that registers. */

import { OperationError } from "@quorumlog/protocol";
import type { NameServerListener } from "./name-server-event.ts";
import { ServedCluster } from "./served-cluster.ts";

export interface ClusterDirectoryOptions {
  readonly clusterId: string | undefined;
  readonly clusterCountMax: number;
  readonly onEvent: NameServerListener;
}

const RETRY_AFTER_MS = 200;

export class ClusterDirectory {
  readonly #options: ClusterDirectoryOptions;
  /** None is there before a node has registered. */
  readonly #clusters = new Map<string, ServedCluster>();

  constructor(options: ClusterDirectoryOptions) {
    this.#options = options;
  }

  get clusters(): Iterable<ServedCluster> {
    return this.#clusters.values();
  }

  find(clusterId: string): ServedCluster | undefined {
    return this.#clusters.get(clusterId);
  }

  /** @throws OperationError `INVALID_ARGUMENT`, `TOO_MANY` */
  ofBroker(clusterId: string): ServedCluster {
    this.#refuseForeign(clusterId);
    const known = this.#clusters.get(clusterId);
    if (known !== undefined) return known;
    this.#makeRoom();
    const cluster = new ServedCluster(clusterId, this.#options.onEvent);
    this.#clusters.set(clusterId, cluster);
    return cluster;
  }

  /**
   * @param clusterId - Empty: the only one.
   * @throws OperationError `NOT_READY` before a node of it has registered, `INVALID_ARGUMENT`
   */
  ofClient(clusterId: string): ServedCluster {
    if (clusterId !== "") this.#refuseForeign(clusterId);
    if (clusterId === "" && this.#clusters.size > 1)
      throw refusal(`required: this NameServer serves ${this.#clusters.size} clusters`);
    const [only] = this.#clusters.values();
    const found = clusterId === "" ? only : this.#clusters.get(clusterId);
    if (found !== undefined) return found;
    const which = clusterId === "" ? "any cluster" : `cluster ${clusterId}`;
    throw new OperationError("NOT_READY", `no node of ${which} has registered here yet`, {
      retryAfterMs: RETRY_AFTER_MS,
    });
  }

  /** A node that came by mistake, and went, must not make clients say which cluster they mean. */
  forgetUnused(): void {
    for (const [clusterId, cluster] of this.#clusters)
      if (cluster.isUnused) this.#clusters.delete(clusterId);
  }

  #refuseForeign(clusterId: string): void {
    const { clusterId: own } = this.#options;
    if (own !== undefined && clusterId !== own)
      throw refusal(`this NameServer serves cluster ${own}, not ${clusterId}`);
  }

  #makeRoom(): void {
    const { clusterCountMax } = this.#options;
    if (this.#clusters.size >= clusterCountMax) this.forgetUnused();
    if (this.#clusters.size >= clusterCountMax)
      throw new OperationError("TOO_MANY", `${clusterCountMax} clusters are served already`);
  }
}

function refusal(problem: string): OperationError {
  const problems = [{ field: "cluster_id", problem }];
  return new OperationError("INVALID_ARGUMENT", `cluster_id: ${problem}`, { problems });
}
