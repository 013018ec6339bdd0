/**
 * The events of a run as etcd-io/raft's `TracingEvent`s, one JSON object per line: the input of
 * etcd's `tla/Traceetcdraft.tla` (its 19 event names, its field names, its message names).
 *
 * That specification knows neither pre-vote nor joint consensus nor reads, so what belongs to those
 * is left out, as etcd itself does. Snapshots go by the names of appends, as in etcd.
 */

import type {
  Configuration,
  LogIndex,
  Member,
  Message,
  RaftEvent,
  RoleName,
  Term,
} from "@quorumlog/raft";
import type { SimNode } from "../node/sim-node.ts";

interface TracedMessage {
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

/** Etcd's name of a message, and of the event of sending or receiving it; others are not traced. */
const MESSAGES: Readonly<Partial<Record<Message["type"], { type: string; event: string }>>> = {
  AppendEntries: { type: "MsgApp", event: "AppendEntriesRequest" },
  Heartbeat: { type: "MsgHeartbeat", event: "AppendEntriesRequest" },
  InstallSnapshot: { type: "MsgSnap", event: "AppendEntriesRequest" },
  AppendEntriesReply: { type: "MsgAppResp", event: "AppendEntriesResponse" },
  HeartbeatReply: { type: "MsgHeartbeatResp", event: "AppendEntriesResponse" },
  RequestVote: { type: "MsgVote", event: "RequestVoteRequest" },
  RequestVoteReply: { type: "MsgVoteResp", event: "RequestVoteResponse" },
};

const CHANGES = {
  addVoter: "AddNewServer",
  addLearner: "AddLearner",
  remove: "RemoveServer",
} as const;

/** Entries that a leader has appended; whether they are a change shows a few events later. */
interface Appended {
  readonly node: SimNode;
  readonly count: number;
  /** What came after, and waits to be written after it. */
  readonly held: RaftEvent[];
}

export class TlaTrace {
  readonly #write: (line: string) => void;
  readonly #configurations = new Map<SimNode, Configuration>();
  /** The last term in which each node was seen to lead. */
  readonly #ledIn = new Map<SimNode, Term>();
  #appended: Appended | undefined;
  /**
   * The specification starts from a log with one change of configuration per first member, a run
   * of the simulator from a snapshot: indices are told as if those changes ended where it ends.
   */
  #shift: number | undefined;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  readonly onEvent = (node: SimNode, event: RaftEvent): void => {
    if (!this.#configurations.has(node)) {
      // While a core is being built it has no status yet; its first event after that starts it.
      if ((node.core as unknown) === undefined) return;
      this.#start(node);
    }
    const appended = this.#appended;
    if (appended === undefined) this.#onEvent(node, event);
    else if (event.type === "messageQueued" && event.message.to === node.id)
      appended.held.push(event);
    else {
      this.#appended = undefined;
      this.#flush(appended, event);
      this.#onEvent(node, event);
    }
  };

