/**
 * How the nodes of a cluster reach each other: opaque frames, each for one group, on two lanes.
 *
 * A frame is delivered once, whole and in the order of its lane, or not at all. Nothing is sent
 * again, and nothing says that a frame arrived: that is the business of whoever sends.
 */

export type NodeId = number;

/** A node, in one life of its disk. */
export interface PeerIdentity {
  readonly nodeId: NodeId;
  readonly incarnation: number;
}

/** Frames of the control lane never wait for those of the bulk lane. */
export type Lane = "control" | "bulk";

/** What one group is told, never from within a call of its own. */
export interface GroupReceiver {
  /**
   * A frame arrived.
   *
   * @param from - Who sent it, as it has proved.
   * @param payload - Belongs to the receiver, who may release it when nobody reads it any more
   *   (`releaseBytes`), and otherwise keeps it for as long as it likes. It may share memory with
   *   other frames.
   */
  onFrame(from: PeerIdentity, payload: Uint8Array): void;

  /** Frames can be sent to the node from now on. */
  onPeerUp(peer: PeerIdentity): void;

  /** Frames to the node may have been lost, and can not be sent until it is up again. */
  onPeerDown(nodeId: NodeId): void;

  /**
   * The process of the node is gone: a connection was closed or reset, and a new one was refused.
   * Comes after `onPeerDown`, once for each time that the node was up.
   */
  onPeerGone(nodeId: NodeId): void;
}

/** One group's end of the transport. */
export interface GroupLink {
  /**
   * Whom to keep connections with, by node id; replaces what was said before. The node itself is
   * passed over. A transport serves the union of what its groups ask for.
   *
   * @param addresses - As `parseAddress` reads them.
   * @throws AddressError before anything has changed.
   */
  setPeers(addresses: ReadonlyMap<NodeId, string>): void;

  /**
   * Sends one frame, the concatenation of `parts`.
   *
   * @param parts - Nobody writes to them any more; what is of a slab is held until it was sent.
   * @returns false if the frame was not taken: the node is not up, or too many bytes wait.
   * @throws RangeError if it is longer than any frame may be, which waiting does not change.
   */
  send(to: NodeId, lane: Lane, parts: readonly Uint8Array[]): boolean;

  /** Whether frames can be sent to the node. */
  isUp(nodeId: NodeId): boolean;

  /** Tells the group nothing any more, and lets go of its peers. Idempotent. */
  detach(): void;
}

export interface Transport {
  /** Of one frame's parts together: `send` throws a `RangeError` for more. */
  readonly frameBytesMax: number;

  /**
   * @param groupId - In `[0, 2^32)`, attached once at a time.
   * @throws RangeError
   */
  attach(groupId: number, receiver: GroupReceiver): GroupLink;

  /** Closes every connection, and the port; then calls back. Idempotent. */
  close(onClosed: () => void): void;
}
