/**
 * The invariants of Raft, checked after every step of every node.
 *
 * Election Safety, Log Matching, Leader Completeness, State Machine Safety (paper figure 3);
 * committed on a quorum, committed immutable, `purged <= snapshot <= applied <= committed <= last`,
 * monotonic term, vote, commit and applied index (openraft's fuzz tests); and the rules from which
 * these follow, so that a bug is caught where it happens and not a minute later. Each check looks
 * only at what has changed.
 */

import {
  type AppendWork,
  type Configuration,
  type DropReason,
  type Entry,
  findMember,
  isVoter,
  type LogIndex,
  type Message,
  type NodeId,
  type RaftEvent,
  type Snapshot,
  type Status,
  type Term,
} from "@quorumlog/raft";
import { required } from "@quorumlog/std";
import type { LogView } from "../engine/log-view.ts";
import { TRACE, type Trace } from "../engine/trace.ts";
import { hold, Violation } from "../engine/violation.ts";
import type { ApplyEffect } from "../node/state-machine.ts";
import type { NodeWatcher } from "../node/node-environment.ts";
import type { SimNode } from "../node/sim-node.ts";
import { AppendChecker } from "./append-checker.ts";
import { describeConfiguration } from "./configuration-model.ts";
import type { Ledger } from "./ledger.ts";
import { majority, type MemberDirectory } from "./member-directory.ts";
import type { Oracle } from "./oracle.ts";
import { checkCaughtUp, checkCounted, checkTrusted } from "./suspicion-checker.ts";
import { checkEvent, checkFollowed, checkFollowersCommit, checkStep } from "./step-checker.ts";
import { Promises } from "./promises.ts";

/** What was last seen of one process. */
interface Seen {
  term: Term;
  votedFor: NodeId | undefined;
  commitIndex: LogIndex;
  appliedIndex: LogIndex;
  /** As last handed out to be written. */
  writtenTerm: Term;
  isNewLeader: boolean;
  turns: number;
}

const PROGRESS_CHECK_INTERVAL = 6;

export class Invariants implements NodeWatcher<SimNode> {
  readonly #ledger: Ledger;
  readonly #oracle: Oracle;
  readonly #trace: Trace;
  readonly #directory: MemberDirectory;
  readonly #promises: Promises;
  readonly #appends: AppendChecker;
  readonly #listener: (node: SimNode, event: RaftEvent) => void;
  readonly #leaders = new Map<Term, { readonly id: NodeId; readonly incarnation: number }>();
  readonly #seen = new Map<SimNode, Seen>();

  /** @param init - `listener` is told of every event, before it is checked. */
  constructor(init: {
    ledger: Ledger;
    oracle: Oracle;
    trace: Trace;
    directory: MemberDirectory;
    listener: (node: SimNode, event: RaftEvent) => void;
  }) {
    this.#ledger = init.ledger;
    this.#oracle = init.oracle;
    this.#trace = init.trace;
    this.#directory = init.directory;
    this.#listener = init.listener;
    this.#promises = new Promises(init.directory);
    this.#appends = new AppendChecker(init.ledger);
  }

