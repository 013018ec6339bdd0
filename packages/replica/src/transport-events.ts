/**
 * What a node's own transport has to say, as events of the replica: why a peer is not reached, and
 * who was kept out. Without them a wrong token looks like a network without anybody in it.
 */

import type { Log, LogFields } from "@quorumlog/transport";
import type { ReplicaEvent, ReplicaEventListener } from "./replica-event.ts";

export function transportEvents(onEvent: ReplicaEventListener): Log {
  return (_level, message, fields) => {
    const event = eventOf(message, fields);
    if (event === undefined) return;
    // Not within a call of the transport, which has to end, whatever a listener does.
    queueMicrotask(() => {
      onEvent(event);
    });
  };
}

/** Messages of a transport's log are constants; what else it says, a replica tells by itself. */
function eventOf(message: string, fields: LogFields): ReplicaEvent | undefined {
  const { code = "", reason = "", address = "", remote = "", nodeId } = fields;
  const why = { code: String(code), reason: String(reason) };
  switch (message) {
    case "peer refused":
    case "peer not reached":
      return { type: "peerNotReached", nodeId: Number(nodeId), address: String(address), ...why };
    case "dialer refused":
      return { type: "dialerRefused", remote: String(remote), ...why };
    default:
      return undefined;
  }
}
