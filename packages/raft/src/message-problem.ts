/**
 * What is wrong with a message from outside, if anything: the gate before the core.
 *
 * Behind it a message is well formed and consistent in itself, so nothing there checks that again.
 * Whether it is also *true* is another matter: see DropReason "contradiction".
 */

import { configurationProblem } from "./configuration.ts";
import { decodeConfigurationChange } from "./configuration-change.ts";
import type { Entry } from "./entry.ts";
import { isCount } from "./ids.ts";
import type { Loss } from "./loss.ts";
import type { AppendEntries, InstallSnapshot, Message, MessageHeader } from "./message.ts";

/** The first problem, as a sentence; `undefined` for a sound message. */
export function messageProblem(message: Message): string | undefined {
  if (!isRecord(message)) return "there is no message";
  return headerProblem(message) ?? bodyProblem(message);
}

function headerProblem(header: MessageHeader): string | undefined {
  if (!isCount(header.from, 1)) return "from is not a node id";
  if (!isCount(header.to, 1)) return "to is not a node id";
  if (!isCount(header.fromIncarnation, 0)) return "fromIncarnation is not a count";
  if (!isCount(header.toIncarnation, 0)) return "toIncarnation is not a count";
  if (!isCount(header.term, 1)) return "term is not positive";
  return undefined;
}

function bodyProblem(message: Message): string | undefined {
  switch (message.type) {
    case "AppendEntries":
      return appendEntriesProblem(message);
    case "AppendEntriesReply":
      if (!isCount(message.index, 0)) return "index is not a count";
      if (!isCount(message.hintIndex, 0)) return "hintIndex is not a count";
      if (!isCount(message.hintTerm, 0)) return "hintTerm is not a count";
      if (!isFlag(message.rejected)) return "rejected is not a flag";
      return lossProblem(message.loss);
    case "Heartbeat":
      if (!isCount(message.leaderCommit, 0)) return "leaderCommit is not a count";
      if (!isCount(message.round, 0)) return "round is not a count";
      return lossProblem(message.loss);
    case "HeartbeatReply":
      if (!isCount(message.round, 0)) return "round is not a count";
      return lossProblem(message.loss);
    case "RequestVote":
      if (!isFlag(message.isTransfer)) return "isTransfer is not a flag";
      return lastLogProblem(message);
    case "RequestPreVote":
      return lastLogProblem(message);
    case "RequestVoteReply":
    case "RequestPreVoteReply":
      return isFlag(message.voteGranted) ? undefined : "voteGranted is not a flag";
    case "InstallSnapshot":
      return snapshotProblem(message);
    case "TimeoutNow":
      return undefined;
    case "ReadIndexRequest":
      return isCount(message.context, 0) ? undefined : "context is not a count";
    case "ReadIndexReply":
      if (!isCount(message.context, 0)) return "context is not a count";
      return isCount(message.readIndex, 0) ? undefined : "readIndex is not a count";
    case "TransferLeadershipRequest":
      return isCount(message.transferee, 1) ? undefined : "transferee is not a node id";
    default:
      return "type is unknown";
  }
}

/** These values come from outside: their types are what is being checked. */
function isRecord(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function isFlag(value: unknown): boolean {
  return typeof value === "boolean";
}

function lossProblem(loss: Loss | undefined): string | undefined {
  if (loss === undefined) return undefined;
  if (!isRecord(loss) || !isCount(loss.count, 1)) return "a loss is not counted";
  return isFlag(loss.isSuspect) ? undefined : "isSuspect is not a flag";
}

function positionProblem(position: { index: number; term: number }): string | undefined {
  if (!isCount(position.index, 0)) return "an index is not a count";
  if (!isCount(position.term, 0)) return "a term is not a count";
  return (position.index === 0) === (position.term === 0)
    ? undefined
    : "only the start of the log has term 0";
}

function lastLogProblem(message: {
  lastLogIndex: number;
  lastLogTerm: number;
  term: number;
}): string | undefined {
  if (message.lastLogTerm > message.term) return "lastLogTerm is beyond the term";
  return positionProblem({ index: message.lastLogIndex, term: message.lastLogTerm });
}

function appendEntriesProblem(message: AppendEntries): string | undefined {
  const { prevLogIndex, prevLogTerm, entries } = message;
  const problem = positionProblem({ index: prevLogIndex, term: prevLogTerm });
  if (problem !== undefined) return problem;
  if (!isCount(message.leaderCommit, 0)) return "leaderCommit is not a count";
  if (!Array.isArray(entries)) return "entries is not a list";
  let index = prevLogIndex;
  let term = prevLogTerm;
  for (const entry of entries) {
    index += 1;
    if (!isRecord(entry)) return "an entry is no entry";
    if (!isCount(entry.index, 1) || entry.index !== index) return "entries are not contiguous";
    if (!isCount(entry.term, 1) || entry.term < term) return "terms go back along the entries";
    term = entry.term;
    const dataProblem = entryProblem(entry);
    if (dataProblem !== undefined) return dataProblem;
  }
  return term > message.term ? "an entry is of a later term than its leader" : undefined;
}

function entryProblem(entry: Entry): string | undefined {
  if (!(entry.data instanceof Uint8Array)) return "an entry's data are not bytes";
  if (entry.kind === "normal") return undefined;
  const kind: string = entry.kind;
  if (kind !== "configuration") return "an entry's kind is unknown";
  const isReadable = decodeConfigurationChange(entry.data) !== undefined;
  return isReadable ? undefined : "a configuration entry is not readable";
}

function snapshotProblem(message: InstallSnapshot): string | undefined {
  const { snapshot } = message;
  if (!isRecord(snapshot) || !isRecord(snapshot.configuration)) return "there is no snapshot";
  if (!isCount(snapshot.lastIncludedIndex, 1)) return "lastIncludedIndex is not positive";
  if (!isCount(snapshot.lastIncludedTerm, 1)) return "lastIncludedTerm is not positive";
  if (snapshot.lastIncludedTerm > message.term) return "the snapshot is of a later term";
  if (!(snapshot.data instanceof Uint8Array)) return "the snapshot's data are not bytes";
  const { voters, votersOutgoing, learners, learnersNext } = snapshot.configuration;
  const lists = [voters, votersOutgoing, learners, learnersNext];
  if (!lists.every((list) => Array.isArray(list) && list.every(isRecord)))
    return "the configuration has no member lists";
  if (!isFlag(snapshot.configuration.autoLeave)) return "autoLeave is not a flag";
  if (voters.length === 0) return "the configuration has no voters";
  return configurationProblem(snapshot.configuration);
}
