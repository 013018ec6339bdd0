/**
 * Keeps apart groups of one number that were founded apart. Each frame says of which founding it
 * is, so that there is no moment in which two groups talk as one.
 *
 *      0  8 bytes  digest of the founding; zeros, as long as the sender knows of none
 *      8           envelope: see peer-envelope.ts
 *
 * A node that is to be added learns its founding from the first frame of consensus, and notes it
 * before that is heeded. Who has no founding takes no part in consensus, but introduces itself.
 */

import type { GroupLink, GroupReceiver, PeerIdentity, Transport } from "@quorumlog/transport";
import { DIGEST_BYTES } from "./founding.ts";
import { decodeEnvelope, type Envelope, isRaftFrame } from "./peer-envelope.ts";

export interface FoundedTransportInit {
  readonly transport: Transport;
  /** Of the founding that this node holds to; `undefined` if it is to learn it. */
  readonly digest: string | undefined;
  /** Makes it durable, before it returns. */
  readonly note: (digest: string) => void;
  /** It could not be noted. */
  readonly onFailure: (error: Error) => void;
  /** A frame of another founding was passed over. */
  readonly onForeign: (from: number) => void;
}

const NO_FOUNDING: Uint8Array = new Uint8Array(DIGEST_BYTES);

export class FoundedTransport implements Transport {
  readonly frameBytesMax: number;
  readonly #init: FoundedTransportInit;
  readonly #links: GroupLink[] = [];
  #tag: Uint8Array;

  constructor(init: FoundedTransportInit) {
    this.#init = init;
    this.frameBytesMax = init.transport.frameBytesMax - DIGEST_BYTES;
    this.#tag = init.digest === undefined ? NO_FOUNDING : Buffer.from(init.digest, "hex");
  }

  attach(groupId: number, receiver: GroupReceiver): GroupLink {
    const link = this.#init.transport.attach(groupId, {
      onFrame: (from, payload) => {
        if (this.#admits(from, payload)) receiver.onFrame(from, payload.subarray(DIGEST_BYTES));
      },
      onPeerUp: (peer) => {
        receiver.onPeerUp(peer);
      },
      onPeerDown: (nodeId) => {
        receiver.onPeerDown(nodeId);
      },
      onPeerGone: (nodeId) => {
        receiver.onPeerGone(nodeId);
      },
    });
    this.#links.push(link);
    return {
      setPeers: (addresses) => {
        link.setPeers(addresses);
      },
      send: (to, lane, parts) => link.send(to, lane, [this.#tag, ...parts]),
      isUp: (nodeId) => link.isUp(nodeId),
      detach: () => {
        link.detach();
      },
    };
  }

  /** Detaches what was attached through it. */
  detach(): void {
    for (const link of this.#links) link.detach();
  }

  close(onClosed: () => void): void {
    this.#init.transport.close(onClosed);
  }

  #admits(from: PeerIdentity, payload: Uint8Array): boolean {
    if (isTag(payload, this.#tag)) return true;
    const isRaft = isRaftFrame(payload.subarray(DIGEST_BYTES));
    if (this.#tag === NO_FOUNDING) return !isRaft || this.#hasLearned(payload);
    if (isTag(payload, NO_FOUNDING) && !isRaft) return true;
    this.#init.onForeign(from.nodeId);
    return false;
  }

  #hasLearned(payload: Uint8Array): boolean {
    const tag = Uint8Array.from(payload.subarray(0, DIGEST_BYTES));
    try {
      this.#init.note(hexOf(tag));
    } catch (error) {
      this.#init.onFailure(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
    this.#tag = tag;
    return true;
  }
}

/** A frame for whoever is not behind such a transport: a founder, before there is a founding. */
export function unfounded(parts: readonly Uint8Array[]): Uint8Array[] {
  return [NO_FOUNDING, ...parts];
}

/** What a frame holds, and which founding it is of. */
export function decodeFounded(payload: Uint8Array): {
  readonly digest: string | undefined;
  readonly envelope: Envelope | undefined;
} {
  const digest = isTag(payload, NO_FOUNDING) ? undefined : hexOf(payload.subarray(0, DIGEST_BYTES));
  return { digest, envelope: decodeEnvelope(payload.subarray(DIGEST_BYTES)) };
}

function isTag(payload: Uint8Array, tag: Uint8Array): boolean {
  for (let i = 0; i < DIGEST_BYTES; i++) if (payload[i] !== tag[i]) return false;
  return true;
}

function hexOf(tag: Uint8Array): string {
  return Buffer.from(tag).toString("hex");
}
