/**
 * The transport over TCP, with TLS or without.
 *
 * Data flows one way on a connection: from the node that dialed. Each node dials each other one
 * twice, once per lane, so that a heartbeat never waits behind a snapshot.
 *
 *     node 1 ──control──> node 2         node 2 ──control──> node 1
 *            ───bulk────>                       ───bulk────>
 *
 * Without TLS the token proves who dials and who answers, and nothing after that: whoever can
 * change packets on the way can read and change frames. That is for networks that nobody else is
 * on.
 */

import { assert, SlabPool } from "@quorumlog/std";
import { Acceptor } from "./acceptor.ts";
import { type Address, formatAddress } from "./address.ts";
import { type Group, GroupTable } from "./group-table.ts";
import { Peer } from "./peer.ts";
import { nodeScheduler, type Scheduler } from "./scheduler.ts";
import type { GroupLink, GroupReceiver, Lane, NodeId, Transport } from "./transport.ts";
import { SocketSet, type TransportContext } from "./transport-context.ts";
import { LimitedLog, type Log } from "./transport-log.ts";
import type { TransportOptions } from "./transport-options.ts";
import { newCounters, type TransportStatus } from "./transport-status.ts";

export interface TcpTransportInit {
  readonly options: TransportOptions;
  readonly log: Log;
  /** A receiver has thrown, which is a bug. By default the process ends of it. */
  readonly onFailure?: (error: unknown) => void;
  /** In `[0, 1)`; for jitter. */
  readonly random?: () => number;
  readonly scheduler?: Scheduler;
  /** For what is received. By default one of its own. */
  readonly memory?: SlabPool;
}

/**
 * Listens, and can be used from then on.
 *
 * @throws TransportError `LISTEN_FAILED`
 */
export async function openTcpTransport(init: TcpTransportInit): Promise<TcpTransport> {
  const context = contextOf(init);
  const acceptor = new Acceptor(context);
  const port = await acceptor.listen();
  return new TcpTransport(context, acceptor, { ...init.options.listen, port });
}

export class TcpTransport implements Transport {
  readonly #context: TransportContext;
  readonly #acceptor: Acceptor;
  readonly #peers = new Map<NodeId, Peer>();
  readonly #onClosed: (() => void)[] = [];
  #state: "open" | "closing" | "closed" = "open";
  #cancelTick: () => void = () => undefined;
  /** Where it listens; what others are told may differ, behind a translation of addresses. */
  readonly address: Address;
  readonly frameBytesMax: number;

  /** For `openTcpTransport`. */
  constructor(context: TransportContext, acceptor: Acceptor, address: Address) {
    this.#context = context;
    this.frameBytesMax = context.options.frameBytesMax;
    this.#acceptor = acceptor;
    this.address = address;
    acceptor.onAdmitted((nodeId) => {
      this.#peers.get(nodeId)?.hurry();
    });
    this.#tickLater();
  }

  attach(groupId: number, receiver: GroupReceiver): GroupLink {
    assert(this.#state === "open", "a transport that is closed takes no group");
    const { groups } = this.#context;
    const group = groups.attach(groupId, receiver);
    return {
      setPeers: (addresses) => {
        groups.setPeers(group, addresses);
        this.#servePeers();
      },
      send: (to, lane, parts) => this.#send(group, { to, lane }, parts),
      isUp: (nodeId) => group.up.has(nodeId),
      detach: () => {
        groups.detach(group);
        if (this.#state === "open") this.#servePeers();
      },
    };
  }

  status(): TransportStatus {
    return {
      address: formatAddress(this.address),
      peers: [...this.#peers.values()].map((peer) => peer.status()),
      inboundCount: this.#acceptor.connectionCount,
      handshakeCount: this.#acceptor.handshakeCount,
      counters: structuredClone(this.#context.counters),
    };
  }

  /** No receiver is told anything from here on. */
  close(onClosed: () => void): void {
    if (this.#state === "closed") {
      queueMicrotask(onClosed);
      return;
    }
    this.#onClosed.push(onClosed);
    if (this.#state === "closing") return;
    this.#state = "closing";
    this.#cancelTick();
    this.#context.groups.detachAll();
    for (const peer of this.#peers.values()) peer.release();
    this.#peers.clear();
    let left = 2;
    const onDone = (): void => {
      left -= 1;
      if (left > 0) return;
      this.#state = "closed";
      for (const each of this.#onClosed) each();
    };
    this.#acceptor.close(onDone);
    this.#context.sockets.destroyAll(() => {
      queueMicrotask(onDone);
    });
  }

  #send(
    group: Group,
    { to, lane }: { readonly to: NodeId; readonly lane: Lane },
    parts: readonly Uint8Array[],
  ): boolean {
    const { dropped } = this.#context.counters;
    const peer = group.up.has(to) ? this.#peers.get(to) : undefined;
    if (peer === undefined || !peer.isUp) {
      dropped.down += 1;
      return false;
    }
    const isTaken = peer.send(lane, group.groupId, parts);
    if (!isTaken) dropped.full += 1;
    return isTaken;
  }

  /** Brings the connections in line with what the groups want. */
  #servePeers(): void {
    const wanted = this.#context.groups.wanted();
    for (const [nodeId, peer] of this.#peers) {
      const address = wanted.get(nodeId);
      if (address !== undefined && isSame(address, peer.address)) continue;
      this.#peers.delete(nodeId);
      peer.release();
      this.#context.groups.onPeerDown(nodeId);
    }
    for (const [nodeId, address] of wanted)
      if (!this.#peers.has(nodeId))
        this.#peers.set(nodeId, new Peer({ nodeId, address }, this.#context));
  }

  /** One timer for all connections. */
  #tickLater(): void {
    const { scheduler, options } = this.#context;
    this.#cancelTick = scheduler.after(options.pingMs, () => {
      this.#tickLater();
      for (const peer of this.#peers.values()) peer.tick();
      this.#acceptor.tick();
    });
  }
}

function isSame(one: Address, other: Address): boolean {
  return one.host === other.host && one.port === other.port;
}

function crash(error: unknown): never {
  throw error;
}

function contextOf(init: TcpTransportInit): TransportContext {
  const { options, log, scheduler = nodeScheduler, random = Math.random } = init;
  const { clusterId, nodeId, incarnation, token } = options;
  const groups = new GroupTable({
    ownId: nodeId,
    defer: queueMicrotask,
    onFailure: init.onFailure ?? crash,
  });
  return {
    options,
    credentials: { clusterId, identity: { nodeId, incarnation }, token },
    scheduler,
    random,
    log,
    limitedLog: new LimitedLog(log, scheduler),
    counters: newCounters(),
    groups,
    sockets: new SocketSet(),
    memory: init.memory ?? new SlabPool(),
  };
}
