/** A transport that tells of votes which leave its node, once the kernel has them. */

import { decodeFounded } from "@quorumlog/replica/testing";
import type { GroupLink, GroupReceiver, Transport } from "@quorumlog/transport";

export interface SentVote {
  readonly candidateId: number;
  readonly term: number;
}

/** A frame with a vote has no more. */
const VOTE_BYTES_MAX = 256;

export class WatchedTransport implements Transport {
  readonly frameBytesMax: number;
  readonly #inner: Transport;
  readonly #onVote: (vote: SentVote) => void;

  constructor(inner: Transport, onVote: (vote: SentVote) => void) {
    this.#inner = inner;
    this.#onVote = onVote;
    this.frameBytesMax = inner.frameBytesMax;
  }

  attach(groupId: number, receiver: GroupReceiver): GroupLink {
    const link = this.#inner.attach(groupId, receiver);
    return {
      setPeers: (addresses) => {
        link.setPeers(addresses);
      },
      send: (to, lane, parts) => {
        const vote = voteIn(parts, to);
        const isSent = link.send(to, lane, parts);
        // Behind this turn, in which what is sent may be gathered.
        if (vote !== undefined && isSent) setImmediate(this.#onVote, vote);
        return isSent;
      },
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

function voteIn(parts: readonly Uint8Array[], candidateId: number): SentVote | undefined {
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  if (bytes > VOTE_BYTES_MAX) return undefined;
  const { envelope } = decodeFounded(Buffer.concat(parts));
  if (envelope?.kind !== "raft") return undefined;
  const { message } = envelope;
  if (message.type !== "RequestVoteReply" || !message.voteGranted) return undefined;
  return { candidateId, term: message.term };
}
