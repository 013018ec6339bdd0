/**
 * A network in memory, with the transports on it: what `TcpTransport` is to its receivers, on
 * virtual time, the same for the same seed.
 *
 * Nodes are found by their ids; addresses are only read. What is late or lost is decided by the
 * faults that are set, and by the seed.
 */

import { assert, type Prng, SlabPool } from "@quorumlog/std";
import { type Group, GroupTable } from "../group-table.ts";
import type { Scheduler } from "../scheduler.ts";
import type { GroupLink, GroupReceiver, NodeId, PeerIdentity, Transport } from "../transport.ts";
import { type MemoryLimits, MemoryPeer, type MemoryProcess } from "./memory-peer.ts";
import { type LatencyRange, MemoryWay } from "./memory-way.ts";

export interface MemoryNetworkInit {
  readonly scheduler: Scheduler;
  readonly prng: Prng;
  /** One way; default 1 to 2. */
  readonly latencyMs?: LatencyRange;
  /** For what is received. By default one of its own. */
  readonly memory?: SlabPool;
  /** As of a TCP transport. */
  readonly limits?: Partial<MemoryLimits>;
  /** A receiver has thrown. By default, so does the scheduler's callback. */
  readonly onFailure?: (error: unknown) => void;
}

const LIMITS: MemoryLimits = {
  frameBytesMax: 16 << 20,
  controlBytesMax: 4 << 20,
  bulkBytesMax: 32 << 20,
  pingMs: 500,
  silenceMs: 2_000,
  connectMs: 1_000,
  redialMsMin: 20,
  redialMsMax: 1_000,
};

export class MemoryNetwork {
  readonly #init: MemoryNetworkInit;
  readonly #limits: MemoryLimits;
  readonly #memory: SlabPool;
  readonly #nodes = new Map<NodeId, MemoryTransport>();
  readonly #ways = new Map<string, MemoryWay>();

  constructor(init: MemoryNetworkInit) {
    this.#init = init;
    this.#limits = { ...LIMITS, ...init.limits };
    this.#memory = init.memory ?? new SlabPool();
  }

  /** Starts a node. One that was killed, or has closed, may start again. */
  transport(identity: PeerIdentity): Transport {
    const { nodeId } = identity;
    assert(!this.#nodes.has(nodeId), "a node runs once at a time");
    const { scheduler, prng } = this.#init;
    const node = new MemoryTransport({
      identity,
      scheduler,
      onFailure: this.#init.onFailure ?? crash,
      frameBytesMax: this.#limits.frameBytesMax,
      makePeer: (own, to, told) =>
        new MemoryPeer({
          own,
          nodeId: to,
          limits: this.#limits,
          memory: this.#memory,
          scheduler,
          random: () => prng.fraction(),
          there: this.#way(nodeId, to),
          back: this.#way(to, nodeId),
          processOf: (id) => this.#nodes.get(id)?.process,
          ...told,
        }),
      onClosed: () => {
        this.kill(nodeId);
      },
    });
    this.#nodes.set(nodeId, node);
    return node;
  }

  /** From now on nothing passes in that direction, and nobody is told. */
  cut(from: NodeId, to: NodeId): void {
    this.#way(from, to).cut();
  }

  /** Everything in that direction takes so much longer. */
  slow(from: NodeId, to: NodeId, ms: number): void {
    this.#way(from, to).slow(ms);
  }

  /** Each frame in that direction is lost with that probability, and nobody is told. */
  drop(from: NodeId, to: NodeId, probability: number): void {
    this.#way(from, to).drop(probability);
  }

  /**
   * Takes back what was done to that direction. What a cut has held arrives if its connection has
   * lasted: TCP would have sent it again.
   */
  heal(from: NodeId, to: NodeId): void {
    this.#way(from, to).heal();
  }

  healAll(): void {
    for (const way of this.#ways.values()) way.heal();
  }

  /** Its process ends. What it has sent arrives; others hear of it, and are refused then. */
  kill(nodeId: NodeId): void {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) return;
    this.#nodes.delete(nodeId);
    node.end();
    for (const other of this.#nodes.values()) other.onProcessEnd(node.process);
  }

  #way(from: NodeId, to: NodeId): MemoryWay {
    const key = `${from} ${to}`;
    const found = this.#ways.get(key);
    if (found !== undefined) return found;
    const { scheduler, prng, latencyMs = { min: 1, max: 2 } } = this.#init;
    const way = new MemoryWay({ scheduler, prng, latencyMs });
    this.#ways.set(key, way);
    return way;
  }
}

interface Told {
  readonly onUp: (identity: PeerIdentity) => void;
  readonly onDown: () => void;
  readonly onGone: () => void;
}

interface MemoryTransportInit {
  readonly frameBytesMax: number;
  readonly identity: PeerIdentity;
  readonly scheduler: Scheduler;
  readonly onFailure: (error: unknown) => void;
  readonly makePeer: (own: MemoryProcess, to: NodeId, told: Told) => MemoryPeer;
  readonly onClosed: () => void;
}

class MemoryTransport implements Transport {
  readonly #init: MemoryTransportInit;
  readonly #groups: GroupTable;
  readonly #peers = new Map<NodeId, MemoryPeer>();
  readonly process: MemoryProcess;
  readonly frameBytesMax: number;