  /** A process has started on what it found on its disk. */
  onStart(node: SimNode): void {
    const { recovered } = node;
    this.#promises.onStart(node, recovered);
    this.#seen.set(node, {
      term: recovered.currentTerm,
      votedFor: recovered.votedFor,
      commitIndex: recovered.commitIndex,
      appliedIndex: node.machine.appliedIndex,
      writtenTerm: recovered.currentTerm,
      isNewLeader: false,
      turns: 0,
    });
    this.onTurnEnd(node);
  }

  onStop(node: SimNode): void {
    this.#seen.delete(node);
  }

  onAppended(attempt: number, position: { index: LogIndex; term: Term }): void {
    this.#oracle.onAppended(attempt, position);
  }

  onRefused(attempt: number): void {
    this.#oracle.onRefused(attempt);
  }

  onEvent(node: SimNode, event: RaftEvent): void {
    this.#listener(node, event);
    checkEvent(node, event);
    switch (event.type) {
      case "commitAdvanced":
        this.#onCommit(node, event.commitIndex);
        break;
      case "becameLeader":
        this.#onElected(node, event.term);
        break;
      case "voteAnswered":
        if (!event.granted || event.kind === "preVote") return;
        checkUpToDate(node, event);
        break;
      default:
        break;
    }
  }

  #onElected(node: SimNode, term: Term): void {
    this.#trace.event(TRACE.event, node.id, term);
    const { id, incarnation } = node;
    const former = this.#leaders.get(term);
    hold(
      former === undefined,
      "Election Safety",
      [id, former?.id ?? 0],
      () => `${former?.id} and ${id} were both elected in term ${term}`,
    );
    this.#leaders.set(term, { id, incarnation });
    this.#promises.checkElected(node, term, node.core.status().configuration);
    const seen = this.#seen.get(node);
    if (seen !== undefined) seen.isNewLeader = true;
  }

  /** A commit index has moved. If nobody's had come so far, this is the moment of commitment. */
  #onCommit(node: SimNode, commitIndex: LogIndex): void {
    const ledger = this.#ledger;
    checkFollowersCommit(node, commitIndex);
    this.#trace.event(TRACE.commit, node.id, commitIndex);
    if (commitIndex <= ledger.committedIndex) return;
    const { role, currentTerm, configuration } = node.core.status();
    hold(
      role === "leader",
      "only a leader commits",
      [node.id],
      () =>
        `${role} of term ${currentTerm} at ${commitIndex}; committed is ${ledger.committedIndex}`,
    );
    const last = node.issued.entry(commitIndex);
    if (last === undefined)
      throw new Violation("committed before it was handed out", [node.id], `index ${commitIndex}`);
    hold(
      last.term === currentTerm,
      "only entries of the own term are counted (figure 8)",
      [node.id],
      () => `leader of term ${currentTerm} commits index ${commitIndex} of ${last.term}`,
    );
    this.#checkQuorum(node, last, configuration);
    checkCounted(node, last, configuration);
    for (let index = ledger.committedIndex + 1; index <= commitIndex; index++) {
      const entry = required(node.issued.entry(index), "a log has no gaps");
      ledger.commit(entry, currentTerm);
    }
  }

  #checkQuorum(node: SimNode, entry: Entry, configuration: Configuration): void {
    for (const half of [configuration.voters, configuration.votersOutgoing]) {
      const isHeld = majority(
        half,
        // Who has forgotten it is counted by others until they hear of that.
        (member) =>
          this.#directory.durable(member)?.log.covers(entry) === true ||
          this.#directory.hasForgotten(member),
      );
      hold(
        isHeld,
        "committed on a quorum",
        [node.id],
        () =>
          `index ${entry.index} of term ${entry.term} is not durable on a majority of ` +
          half.map(({ id }) => id).join(" "),
      );
    }
  }

  onAppend(node: SimNode, work: AppendWork): void {
    const seen = this.#seen.get(node);
    if (seen !== undefined) this.#appends.check(node, work, seen);
  }

  onStepped(node: SimNode, message: Message, reason: DropReason | undefined): void {
    const { currentTerm: before, role } = node.lastStatus;
    const wasCandidate = role === "candidate" || role === "preCandidate";
    checkStep(node, message, { reason, before, wasCandidate });
  }

  onDurable(node: SimNode): void {
    const { hardState, log } = node.disk.durable;
    this.#trace.event(TRACE.sync, node.id, log.lastIndex, hardState.currentTerm);
    hold(
      log.lastTerm <= hardState.currentTerm,
      "no entry is durable before its term",
      [node.id],
      () => `an entry of term ${log.lastTerm}, durable term ${hardState.currentTerm}`,
    );
  }

  onSend(node: SimNode, message: Message, isPromise: boolean): void {
    if (isPromise) this.#promises.onPromise(node, message);
    checkTrusted(node, message);
    switch (message.type) {
      case "AppendEntries":
        checkAppendEntries(node, message);
        this.#checkLeader(node, message.term);
        this.#checkTold(node, message.leaderCommit);
        break;
      case "Heartbeat":
        this.#checkLeader(node, message.term);
        this.#checkTold(node, message.leaderCommit);
        break;
      case "InstallSnapshot":
        this.#checkLeader(node, message.term);
        this.#checkTold(node, message.snapshot.lastIncludedIndex);
        break;
      case "AppendEntriesReply":
      case "RequestVoteReply":
        hold(
          isPromise || !isGrant(message),
          "a promise waits for the disk",
          [node.id],
          () => `${message.type} to ${message.to} left at once`,
        );
        break;
      default:
        break;
    }
  }

  #checkLeader(node: SimNode, term: Term): void {
    const leader = this.#leaders.get(term);
    hold(
      leader?.id === node.id && leader.incarnation === node.incarnation,
      "one sender of appends per term",
      [node.id],
      () => `term ${term} was won by ${leader?.id ?? "nobody"}`,
    );
  }

  #checkTold(node: SimNode, commitIndex: LogIndex): void {
    hold(
      commitIndex <= this.#ledger.committedIndex,
      "nobody is told more than is committed",
      [node.id],
      () => `${commitIndex}; committed is ${this.#ledger.committedIndex}`,
    );
  }

  onApply(node: SimNode, entry: Entry, _effect: ApplyEffect): void {
    this.#trace.event(TRACE.apply, node.id, entry.index, entry.term);
    this.#ledger.checkApplied(node.id, entry);
    hold(
      node.disk.durable.log.covers(entry),
      "only what is durable here is applied here",
      [node.id],
      () => `index ${entry.index}, durable up to ${node.disk.durable.log.lastIndex}`,
    );
    hold(
      this.#ledger.agreesWith(node.machine),
      "state machines agree",
      [node.id],
      () => `at index ${entry.index}`,
    );
    if (entry.kind === "configuration" && !node.isOvertaken())
      this.#checkConfiguration(node, entry.index, node.configuration);
  }

  onSnapshot(node: SimNode, snapshot: Snapshot, origin: "taken" | "installed"): void {
    const { lastIncludedIndex: index, lastIncludedTerm: term } = snapshot;
    hold(
      this.#ledger.term(index) === term,
      "a snapshot is of what is committed",
      [node.id],
      () => `${origin} at index ${index} of term ${term}; committed ${this.#ledger.term(index)}`,
    );
    hold(
      node.machine.appliedIndex === index && this.#ledger.agreesWith(node.machine),
      "a snapshot holds the state at its index",
      [node.id],
      () => `${origin} at ${index}, state at ${node.machine.appliedIndex}`,
    );
    this.#checkConfiguration(node, index, snapshot.configuration);
  }

  #checkConfiguration(node: SimNode, index: LogIndex, configuration: Configuration): void {
    const own = describeConfiguration(configuration);
    const truth = describeConfiguration(this.#ledger.configurationAt(index));
    hold(
      own === truth,
      "the configuration at an index is the same everywhere",
      [node.id],
      () => `at ${index}: ${own}, should be ${truth}`,
    );
  }

  onCleared(node: SimNode, forgotten: readonly LogView[]): void {
    for (const log of forgotten) checkCaughtUp(node, log, this.#ledger);
  }

  onTurnEnd(node: SimNode): void {
    const seen = this.#seen.get(node);
    if (seen === undefined) return;
    const status = node.lastStatus;
    checkMonotonic(node, seen, status);
    checkFollowed(node, status, this.#leaders.get(status.currentTerm)?.id);
    this.#checkOrder(node, status);
    if (status.commitIndex > seen.commitIndex || seen.turns === 0)
      this.#checkCommitted(node, status);
    if (node.hasParked && status.transferee === undefined)
      hold(
        node.core.hasReady(),
        "parked proposals hear of the end of their transfer",
        [node.id],
        () => `${status.role} of term ${status.currentTerm}`,
      );
    if (seen.isNewLeader && status.role === "leader") this.#checkCompleteness(node, status);
    seen.isNewLeader = false;
    seen.turns += 1;
    if (status.role === "leader") {
      hold(
        this.#leaders.get(status.currentTerm)?.id === node.id,
        "Election Safety",
        [node.id],
        () => `${node.id} leads in term ${status.currentTerm} without an election`,
      );
      if (seen.turns % PROGRESS_CHECK_INTERVAL === 0) this.#checkProgress(node, status);
    }
    seen.term = status.currentTerm;
    seen.votedFor = status.votedFor;
    seen.commitIndex = status.commitIndex;
    seen.appliedIndex = status.appliedIndex;
  }

  /** Purged <= snapshot <= applied <= committed <= last; and stable is truly durable. */
  #checkOrder(node: SimNode, status: Status): void {
    const { commitIndex, appliedIndex, lastIndex, stableIndex } = status;
    hold(
      appliedIndex <= commitIndex && commitIndex <= lastIndex,
      "applied <= committed <= last",
      [node.id],
      () => `${appliedIndex}, ${commitIndex}, ${lastIndex}`,
    );
    if (node.isInstalling) return;
    const purged = node.storage.log.baseIndex;
    const { snapshotIndex } = node.storage;
    // Applied as the state machine has it: the core hears of a batch when all of it is.
    const applied = node.machine.appliedIndex;
    hold(
      purged <= snapshotIndex && snapshotIndex <= applied && purged <= appliedIndex,
      "purged <= snapshot <= applied",
      [node.id],
      () => `${purged}, ${snapshotIndex}, ${applied}, told ${appliedIndex}`,
    );
    const { log } = node.disk.durable;
    const expected = node.issued.term(stableIndex);
    if (expected === undefined || stableIndex <= log.baseIndex) return;
    hold(
      log.term(stableIndex) === expected,
      "what counts as stable is durable",
      [node.id],
      () => `index ${stableIndex}: term ${expected}, durable is ${log.term(stableIndex)}`,
    );
  }

  #checkCommitted(node: SimNode, status: Status): void {
    const { commitIndex } = status;
    hold(
      commitIndex <= this.#ledger.committedIndex,
      "only a leader commits",
      [node.id],
      () => `${status.role} at ${commitIndex}; committed is ${this.#ledger.committedIndex}`,
    );
    const own = node.issued.term(commitIndex);
    const truth = this.#ledger.term(commitIndex);
    hold(
      own === undefined || truth === undefined || own === truth,
      "committed entries are the same everywhere",
      [node.id],
      () => `index ${commitIndex}: term ${own} here, committed ${truth}`,
    );
  }

  /** Leader Completeness: what earlier leaders committed is in the log of every later one. */
  #checkCompleteness(node: SimNode, status: Status): void {
    const position = this.#ledger.committedBefore(status.currentTerm);
    hold(
      node.issued.covers(position),
      "Leader Completeness",
      [node.id],
      () =>
        `the leader of term ${status.currentTerm} lacks index ${position.index} of term ` +
        `${position.term}; its log ends at ${node.issued.lastIndex}`,
    );
    const { configuration } = status;
    hold(isVoter(configuration, node.id), "only voters are elected", [node.id], () =>
      describeConfiguration(configuration),
    );
  }

  #checkProgress(node: SimNode, status: Status): void {
    for (const { id, matchIndex, lossCount } of node.core.progress()) {
      const member = findMember(status.configuration, id);
      if (member === undefined || matchIndex === 0 || id === node.id) continue;
      const term = status.currentTerm;
      this.#promises.checkMatchIndex(node, { member, matchIndex, lossCount, term });
    }
  }
}

