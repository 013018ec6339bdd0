/** A transport as one process sees it: paused with it, silent after it, and listened to. */

import type { GroupReceiver, Transport } from "@quorumlog/transport";
import { decodeFounded } from "@quorumlog/replica/testing";
import type { Message } from "@quorumlog/raft";
import type { Gate } from "./gate.ts";

export interface ObservedTransportInit {
  readonly transport: Transport;
  readonly gate: Gate;
  /** A message of the control lane leaves. */
  readonly onMessage: (message: Message) => void;
}

export function observedTransport(init: ObservedTransportInit): Transport {
  const { transport, gate, onMessage } = init;
  return {
    frameBytesMax: transport.frameBytesMax,
    attach(groupId, receiver) {
      const link = transport.attach(groupId, gated(receiver, gate));
      return {
        setPeers: (addresses) => {
          if (!gate.isOver) link.setPeers(addresses);
        },
        send: (to, lane, parts) => {
          if (gate.isOver) return false;
          if (lane === "control") {
            const { envelope } = decodeFounded(Buffer.concat(parts));
            if (envelope?.kind === "raft") onMessage(envelope.message);
          }
          return link.send(to, lane, parts);
        },
        isUp: (nodeId) => link.isUp(nodeId),
        detach: () => {
          link.detach();
        },
      };
    },
    close: (onClosed) => {
      transport.close(() => gate.run(onClosed));
    },
  };
}

function gated(receiver: GroupReceiver, gate: Gate): GroupReceiver {
  return {
    onFrame: (from, payload) => {
      gate.run(() => {
        receiver.onFrame(from, payload);
      });
    },
    onPeerUp: (peer) => {
      gate.run(() => {
        receiver.onPeerUp(peer);
      });
    },
    onPeerDown: (nodeId) => {
      gate.run(() => {
        receiver.onPeerDown(nodeId);
      });
    },
    onPeerGone: (nodeId) => {
      gate.run(() => {
        receiver.onPeerGone(nodeId);
      });
    },
  };
}
