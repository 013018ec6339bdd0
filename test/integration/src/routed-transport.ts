/** A transport whose frames go to other addresses than the replica says: through proxies. */

import type { GroupLink, GroupReceiver, Transport } from "@quorumlog/transport";

export class RoutedTransport implements Transport {
  readonly #inner: Transport;
  readonly #routes: ReadonlyMap<string, string>;
  readonly frameBytesMax: number;

  /** @param routes - Where to connect to, by the address that the replica knows. */
  constructor(inner: Transport, routes: ReadonlyMap<string, string>) {
    this.#inner = inner;
    this.frameBytesMax = inner.frameBytesMax;
    this.#routes = routes;
  }

  attach(groupId: number, receiver: GroupReceiver): GroupLink {
    const link = this.#inner.attach(groupId, receiver);
    return {
      setPeers: (addresses) => {
        const routed = [...addresses].map(([nodeId, address]): [number, string] => {
          return [nodeId, this.#routes.get(address) ?? address];
        });
        link.setPeers(new Map(routed));
      },
      send: (to, lane, parts) => link.send(to, lane, parts),
      isUp: (nodeId) => link.isUp(nodeId),
      detach: () => {
        link.detach();
      },
    };
  }

  close(onClosed: () => void): void {
    this.#inner.close(onClosed);
  }
}
