/**
 * How messages, entries, snapshots and a `Ready` are printed.
 *
 *     1->2 MsgApp Term:1 Log:1/11 Commit:11 Entries:[1/12 EntryNormal "data"]
 *     2->1 MsgAppResp Term:1 Log:1/14 Rejected (Hint: 11)
 *     1->AppendThread MsgStorageAppend Term:1 Log:0/0 Commit:11 Vote:1 Responses:[
 *       1->1 MsgAppResp Term:1 Log:0/12
 *       AppendThread->1 MsgStorageAppendResp Term:1 Log:1/12
 *     ]
 *
 * `Log:` is a term and an index, of which each message makes its own use. Ids are hexadecimal.
 */

import {
  type AppendWork,
  type ApplyWork,
  type Configuration,
  decodeConfigurationChange,
  type Entry,
  type HardState,
  type Member,
  type Message,
  type NodeId,
  type ParkedOutcome,
  type Ready,
  type RoleName,
  type Snapshot,
} from "@quorumlog/raft";
import { unreachable } from "@quorumlog/std";
import { describeMemberChanges } from "../member-changes.ts";
import { APPEND_DONE_NAME, APPLY_DONE_NAME, type Envelope, MESSAGE_NAMES } from "./envelope.ts";
import { quote } from "./quote.ts";

export const ROLES: Readonly<Record<RoleName, string>> = {
  follower: "StateFollower",
  preCandidate: "StatePreCandidate",
  candidate: "StateCandidate",
  leader: "StateLeader",
};

const APPEND_THREAD = "AppendThread";
const APPLY_THREAD = "ApplyThread";

/** The parts of one line; what is left out is not printed. */
interface Form {
  readonly from: string;
  readonly to: string;
  readonly name: string;
  readonly term: number;
  readonly logTerm?: number;
  readonly logIndex?: number;
  /** Of a refusal. */
  readonly hint?: number | undefined;
  readonly commitIndex?: number | undefined;
  readonly votedFor?: NodeId | undefined;
  readonly entries?: readonly string[];
  readonly snapshot?: Snapshot | undefined;
  readonly responses?: readonly Form[];
}

export function describeId(id: NodeId): string {
  return id.toString(16);
}

export function describeEntry(entry: Entry): string {
  const position = `${entry.term}/${entry.index}`;
  if (entry.kind === "normal") return `${position} EntryNormal ${quote(entry.data)}`;
  const change = decodeConfigurationChange(entry.data);
  if (change === undefined) return `${position} EntryConfChangeV2 unreadable`;
  const type = change.form === "single" ? "EntryConfChange" : "EntryConfChangeV2";
  return `${position} ${type} ${describeMemberChanges(change.changes)}`.trimEnd();
}

/** One line for each entry. */
export function describeEntries(entries: readonly Entry[]): string {
  return entries.map((entry) => `${describeEntry(entry)}\n`).join("");
}

function describeSnapshot(snapshot: Snapshot): string {
  const configuration = describeConfState(snapshot.configuration);
  const { lastIncludedIndex, lastIncludedTerm } = snapshot;
  return `Index:${lastIncludedIndex} Term:${lastIncludedTerm} ConfState:${configuration}`;
}

export function describeEnvelope(envelope: Envelope): string {
  return render(envelopeForm(envelope), "");
}

export function describeAppendWork(id: NodeId, work: AppendWork): string {
  return render({ ...appendForm(id, work), responses: [] }, "");
}

export function describeApplyWork(id: NodeId, work: ApplyWork): string {
  return render({ ...applyForm(id, work), responses: [] }, "");
}

/** What a thread sends on once the work is done, in order. */
export function appendResponses(id: NodeId, work: AppendWork): Envelope[] {
  const { done, snapshot } = work;
  const responses: Envelope[] = work.responses.map((message) => ({
    kind: "message",
    to: message.to,
    message,
  }));
  if (done !== undefined) responses.push({ kind: "appendDone", to: id, done, snapshot });
  return responses;
}

