/**
 * The groups of a transport: whom they want to reach, and what each is told.
 *
 * A group is told of the nodes that it asks for, and of no other. Nothing is said from within a
 * call that the group makes: it is put off, and said in order.
 */

import { assert } from "@quorumlog/std";
import { type Address, parseAddress } from "./address.ts";
import type { GroupReceiver, NodeId, PeerIdentity } from "./transport.ts";

export interface GroupTableInit {
  readonly ownId: NodeId;
  /** Runs it soon, after what runs now. */
  readonly defer: (run: () => void) => void;
  /** A receiver has thrown. */
  readonly onFailure: (error: unknown) => void;
}

export interface Group {
  readonly groupId: number;
  readonly receiver: GroupReceiver;
  /** Whom it wants to reach. */
  peers: ReadonlyMap<NodeId, Address>;
  /** Whom it knows to be up. */
  readonly up: Set<NodeId>;
  /** Whom it has known to be up, and has lost. */
  readonly lost: Set<NodeId>;
  isAttached: boolean;
}

export class GroupTable {
  readonly #init: GroupTableInit;
  readonly #groups = new Map<number, Group>();
  /** In the order in which they last said whom they want: the last one's address counts. */
  readonly #asking = new Set<Group>();
  readonly #up = new Map<NodeId, PeerIdentity>();

  constructor(init: GroupTableInit) {
    this.#init = init;
  }

  /** @throws RangeError */
  attach(groupId: number, receiver: GroupReceiver): Group {
    if (!Number.isInteger(groupId) || groupId < 0 || groupId >= 2 ** 32)
      throw new RangeError(`${groupId} is not a group: an integer in [0, 2^32)`);
    if (this.#groups.has(groupId)) throw new RangeError(`group ${groupId} is attached already`);
    const sets = { peers: new Map(), up: new Set<NodeId>(), lost: new Set<NodeId>() };
    const group: Group = { groupId, receiver, ...sets, isAttached: true };
    this.#groups.set(groupId, group);
    return group;
  }

  detach(group: Group): void {
    if (!group.isAttached) return;
    group.isAttached = false;
    group.peers = new Map();
    group.up.clear();
    this.#groups.delete(group.groupId);
    this.#asking.delete(group);
  }

  detachAll(): void {
    for (const group of this.#groups.values()) this.detach(group);
  }

  /**
   * Of a group that was detached, or whose transport has closed, it changes nothing.
   *
   * @throws AddressError before anything has changed.
   */
  setPeers(group: Group, addresses: ReadonlyMap<NodeId, string>): void {
    if (!group.isAttached) return;
    const peers = new Map<NodeId, Address>();
    for (const [nodeId, address] of addresses)
      if (nodeId !== this.#init.ownId) peers.set(nodeId, parseAddress(address));
    group.peers = peers;
    for (const known of [group.up, group.lost])
      for (const nodeId of known) if (!peers.has(nodeId)) known.delete(nodeId);
    this.#asking.delete(group);
    this.#asking.add(group);
    for (const nodeId of peers.keys()) {
      const identity = this.#up.get(nodeId);
      if (identity !== undefined) this.#tellUp(group, identity);
    }
  }

  /** Whom any group wants to reach. */
  wanted(): Map<NodeId, Address> {
    const wanted = new Map<NodeId, Address>();
    for (const { peers } of this.#asking)
      for (const [nodeId, address] of peers) wanted.set(nodeId, address);
    return wanted;
  }

  groupIds(): number[] {
    return [...this.#groups.keys()].sort((a, b) => a - b);
  }

  /** @returns whether there is such a group. */
  deliver(groupId: number, from: PeerIdentity, payload: Uint8Array): boolean {
    const group = this.#groups.get(groupId);
    if (group === undefined) return false;
    try {
      group.receiver.onFrame(from, payload);
    } catch (error) {
      this.#init.onFailure(error);
    }
    return true;
  }

  onPeerUp(identity: PeerIdentity): void {
    assert(!this.#up.has(identity.nodeId), "a node that comes up was down");
    this.#up.set(identity.nodeId, identity);
    for (const group of this.#groups.values())
      if (group.peers.has(identity.nodeId)) this.#tellUp(group, identity);
  }

  onPeerDown(nodeId: NodeId): void {
    if (!this.#up.delete(nodeId)) return;
    for (const group of this.#groups.values())
      if (group.peers.has(nodeId)) this.#tellDown(group, nodeId);
  }

  onPeerGone(nodeId: NodeId): void {
    assert(!this.#up.has(nodeId), "a node that is gone is down");
    for (const group of this.#groups.values())
      if (group.lost.delete(nodeId))
        this.#tell(group, () => {
          if (group.peers.has(nodeId)) group.receiver.onPeerGone(nodeId);
        });
  }

  #tellUp(group: Group, identity: PeerIdentity): void {
    const { nodeId } = identity;
    this.#tell(group, () => {
      // It may be down again, with or without being up once more: then that is said.
      if (this.#up.get(nodeId) !== identity || !group.peers.has(nodeId)) return;
      if (group.up.has(nodeId)) return;
      group.up.add(nodeId);
      group.lost.delete(nodeId);
      group.receiver.onPeerUp(identity);
    });
  }

  #tellDown(group: Group, nodeId: NodeId): void {
    // At once: nothing can be sent from now on, even before it is said.
    if (!group.up.delete(nodeId)) return;
    group.lost.add(nodeId);
    this.#tell(group, () => {
      if (group.peers.has(nodeId)) group.receiver.onPeerDown(nodeId);
    });
  }

  #tell(group: Group, run: () => void): void {
    this.#init.defer(() => {
      if (!group.isAttached) return;
      try {
        run();
      } catch (error) {
        this.#init.onFailure(error);
      }
    });
  }
}