  constructor(init: MemoryTransportInit) {
    this.#init = init;
    this.frameBytesMax = init.frameBytesMax;
    const { identity, scheduler, onFailure } = init;
    const groups = new GroupTable({
      ownId: identity.nodeId,
      defer: (run) => {
        scheduler.after(0, run);
      },
      onFailure,
    });
    this.#groups = groups;
    this.process = {
      identity,
      isRunning: true,
      deliver: (groupId, from, payload) => {
        groups.deliver(groupId, from, payload);
      },
    };
  }

  attach(groupId: number, receiver: GroupReceiver): GroupLink {
    assert(this.process.isRunning, "a transport that is closed takes no group");
    const groups = this.#groups;
    const group = groups.attach(groupId, receiver);
    return {
      setPeers: (addresses) => {
        groups.setPeers(group, addresses);
        this.#servePeers();
      },
      send: (to, lane, parts) => this.#peerOf(group, to)?.send(lane, groupId, parts) ?? false,
      isUp: (nodeId) => group.up.has(nodeId),
      detach: () => {
        groups.detach(group);
        if (this.process.isRunning) this.#servePeers();
      },
    };
  }

  close(onClosed: () => void): void {
    // Its successor may be running by now.
    if (this.process.isRunning) this.#init.onClosed();
    this.#init.scheduler.after(0, onClosed);
  }

  /** Its process has ended. */
  end(): void {
    this.process.isRunning = false;
    this.#groups.detachAll();
    for (const peer of this.#peers.values()) peer.release();
    this.#peers.clear();
  }

  onProcessEnd(process: MemoryProcess): void {
    this.#peers.get(process.identity.nodeId)?.onProcessEnd(process);
  }

  #peerOf(group: Group, nodeId: NodeId): MemoryPeer | undefined {
    return group.up.has(nodeId) ? this.#peers.get(nodeId) : undefined;
  }

  #servePeers(): void {
    const wanted = this.#groups.wanted();
    for (const [nodeId, peer] of this.#peers) {
      if (wanted.has(nodeId)) continue;
      this.#peers.delete(nodeId);
      peer.release();
      this.#groups.onPeerDown(nodeId);
    }
    for (const nodeId of wanted.keys()) {
      if (this.#peers.has(nodeId)) continue;
      const told: Told = {
        onUp: (identity) => {
          this.#groups.onPeerUp(identity);
        },
        onDown: () => {
          this.#groups.onPeerDown(nodeId);
        },
        onGone: () => {
          this.#groups.onPeerGone(nodeId);
        },
      };
      this.#peers.set(nodeId, this.#init.makePeer(this.process, nodeId, told));
    }
  }
}

function crash(error: unknown): never {
  throw error;
}