export function applyResponses(id: NodeId, work: ApplyWork): Envelope[] {
  return [{ kind: "applyDone", to: id, done: work.done, entries: work.entries }];
}

/** How a `Ready` is to be printed. */
export interface ReadyForm {
  readonly id: NodeId;
  /**
   * `sync`: the messages that wait for the disk are among the messages, but for those to the node
   * itself. `async`: they are part of the work.
   */
  readonly storageWrites: "sync" | "async";
  /** Whether entries, term or vote are new: what the scripts mean by it. */
  readonly mustSync: boolean;
}

/** A `Ready` as a block of lines. */
export function describeReady(ready: Ready | undefined, form: ReadyForm): string {
  const body = ready === undefined ? "" : readyBody(form.id, ready, form.storageWrites);
  return body === "" ? "<empty Ready>" : `Ready MustSync=${form.mustSync}:\n${body}`;
}

function readyBody(id: NodeId, ready: Ready, storageWrites: "sync" | "async"): string {
  const { softState, append, apply, readStates, droppedReads, parked } = ready;
  let text = "";
  if (softState !== undefined)
    text += `Lead:${softState.leaderId ?? 0} State:${ROLES[softState.role]}\n`;
  if (append?.hardState !== undefined) text += `HardState ${hardState(append.hardState)}\n`;
  if (readStates.length > 0) {
    const states = readStates.map((s) => `{Index:${s.readIndex} RequestCtx:${s.context}}`);
    text += `ReadStates [${states.join(" ")}]\n`;
  }
  if (droppedReads.length > 0) text += `DroppedReads [${droppedReads.join(" ")}]\n`;
  if (parked.length > 0) text += `Parked [${parked.map(parkedOutcome).join(" ")}]\n`;
  if (append !== undefined && append.entries.length > 0)
    text += `Entries:\n${describeEntries(append.entries)}`;
  if (append?.snapshot !== undefined) text += `Snapshot ${describeSnapshot(append.snapshot)}\n`;
  if (apply !== undefined && apply.entries.length > 0)
    text += `CommittedEntries:\n${describeEntries(apply.entries)}`;
  const messages = readyForms(id, ready, storageWrites).map((form) => `${render(form, "")}\n`);
  if (messages.length > 0) text += `Messages:\n${messages.join("")}`;
  return text;
}

function readyForms(id: NodeId, ready: Ready, storageWrites: "sync" | "async"): Form[] {
  const forms = ready.messages.map(messageForm);
  if (storageWrites === "sync") {
    const others = ready.append?.responses.filter(({ to }) => to !== id) ?? [];
    return [...forms, ...others.map(messageForm)];
  }
  if (ready.append !== undefined) forms.push(appendForm(id, ready.append));
  if (ready.apply !== undefined) forms.push(applyForm(id, ready.apply));
  return forms;
}

function parkedOutcome({ ticket, result }: ParkedOutcome): string {
  if (result === "dropped") return `{Ticket:${ticket} dropped}`;
  return `{Ticket:${ticket} Index:${result.firstIndex} Term:${result.term}}`;
}

function hardState({ currentTerm, votedFor, commitIndex }: HardState): string {
  const vote = votedFor === undefined ? "" : ` Vote:${votedFor}`;
  return `Term:${currentTerm}${vote} Commit:${commitIndex}`;
}

function describeConfState(configuration: Configuration): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = configuration;
  return [
    `Voters:${ids(voters)}`,
    `VotersOutgoing:${ids(votersOutgoing)}`,
    `Learners:${ids(learners)}`,
    `LearnersNext:${ids(learnersNext)}`,
    `AutoLeave:${autoLeave}`,
  ].join(" ");
}

function ids(members: readonly Member[]): string {
  return `[${members.map(({ id }) => id).join(" ")}]`;
}

