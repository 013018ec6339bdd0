/**
 * A run as events for the public TLA+ trace specification of etcd-io/raft (`Traceetcdraft.tla`): one
 * JSON object a line, under the names that its trace logger gives them.
 *
 * The specification knows neither pre-votes, nor reads, nor transfers: those leave no line. It takes
 * writes to be atomic, so a run with crashes is told up to the first one only if it is to validate.
 */

import type { SimNode } from "../node/sim-node.ts";
import type { Configuration, Message, RaftEvent, RoleName, Status } from "@quorumlog/raft";

interface TraceMessage {
  readonly type: string;
  readonly term: number;
  readonly from: string;
  readonly to: string;
  readonly entries: number;
  readonly logTerm: number;
  readonly index: number;
  readonly commit: number;
  readonly vote: string;
  readonly reject: boolean;
  readonly rejectHint: number;
}

const ROLES: Readonly<Record<RoleName, string>> = {
  follower: "StateFollower",
  preCandidate: "StatePreCandidate",
  candidate: "StateCandidate",
  leader: "StateLeader",
};

/** What a line says of its node. */
type TracedState = Pick<
  Status,
  "id" | "role" | "currentTerm" | "votedFor" | "commitIndex" | "lastIndex" | "configuration"
>;

/** Writes the events of all nodes of a run. */
export class TlaTrace {
  readonly #write: (line: string) => void;
  readonly #started = new WeakSet<SimNode>();

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  onEvent(node: SimNode, event: RaftEvent): void {
    // While a core is being made it has no status to show: then its disk has the state.
    const isStarting = event.type === "started";
    if (isStarting) this.#started.add(node);
    else if (!this.#started.has(node)) return;
    const state = isStarting ? recoveredState(node) : node.core.status();
    for (const line of tlaLines(event, state)) this.#write(line);
  }
}

function recoveredState(node: SimNode): TracedState {
  const { id, recovered, configuration, issued } = node;
  return { ...recovered, id, role: "follower", configuration, lastIndex: issued.lastIndex };
}

function tlaLines(event: RaftEvent, status: TracedState): string[] {
  const line = (name: string, more: object = {}): string =>
    JSON.stringify({ tag: "trace", event: { name, ...describeState(status), ...more } });
  switch (event.type) {
    case "started":
      return [line("InitState"), line("BecomeFollower")];
    case "becameFollower":
      return [line("BecomeFollower")];
    case "becameCandidate":
      return [line("BecomeCandidate")];
    case "becameLeader":
      return [line("BecomeLeader")];
    case "commitAdvanced":
      return status.role === "leader" ? [line("Commit")] : [];
    case "entriesProposed":
      return Array.from({ length: event.count }, () => line("Replicate"));
    case "configurationChangeProposed":
      return event.change.changes.length === 0
        ? []
        : [
            line("ChangeConf", {
              prop: { cc: { changes: event.change.changes.map(describeChange) } },
            }),
          ];
    case "configurationSwitched":
      return [
        line("ApplyConfChange", {
          prop: { cc: { newconf: ids(event.configuration.voters) } },
        }),
      ];
    case "readyTaken":
      return [line("Ready")];
    case "messageQueued":
      return messageLine("Send", event.message, line);
    case "messageReceived":
      return messageLine("Receive", event.message, line);
    default:
      return [];
  }
}

function messageLine(
  verb: "Send" | "Receive",
  message: Message,
  line: (name: string, more: object) => string,
): string[] {
  const kind = KINDS[message.type];
  return kind === undefined
    ? []
    : [line(`${verb}${kind.event}`, { msg: describe(message, kind.type) })];
}

/** Event and message names by type; types without a row are not part of the specification. */
const KINDS: Readonly<Partial<Record<Message["type"], { event: string; type: string }>>> = {
  AppendEntries: { event: "AppendEntriesRequest", type: "MsgApp" },
  AppendEntriesReply: { event: "AppendEntriesResponse", type: "MsgAppResp" },
  Heartbeat: { event: "AppendEntriesRequest", type: "MsgHeartbeat" },
  HeartbeatReply: { event: "AppendEntriesResponse", type: "MsgHeartbeatResp" },
  InstallSnapshot: { event: "AppendEntriesRequest", type: "MsgSnap" },
  RequestVote: { event: "RequestVoteRequest", type: "MsgVote" },
  RequestVoteReply: { event: "RequestVoteResponse", type: "MsgVoteResp" },
};

function describe(message: Message, type: string): TraceMessage {
  const plain: TraceMessage = {
    type,
    term: message.term,
    from: `${message.from}`,
    to: `${message.to}`,
    entries: 0,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: "0",
    reject: false,
    rejectHint: 0,
  };
  switch (message.type) {
    case "AppendEntries":
      return {
        ...plain,
        entries: message.entries.length,
        logTerm: message.prevLogTerm,
        index: message.prevLogIndex,
        commit: message.leaderCommit,
      };
    case "AppendEntriesReply":
      return {
        ...plain,
        index: message.index,
        logTerm: message.hintTerm,
        reject: message.rejected,
        rejectHint: message.hintIndex,
      };
    case "Heartbeat":
      return { ...plain, commit: message.leaderCommit };
    // A snapshot counts as an append of everything up to its index.
    case "InstallSnapshot":
      return { ...plain, entries: message.snapshot.lastIncludedIndex };
    case "RequestVote":
      return { ...plain, index: message.lastLogIndex, logTerm: message.lastLogTerm };
    case "RequestVoteReply":
      return { ...plain, reject: !message.voteGranted };
    default:
      return plain;
  }
}

const ACTIONS = {
  addVoter: "AddNewServer",
  addLearner: "AddLearner",
  remove: "RemoveServer",
  update: "UpdateServer",
} as const;

function describeChange(change: {
  operation: keyof typeof ACTIONS;
  member: { id: number };
}): object {
  return { nid: `${change.member.id}`, action: ACTIONS[change.operation] };
}

function describeState(status: TracedState): object {
  return {
    nid: `${status.id}`,
    state: {
      term: status.currentTerm,
      vote: `${status.votedFor ?? 0}`,
      commit: status.commitIndex,
    },
    role: ROLES[status.role],
    log: status.lastIndex,
    conf: confOf(status.configuration),
  };
}

function confOf(configuration: Configuration): [string[], string[]] {
  return [ids(configuration.voters), ids(configuration.votersOutgoing)];
}

function ids(members: readonly { id: number }[]): string[] {
  return members.map(({ id }) => `${id}`);
}
