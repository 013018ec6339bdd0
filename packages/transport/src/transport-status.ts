/** What a transport tells about itself. */

import type { NodeId } from "./transport.ts";
import type { PeerErrorCode } from "./transport-error.ts";

/** Why a connection from outside was closed. */
export type BadConnection =
  /** The header of a frame was damaged. */
  | "checksum"
  /** A frame that no dialer sends. */
  | "kind"
  /** A frame longer than `frameBytesMax`. */
  | "length"
  /** What came was no hello. */
  | "handshake"
  /** The handshake took too long. */
  | "handshakeTimeout"
  /** Too many handshakes were under way. */
  | "handshakeCount"
  /** No TLS came about. */
  | "tls"
  /** Nothing came for three times `silenceMs`. */
  | "silent";

export interface DroppedFrames {
  /** Arrived for a group that is not attached. */
  unattached: number;
  /** Not taken: the node was not up. */
  down: number;
  /** Not taken: too many bytes waited. */
  full: number;
}

/** Since the transport was opened. */
export interface TransportCounters {
  framesIn: number;
  framesOut: number;
  /** Of frames, with their headers. */
  bytesIn: number;
  bytesOut: number;
  readonly dropped: DroppedFrames;
  /** Dialers that this node refused. */
  readonly refusedHere: Partial<Record<PeerErrorCode, number>>;
  /** Dials of this node that came to nothing, for what either side proved or said. */
  readonly refusedThere: Partial<Record<PeerErrorCode, number>>;
  readonly badConnections: Partial<Record<BadConnection, number>>;
}

export interface PeerStatus {
  readonly nodeId: NodeId;
  readonly address: string;
  readonly state: "dialing" | "up" | "refused";
  /** Why not, the last time that it was dialed: a code for programs, and a text for people. */
  readonly failure: { readonly code: string; readonly message: string } | undefined;
  /** Bytes that wait for the socket. */
  readonly queuedBytes: { readonly control: number; readonly bulk: number };
  /** Since it is wanted. */
  readonly dialCount: number;
}

export interface TransportStatus {
  /** Where it listens. */
  readonly address: string;
  readonly peers: readonly PeerStatus[];
  /** Connections from outside that have proved who they are. */
  readonly inboundCount: number;
  /** Connections from outside that have not yet. */
  readonly handshakeCount: number;
  readonly counters: TransportCounters;
}

export function newCounters(): TransportCounters {
  return {
    framesIn: 0,
    framesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    dropped: { unattached: 0, down: 0, full: 0 },
    refusedHere: {},
    refusedThere: {},
    badConnections: {},
  };
}

/** One more of `key`. */
export function count<K extends string>(counts: Partial<Record<K, number>>, key: K): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