function envelopeForm(envelope: Envelope): Form {
  switch (envelope.kind) {
    case "message":
      return messageForm(envelope.message);
    case "appendDone":
      return {
        from: APPEND_THREAD,
        to: describeId(envelope.to),
        name: APPEND_DONE_NAME,
        term: envelope.done.term,
        logTerm: envelope.done.last?.term ?? 0,
        logIndex: envelope.done.last?.index ?? 0,
        snapshot: envelope.snapshot,
      };
    case "applyDone":
      return {
        from: APPLY_THREAD,
        to: describeId(envelope.to),
        name: APPLY_DONE_NAME,
        term: 0,
        entries: envelope.entries.map(describeEntry),
      };
    default:
      return unreachable(envelope);
  }
}

function appendForm(id: NodeId, work: AppendWork): Form {
  return {
    from: describeId(id),
    to: APPEND_THREAD,
    name: "MsgStorageAppend",
    term: work.hardState?.currentTerm ?? 0,
    commitIndex: work.hardState?.commitIndex,
    votedFor: work.hardState?.votedFor,
    entries: work.entries.map(describeEntry),
    snapshot: work.snapshot,
    responses: appendResponses(id, work).map(envelopeForm),
  };
}

function applyForm(id: NodeId, work: ApplyWork): Form {
  return {
    from: describeId(id),
    to: APPLY_THREAD,
    name: "MsgStorageApply",
    term: 0,
    entries: work.entries.map(describeEntry),
    responses: applyResponses(id, work).map(envelopeForm),
  };
}

function messageForm(message: Message): Form {
  const { from, to, term, type } = message;
  const form = { from: describeId(from), to: describeId(to), name: MESSAGE_NAMES[type], term };
  switch (message.type) {
    case "AppendEntries":
      return {
        ...form,
        logTerm: message.prevLogTerm,
        logIndex: message.prevLogIndex,
        commitIndex: message.leaderCommit,
        entries: message.entries.map(describeEntry),
      };
    case "AppendEntriesReply": {
      const { rejected, index, hintIndex, hintTerm } = message;
      if (!rejected) return { ...form, logIndex: index };
      return { ...form, logTerm: hintTerm, logIndex: index, hint: hintIndex };
    }
    case "Heartbeat":
      return { ...form, commitIndex: message.leaderCommit };
    case "RequestPreVote":
    case "RequestVote":
      return { ...form, logTerm: message.lastLogTerm, logIndex: message.lastLogIndex };
    case "RequestPreVoteReply":
    case "RequestVoteReply":
      return { ...form, hint: message.voteGranted ? undefined : 0 };
    case "InstallSnapshot":
      return { ...form, snapshot: message.snapshot };
    case "ReadIndexReply":
      return { ...form, logIndex: message.readIndex };
    case "TransferLeadershipRequest":
      // The wish is passed on in the name of the one who is to lead.
      return { ...form, from: describeId(message.transferee) };
    case "HeartbeatReply":
    case "ReadIndexRequest":
    case "TimeoutNow":
      return form;
    default:
      return unreachable(message);
  }
}

function render(form: Form, indent: string): string {
  const { hint, commitIndex = 0, votedFor, entries = [], snapshot, responses = [] } = form;
  let text = `${indent}${form.from}->${form.to} ${form.name} Term:${form.term}`;
  text += ` Log:${form.logTerm ?? 0}/${form.logIndex ?? 0}`;
  if (hint !== undefined) text += ` Rejected (Hint: ${hint})`;
  if (commitIndex !== 0) text += ` Commit:${commitIndex}`;
  if (votedFor !== undefined) text += ` Vote:${votedFor}`;
  if (entries.length === 1) text += ` Entries:[${entries[0]}]`;
  if (entries.length > 1)
    text += ` Entries:[${entries.map((e) => `\n${indent}  ${e}`).join("")}\n${indent}]`;
  if (snapshot !== undefined) text += `\n${indent}  Snapshot: ${describeSnapshot(snapshot)}`;
  if (responses.length > 0) {
    const lines = responses.map((response) => `\n${render(response, `${indent}  `)}`);
    text += ` Responses:[${lines.join("")}\n${indent}]`;
  }
  return text;
}
