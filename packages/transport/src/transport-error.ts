/** What can be wrong between two nodes. Codes are API; messages are for people. */

export type PeerErrorCode =
  /** No version of the protocol that both speak: one of them has to be upgraded. */
  | "PEER_VERSION"
  /** The other one has another token, or none. */
  | "PEER_TOKEN"
  /** A node of another cluster. */
  | "PEER_CLUSTER"
  /** Another node answers at the address than the one it was given for. */
  | "PEER_NODE"
  /** A node with the same id: an address leads back to the node, or an id was given twice. */
  | "PEER_SELF"
  /** A node in an earlier life of its disk than is known. */
  | "PEER_INCARNATION"
  /** What came cannot be read: not a node, or one with a bug. */
  | "PEER_HELLO"
  /** As many nodes are connected as one takes. */
  | "PEER_LIMIT"
  /** A reason that only a later version knows. */
  | "PEER_REFUSED";

export type TransportErrorCode =
  | PeerErrorCode
  /** The port cannot be listened on. */
  | "LISTEN_FAILED";

export class TransportError<Code extends TransportErrorCode = TransportErrorCode> extends Error {
  override readonly name = "TransportError";
  readonly code: Code;

  constructor(code: Code, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** A handshake that led to nothing. */
export type PeerError = TransportError<PeerErrorCode>;
