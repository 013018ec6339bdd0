/** One cluster of a NameServer: what is known of it, whose streams tell it, and who is told. */

import { OperationError } from "@quorumlog/protocol";
import type { Cluster, Registration } from "./cluster.ts";
import type { ClusterWatcher } from "./cluster-watcher.ts";
import type { LeaveReason, NameServerListener } from "./name-server-event.ts";
import type { RegistrarStream } from "./registrar-stream.ts";
import { RouteTable } from "./route-table.ts";

export class ServedCluster {
  readonly table: RouteTable;
  readonly #onEvent: NameServerListener;
  readonly #streams = new Map<number, RegistrarStream>();
  readonly #watchers = new Set<ClusterWatcher>();
  #told: Cluster | undefined;
  #isTelling = false;

  constructor(clusterId: string, onEvent: NameServerListener) {
    this.table = new RouteTable(clusterId);
    this.#onEvent = onEvent;
  }

  /** Nobody would miss it; except for its metadata, which brokers bring along again. */
  get isUnused(): boolean {
    return this.table.nodeCount === 0 && this.#watchers.size === 0;
  }

  /** Of two streams of one node the newest stays: the other one's connection may be long dead. */
  register(registration: Registration, stream: RegistrarStream, nowMs: number): void {
    const { nodeId, address, group } = registration;
    const former = this.#streams.get(nodeId);
    this.#streams.set(nodeId, stream);
    this.table.register(registration, nowMs);
    if (former !== undefined && former !== stream) {
      this.#tellLeft(nodeId, "replaced");
      former.end(
        new OperationError("REPLACED", `node ${nodeId} has registered from ${stream.peer}`),
      );
    }
    if (former !== stream && group !== undefined) {
      const { clusterId } = this.table;
      this.#onEvent({ type: "registered", clusterId, nodeId, groupId: group.groupId, address });
    }
    this.#tellSoon();
  }

  /** The stream of a node has ended; if another one has taken its place, that changes nothing. */
  leave(nodeId: number, stream: RegistrarStream): void {
    if (this.#streams.get(nodeId) !== stream) return;
    this.#streams.delete(nodeId);
    this.table.leave(nodeId);
    this.#tellLeft(nodeId, "ended");
    this.#tellSoon();
  }

  /** Takes nodes off the routes that were not heard of since, and ends their streams. */
  expire(sinceMs: number): void {
    for (const nodeId of this.table.expire(sinceMs)) {
      const stream = this.#streams.get(nodeId);
      this.#streams.delete(nodeId);
      this.#tellLeft(nodeId, "expired");
      stream?.end(new OperationError("TIMEOUT", "nothing was heard of this node for too long"));
      this.#tellSoon();
    }
  }

  watch(watcher: ClusterWatcher): void {
    this.#watchers.add(watcher);
    watcher.offer(this.table.cluster());
  }

  unwatch(watcher: ClusterWatcher): void {
    this.#watchers.delete(watcher);
  }

  /** What happens in one turn is told once. */
  #tellSoon(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      this.#tell();
    });
  }

  #tell(): void {
    const cluster = this.table.cluster();
    if (cluster === this.#told) return;
    this.#told = cluster;
    for (const watcher of this.#watchers) watcher.offer(cluster);
    const { clusterId, nodeCount, metadataVersion } = this.table;
    this.#onEvent({ type: "changed", clusterId, nodeCount, metadataVersion });
  }

  #tellLeft(nodeId: number, reason: LeaveReason): void {
    this.#onEvent({ type: "left", clusterId: this.table.clusterId, nodeId, reason });
  }
}
