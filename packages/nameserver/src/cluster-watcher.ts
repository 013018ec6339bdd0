/** A client that watches: it is told of the newest cluster as fast as it reads, and of no other. */

import { endWith, type OperationError, type ServerWritableStream } from "@quorumlog/protocol";
import type { Cluster as ClusterMessage, WatchClusterRequest } from "@quorumlog/protocol/messages";
import type { Cluster, ClusterMetadata } from "./cluster.ts";
import { clusterMessage, ofTopics, routesMessage } from "./cluster-message.ts";
import { NewestWriter } from "./newest-writer.ts";

export type WatchCall = ServerWritableStream<WatchClusterRequest, ClusterMessage.$Properties>;

export class ClusterWatcher {
  readonly #call: WatchCall;
  readonly #topics: ReadonlySet<string>;
  readonly #writer: NewestWriter<Cluster, ClusterMessage.$Properties>;
  #offered: Cluster | undefined;
  #metadataTold: ClusterMetadata | undefined;

  /** @param topics - None: all. */
  constructor(call: WatchCall, topics: ReadonlySet<string>) {
    this.#call = call;
    this.#topics = topics;
    this.#writer = new NewestWriter(call, (cluster) => this.#messageOf(cluster));
  }

  offer(cluster: Cluster): void {
    if (cluster === this.#offered) return;
    this.#offered = cluster;
    this.#writer.write(cluster);
  }

  end(error: OperationError): void {
    endWith(this.#call, error);
  }

  #messageOf(cluster: Cluster): ClusterMessage.$Properties {
    const { metadata } = cluster;
    if (metadata === this.#metadataTold) return routesMessage(cluster);
    this.#metadataTold = metadata;
    return clusterMessage(ofTopics(cluster, this.#topics));
  }
}