function checkMonotonic(node: SimNode, seen: Seen, status: Status): void {
  const { currentTerm, votedFor, commitIndex, appliedIndex } = status;
  hold(
    currentTerm >= seen.term,
    "the term never goes back",
    [node.id],
    () => `${seen.term} to ${currentTerm}`,
  );
  hold(
    commitIndex >= seen.commitIndex,
    "the commit index never goes back",
    [node.id],
    () => `${seen.commitIndex} to ${commitIndex}`,
  );
  hold(
    appliedIndex >= seen.appliedIndex,
    "the applied index never goes back",
    [node.id],
    () => `${seen.appliedIndex} to ${appliedIndex}`,
  );
  if (currentTerm > seen.term || seen.votedFor === undefined) return;
  hold(
    votedFor === seen.votedFor,
    "a vote stands for its term",
    [node.id],
    () => `term ${currentTerm}: ${seen.votedFor}, then ${String(votedFor)}`,
  );
}

/** Paper §5.4.1: only for a log at least as up-to-date as one's own. */
function checkUpToDate(node: SimNode, event: RaftEvent & { type: "voteAnswered" }): void {
  const { candidateLast, last, candidate } = event;
  const isUpToDate =
    candidateLast.term > last.term ||
    (candidateLast.term === last.term && candidateLast.index >= last.index);
  hold(
    isUpToDate,
    "votes go to logs that are up to date",
    [node.id, candidate],
    () =>
      `candidate at ${candidateLast.index} of term ${candidateLast.term}, voter at ${last.index} ` +
      `of term ${last.term}`,
  );
}

function checkAppendEntries(node: SimNode, message: Message & { type: "AppendEntries" }): void {
  const { prevLogIndex, prevLogTerm, entries } = message;
  hold(
    (prevLogIndex === 0) === (prevLogTerm === 0),
    "a compacted term is not 0",
    [node.id],
    () => `prevLogIndex ${prevLogIndex}, prevLogTerm ${prevLogTerm}`,
  );
  const first = entries[0];
  hold(
    first === undefined || first.index === prevLogIndex + 1,
    "entries follow prevLogIndex",
    [node.id],
    () => `${prevLogIndex}, then ${first?.index}`,
  );
}

function isGrant(message: Message): boolean {
  if (message.type === "RequestVoteReply") return message.voteGranted;
  return message.type === "AppendEntriesReply" && !message.rejected;
}