  /** Etcd's order: its initial state, then the changes that it was bootstrapped with. */
  #start(node: SimNode): void {
    const { configuration, lastIndex } = node.core.status();
    this.#configurations.set(node, configuration);
    const isFirstLife = node.life <= configuration.voters.length;
    this.#shift ??= lastIndex - configuration.voters.length;
    this.#emit("InitState", node);
    this.#emit("BecomeFollower", node);
    if (!isFirstLife) return;
    configuration.voters.forEach((_, i) => {
      const newconf = ids(configuration.voters.slice(0, i + 1));
      const before = ids(configuration.voters.slice(0, i));
      this.#emit("ApplyConfChange", node, { conf: [before, []], prop: { cc: { newconf } } });
    });
  }

  #flush(appended: Appended, next: RaftEvent): void {
    const { node, count, held } = appended;
    const status = node.core.status();
    const before = this.#told(status.lastIndex) - count;
    if (this.#ledIn.get(node) !== status.currentTerm) {
      this.#ledIn.set(node, status.currentTerm);
      this.#emit("BecomeLeader", node, { log: before });
    }
    if (next.type !== "configurationChangeProposed")
      for (let i = 0; i < count; i++) this.#emit("Replicate", node, { log: before + i });
    else this.#onChange(node, next);
    for (const event of held) this.#onEvent(node, event);
  }

  #onEvent(node: SimNode, event: RaftEvent): void {
    switch (event.type) {
      case "becameFollower":
        this.#emit("BecomeFollower", node);
        break;
      case "becameCandidate":
        this.#emit("BecomeCandidate", node);
        break;
      case "entriesProposed":
        this.#appended = { node, count: event.count, held: [] };
        break;
      case "commitAdvanced":
        if (node.core.status().role === "leader") this.#emit("Commit", node);
        break;
      case "configurationSwitched":
        this.#onSwitch(node, event.configuration);
        break;
      case "readyTaken":
        this.#emit("Ready", node);
        break;
      case "messageQueued":
        this.#onMessage(node, "Send", event.message);
        break;
      case "messageReceived":
        this.#onMessage(node, "Receive", event.message);
        break;
      default:
        break;
    }
  }

  /** The state is told as it was before. */
  #onSwitch(node: SimNode, configuration: Configuration): void {
    const before = this.#configurations.get(node) ?? configuration;
    this.#configurations.set(node, configuration);
    const newconf = ids(configuration.voters);
    this.#emit("ApplyConfChange", node, { conf: conf(before), prop: { cc: { newconf } } });
  }

  #onChange(node: SimNode, event: RaftEvent & { type: "configurationChangeProposed" }): void {
    const changes = event.change.changes.flatMap(({ operation, member }) =>
      operation === "update" ? [] : [{ nid: String(member.id), action: CHANGES[operation] }],
    );
    if (changes.length > 0) this.#emit("ChangeConf", node, { prop: { cc: { changes } } });
  }

  #onMessage(node: SimNode, way: "Send" | "Receive", message: Message): void {
    const names = MESSAGES[message.type];
    if (names === undefined) return;
    const msg = tracedMessage(names.type, message, (index) => this.#told(index));
    const name = `${way}${names.event}`;
    if (way === "Receive" || message.type !== "AppendEntries") {
      this.#emit(name, node, { msg });
      return;
    }
    const progress = node.core.progress().find(({ id }) => id === message.to);
    const match = this.#told(progress?.matchIndex ?? 0);
    const next = this.#told(progress?.nextIndex ?? 1);
    this.#emit(name, node, { msg, prop: { match, next } });
  }

  #told(index: LogIndex): number {
    return Math.max(0, index - (this.#shift ?? 0));
  }

  #emit(name: string, node: SimNode, extra: Readonly<Record<string, unknown>> = {}): void {
    const status = node.core.status();
    const { currentTerm: term, votedFor, role, id } = status;
    const commit = this.#told(status.commitIndex);
    const event = {
      name,
      nid: String(id),
      state: { term, vote: String(votedFor ?? 0), commit },
      role: ROLES[role],
      log: this.#told(status.lastIndex),
      conf: conf(status.configuration),
      ...extra,
    };
    this.#write(JSON.stringify({ tag: "trace", event }));
  }
}

function tracedMessage(
  type: string,
  message: Message,
  told: (index: LogIndex) => number,
): TracedMessage {
  const { term, from, to } = message;
  const base = {
    type,
    term,
    from: String(from),
    to: String(to),
    entries: 0,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: "0",
    reject: false,
    rejectHint: 0,
  };
  switch (message.type) {
    case "AppendEntries": {
      const { entries, prevLogTerm: logTerm } = message;
      const index = told(message.prevLogIndex);
      const commit = told(message.leaderCommit);
      return { ...base, entries: entries.length, index, logTerm, commit };
    }
    case "AppendEntriesReply": {
      const { rejected: reject, hintTerm: logTerm } = message;
      const index = told(message.index);
      return { ...base, index, reject, rejectHint: told(message.hintIndex), logTerm };
    }
    case "Heartbeat":
      return { ...base, commit: told(message.leaderCommit) };
    case "InstallSnapshot":
      // Etcd puts the snapshot's index in the place of the number of entries.
      return { ...base, entries: told(message.snapshot.lastIncludedIndex) };
    case "RequestVote":
      return { ...base, index: told(message.lastLogIndex), logTerm: message.lastLogTerm };
    case "RequestVoteReply":
      return { ...base, reject: !message.voteGranted };
    default:
      return base;
  }
}

function conf(configuration: Configuration): [string[], string[]] {
  return [ids(configuration.voters), ids(configuration.votersOutgoing)];
}

function ids(members: readonly Member[]): string[] {
  return members.map(({ id }) => String(id));
}
