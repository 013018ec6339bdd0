/**
 * What is on its way to a node: a message, or the word of its own disk or state machine that work
 * is done. Everything waits in one queue, so that a script says what arrives when.
 */

import type {
  AppendDone,
  ApplyDone,
  Entry,
  Message,
  MessageType,
  NodeId,
  Snapshot,
} from "@quorumlog/raft";
import { unreachable } from "@quorumlog/std";

export type Envelope =
  | { readonly kind: "message"; readonly to: NodeId; readonly message: Message }
  | {
      readonly kind: "appendDone";
      readonly to: NodeId;
      readonly done: AppendDone;
      /** What the work installed; only printed. */
      readonly snapshot: Snapshot | undefined;
    }
  | {
      readonly kind: "applyDone";
      readonly to: NodeId;
      readonly done: ApplyDone;
      readonly entries: readonly Entry[];
    };

/** What each kind of message is called in the scripts. */
export const MESSAGE_NAMES: Readonly<Record<MessageType, string>> = {
  AppendEntries: "MsgApp",
  AppendEntriesReply: "MsgAppResp",
  Heartbeat: "MsgHeartbeat",
  HeartbeatReply: "MsgHeartbeatResp",
  RequestPreVote: "MsgPreVote",
  RequestPreVoteReply: "MsgPreVoteResp",
  RequestVote: "MsgVote",
  RequestVoteReply: "MsgVoteResp",
  InstallSnapshot: "MsgSnap",
  TimeoutNow: "MsgTimeoutNow",
  ReadIndexRequest: "MsgReadIndex",
  ReadIndexReply: "MsgReadIndexResp",
  TransferLeadershipRequest: "MsgTransferLeader",
};

export const APPEND_DONE_NAME = "MsgStorageAppendResp";
export const APPLY_DONE_NAME = "MsgStorageApplyResp";

export function envelopeName(envelope: Envelope): string {
  switch (envelope.kind) {
    case "message":
      return MESSAGE_NAMES[envelope.message.type];
    case "appendDone":
      return APPEND_DONE_NAME;
    case "applyDone":
      return APPLY_DONE_NAME;
    default:
      return unreachable(envelope);
  }
}

export function isEnvelopeName(name: string): boolean {
  const names: readonly string[] = [
    ...Object.values(MESSAGE_NAMES),
    APPEND_DONE_NAME,
    APPLY_DONE_NAME,
  ];
  return names.includes(name);
}

/** Whether it never leaves the node, and so is neither lost nor doubled nor overtaken. */
export function isLocal(envelope: Envelope): boolean {
  return envelope.kind !== "message" || envelope.message.from === envelope.to;
}

export function messageEnvelope(message: Message): Envelope {
  return { kind: "message", to: message.to, message };
}
