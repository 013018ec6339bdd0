/**
 * Builders of messages. Unless said otherwise they go from node 2 to node 1, in their first lives,
 * in term 1, and say as little as a message of their type can.
 */

import type { Configuration, Message, MessageType, Snapshot } from "../../src/index.ts";
import { NO_DATA } from "../../src/entry.ts";

type Of<T extends MessageType> = Extract<Message, { type: T }>;
type Fields<T extends MessageType> = Partial<Omit<Of<T>, "type">>;

const HEADER = { from: 2, to: 1, fromIncarnation: 0, toIncarnation: 0, term: 1 };

export function appendEntries(fields: Fields<"AppendEntries"> = {}): Of<"AppendEntries"> {
  const body = { prevLogIndex: 0, prevLogTerm: 0, entries: [], leaderCommit: 0 };
  return { ...HEADER, ...body, ...fields, type: "AppendEntries" };
}

/** An acceptance up to `index`, unless `rejected` is set. */
export function appendReply(fields: Fields<"AppendEntriesReply"> = {}): Of<"AppendEntriesReply"> {
  const body = { rejected: false, index: 0, hintIndex: 0, hintTerm: 0 };
  return { ...HEADER, ...body, ...fields, type: "AppendEntriesReply" };
}

export function heartbeat(fields: Fields<"Heartbeat"> = {}): Of<"Heartbeat"> {
  return { ...HEADER, leaderCommit: 0, round: 1, ...fields, type: "Heartbeat" };
}

export function heartbeatReply(fields: Fields<"HeartbeatReply"> = {}): Of<"HeartbeatReply"> {
  return { ...HEADER, round: 0, ...fields, type: "HeartbeatReply" };
}

export function requestVote(fields: Fields<"RequestVote"> = {}): Of<"RequestVote"> {
  const body = { lastLogIndex: 0, lastLogTerm: 0, isTransfer: false };
  return { ...HEADER, ...body, ...fields, type: "RequestVote" };
}

export function voteReply(fields: Fields<"RequestVoteReply"> = {}): Of<"RequestVoteReply"> {
  return { ...HEADER, voteGranted: true, ...fields, type: "RequestVoteReply" };
}

export function requestPreVote(fields: Fields<"RequestPreVote"> = {}): Of<"RequestPreVote"> {
  return { ...HEADER, lastLogIndex: 0, lastLogTerm: 0, ...fields, type: "RequestPreVote" };
}

export function preVoteReply(
  fields: Fields<"RequestPreVoteReply"> = {},
): Of<"RequestPreVoteReply"> {
  return { ...HEADER, voteGranted: true, ...fields, type: "RequestPreVoteReply" };
}

export function installSnapshot(
  fields: Fields<"InstallSnapshot"> & { readonly snapshot: Snapshot },
): Of<"InstallSnapshot"> {
  return { ...HEADER, ...fields, type: "InstallSnapshot" };
}

export function timeoutNow(fields: Fields<"TimeoutNow"> = {}): Of<"TimeoutNow"> {
  return { ...HEADER, ...fields, type: "TimeoutNow" };
}

export function readRequest(fields: Fields<"ReadIndexRequest"> = {}): Of<"ReadIndexRequest"> {
  return { ...HEADER, context: 1, ...fields, type: "ReadIndexRequest" };
}

export function readReply(fields: Fields<"ReadIndexReply"> = {}): Of<"ReadIndexReply"> {
  return { ...HEADER, context: 1, readIndex: 0, ...fields, type: "ReadIndexReply" };
}

export function transferRequest(
  fields: Fields<"TransferLeadershipRequest"> = {},
): Of<"TransferLeadershipRequest"> {
  return { ...HEADER, transferee: 2, ...fields, type: "TransferLeadershipRequest" };
}

export function snapshotAt(
  lastIncludedIndex: number,
  lastIncludedTerm: number,
  configuration: Configuration,
): Snapshot {
  return { lastIncludedIndex, lastIncludedTerm, configuration, data: NO_DATA };
}

/** The messages of one type, which the compiler then knows. */
export function ofType<T extends MessageType>(list: readonly Message[], type: T): Of<T>[] {
  return list.filter((message): message is Of<T> => message.type === type);
}
