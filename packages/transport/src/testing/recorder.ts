/** A receiver that writes down what it is told. */

import type { GroupReceiver, NodeId, PeerIdentity } from "../transport.ts";

export interface ReceivedFrame {
  readonly from: PeerIdentity;
  readonly payload: Uint8Array;
}

export class Recorder implements GroupReceiver {
  readonly frames: ReceivedFrame[] = [];
  /** "up 2", "down 2", "gone 2", in the order in which they were said. */
  readonly events: string[] = [];
  /** Called behind each, with what was written down. */
  onEvent: (event: string) => void = () => undefined;

  onFrame(from: PeerIdentity, payload: Uint8Array): void {
    this.frames.push({ from, payload });
    this.onEvent(`frame ${from.nodeId}`);
  }

  onPeerUp(peer: PeerIdentity): void {
    this.#write(`up ${peer.nodeId}`);
  }

  onPeerDown(nodeId: NodeId): void {
    this.#write(`down ${nodeId}`);
  }

  onPeerGone(nodeId: NodeId): void {
    this.#write(`gone ${nodeId}`);
  }

  #write(event: string): void {
    this.events.push(event);
    this.onEvent(event);
  }
}
