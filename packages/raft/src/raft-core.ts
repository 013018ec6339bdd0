/**
 * The consensus core: Raft as a pure, synchronous state machine.
 *
 *     inputs ─> step, tick, propose, ... ─> takeReady() ─> outputs ─> onAppendDone, onApplyDone
 *
 * The same inputs give the same outputs: there is no clock, no chance but a seed, no promise, no
 * I/O here. Behaviour follows the Raft paper and thesis; where they leave room, etcd-io/raft.
 */

import { assert } from "@quorumlog/std";
import { type Configuration, configurationProblem } from "./configuration.ts";
import type { ConfigurationChange } from "./configuration-change.ts";
import { CoreState, type RaftCoreInit } from "./core-state.ts";
import { type DropCounts, type DropReason, noDrops } from "./drop-reason.ts";
import {
  campaign,
  defaultCampaign,
  onVoteRequest,
  isPromotable,
  rejectPreVote,
  tickElection,
} from "./election.ts";
import type { Entry } from "./entry.ts";
import { tellOfTerm } from "./follower.ts";
import { isCount, type LogIndex, type NodeId, type Term, type Ticks } from "./ids.ts";
import { onSnapshotReport, onUnreachable, tickLeader } from "./leader.ts";
import {
  applyConfigurationChange,
  maybeAutoLeave,
  proposeConfigurationChange,
} from "./membership.ts";
import type { Message, RequestPreVote, RequestVote } from "./message.ts";
import { messageRefusal } from "./message-gate.ts";
import type { ProgressView } from "./progress.ts";
import { propose } from "./proposals.ts";
import type { ProposeResult } from "./propose-result.ts";
import { expireForwardedReads, readIndex, startWantedRound } from "./reads.ts";
import type { AppendDone, ApplyDone, Ready, RoleName, Status } from "./ready.ts";
import { ReadyBuilder } from "./ready-builder.ts";
import { stepRole } from "./step-role.ts";
import { startTransfer } from "./transfer.ts";
import { becomeFollower, drawElectionTimeout } from "./transitions.ts";

/** Terms rise one by one. A leap would be kept for ever, and might leave no room above it. */
const TERM_JUMP_MAX = 2 ** 32;

export class RaftCore {
  readonly #core: CoreState;
  readonly #builder: ReadyBuilder;
  readonly #dropped = noDrops();
  /** Storage mode `sync`: the Ready that was taken and not yet advanced past. */
  #outstanding: Ready | undefined;

  /**
   * @throws {@link InvariantViolation} if the storage contradicts itself: its log is not
   *   contiguous, its commit index lies outside it, or its configuration is not one.
   */
  constructor(init: RaftCoreInit) {
    assert(isCount(init.id, 1), "a node id is a positive integer");
    assert(isCount(init.incarnation, 0), "an incarnation is a count");
    const core = new CoreState(init);
    this.#core = core;
    const problem = configurationProblem(core.configuration);
    assert(problem === undefined, "the stored configuration is sound");
    core.emit({ type: "configurationSwitched", configuration: core.configuration });
    becomeFollower(core, core.currentTerm);
    // Its former life may have heard a leader a moment ago, and that leader reads from its lease.
    if (init.options.leaseReads && core.currentTerm > 0)
      core.voteFreeAt = init.options.electionTicks;
    core.emit({ type: "started" });
    this.#builder = new ReadyBuilder(core);
    core.checkInvariants();
  }

  /**
   * Takes in a message: from a peer, or one of this node's own that rode on append work.
   *
   * The transport vouches for `from`; everything else is checked here.
   *
   * @param message - Borrowed, but for its entries, which the log keeps.
   * @returns why the message was not acted on; `undefined` if it was.
   */
  step(message: Message): DropReason | undefined {
    const reason = this.refusal(message) ?? this.#receive(message);
    if (reason !== undefined) {
      this.#dropped[reason] += 1;
      this.#core.emit({ type: "messageDropped", message, reason });
    }
    this.#core.checkInvariants();
    return reason;
  }

  /**
   * Why `step` would drop a message before it looks into it, if it would. Changes and counts
   * nothing: a driver asks before it does work of its own for a message.
   */
  refusal(message: Message): DropReason | undefined {
    return messageRefusal(this.#core, message);
  }

  /**
   * Lets time pass.
   *
   * After a pause this comes before any other input: a lease and the promises that it rests on are
   * judged by the time that was told.
   *
   * @param elapsed - Ticks since the last call, by a monotonic clock; at least 0. A process that
   *   was paused reports the whole pause, so that a leader knows that its lease is over. A
   *   follower's election timer takes at most half of `electionTicks` of it, to read its messages
   *   first.
   */
  tick(elapsed: Ticks = 1): void {
    if (!isCount(elapsed, 0)) throw new RangeError("elapsed: not a count of ticks");
    const core = this.#core;
    core.now += elapsed;
    const leader = core.leader();
    if (leader === undefined) tickElection(core, elapsed);
    else tickLeader(core, leader, elapsed);
    expireForwardedReads(core);
    core.log.retryReads();
    core.checkInvariants();
  }

  /**
   * Proposes commands, to be appended as one batch.
   *
   * @param commands - At least one, none of them empty. Owned by the core: do not write to them.
   * @param checksums - One for each command, to be carried with its entry: see `Entry`.
   * @throws TypeError or RangeError if they are anything else; nothing is appended.
   */
  propose(commands: readonly Uint8Array[], checksums?: readonly number[]): ProposeResult {
    if (commands.length === 0) throw new RangeError("commands: there is nothing to propose");
    for (const command of commands) {
      // Followers would refuse it as malformed, for ever: what is no command must not get in.
      if (!(command instanceof Uint8Array)) throw new TypeError("commands: one is no Uint8Array");
      if (command.byteLength === 0)
        throw new RangeError("commands: one is empty, which is what a leader's no-op looks like");
    }
    if (checksums !== undefined && checksums.length !== commands.length)
      throw new RangeError("checksums: not one for each command");
    const result = propose(this.#core, { commands, checksums });
    this.#core.checkInvariants();
    return result;
  }

  /** Proposes a change of membership: one at a time, in force once it is applied. */
  proposeConfigurationChange(change: ConfigurationChange): ProposeResult {
    const result = proposeConfigurationChange(this.#core, change);
    this.#core.checkInvariants();
    return result;
  }

  /**
   * Puts a committed change in force. The driver calls this for every configuration entry that it
   * applies, in order, before it reports the entry as applied.
   *
   * @returns the configuration in force from now on: unchanged if the change does not fit, and that
   *   of a snapshot that overtook this entry, if one did.
   */
  applyConfigurationChange(entry: Entry): Configuration {
    applyConfigurationChange(this.#core, entry);
    this.#core.checkInvariants();
    return this.#core.configuration;
  }

  /** Whether `takeReady` would return something. */
  hasReady(): boolean {
    return this.#core.leader()?.reads.isRoundWanted === true || this.#builder.hasReady();
  }

  /** Hands out everything that is owed since the last call; `undefined` if that is nothing. */
  takeReady(): Ready | undefined {
    assert(this.#outstanding === undefined, "in sync mode, advance() comes before the next Ready");
    const core = this.#core;
    const leader = core.leader();
    if (leader !== undefined) startWantedRound(core, leader);
    if (!this.#builder.hasReady()) return undefined;
    const ready = this.#builder.build();
    if (core.options.storageWrites === "sync") this.#outstanding = ready;
    core.checkInvariants();
    return ready;
  }

  /** Append work, and all before it, is durable; its responses were delivered first. */
  onAppendDone(done: AppendDone): void {
    const core = this.#core;
    if (done.term !== core.currentTerm) {
      // Entries may have been replaced since by ones still on their way to disk, perhaps by the
      // very same again (ABA). Work of this term will report in their place.
      core.emit({ type: "staleAppendDone", term: core.currentTerm, doneTerm: done.term });
    } else if (done.last !== undefined) core.log.stableTo(done.last);
    // What a snapshot covers is committed, whatever the term.
    if (done.snapshotIndex !== undefined) {
      core.log.stableSnapshotTo(done.snapshotIndex);
      this.#appliedTo(done.snapshotIndex, 0);
    }
    core.checkInvariants();
  }

  /** Apply work is applied, and its configuration entries are in force. */
  onApplyDone(done: ApplyDone): void {
    const core = this.#core;
    assert(
      done.lastConfigurationIndex <= core.configurationIndex,
      "configuration entries go to applyConfigurationChange before they count as applied",
    );
    const leader = core.leader();
    // Exactly what was counted when this leader appended it.
    if (leader !== undefined && done.term === core.currentTerm)
      leader.uncommittedBytes -= done.termCommandBytes;
    this.#appliedTo(done.lastIndex, done.bytes);
    core.checkInvariants();
  }

  /** Storage mode `sync`: the last Ready is written, sent and applied. */
  advance(): void {
    const ready = this.#outstanding;
    assert(ready !== undefined, "advance() follows a Ready, in sync mode");
    this.#outstanding = undefined;
    for (const message of ready.append?.responses ?? [])
      if (message.to === this.#core.id) this.step(message);
    if (ready.append?.done !== undefined) this.onAppendDone(ready.append.done);
    if (ready.apply !== undefined) this.onApplyDone(ready.apply.done);
  }

  /** Campaigns at once, as if the election timer had run out. */
  campaign(): void {
    campaign(this.#core, defaultCampaign(this.#core));
    this.#core.checkInvariants();
  }

  /**
   * Asks to move leadership; a follower passes the wish on. It is over within one election timeout:
   * see `Status.transferee`, and who leads then.
   *
   * @returns false if nothing will come of it: no leader is known, or this is the leader, and
   *   `transferee` is no voter or suspect. A follower leaves that to its leader, who may know
   *   better.
   */
  transferLeadership(transferee: NodeId): boolean {
    const core = this.#core;
    const leader = core.leader();
    const isLeader = leader !== undefined;
    const accepted = isLeader ? startTransfer(core, leader, transferee) : this.#canAskLeader();
    // If that ended another transfer, what it held back goes on.
    maybeAutoLeave(core);
    if (!isLeader && core.leaderId !== undefined && accepted)
      core.send({
        type: "TransferLeadershipRequest",
        from: core.id,
        to: core.leaderId,
        fromIncarnation: core.incarnation,
        toIncarnation: core.leaderIncarnation,
        term: core.currentTerm,
        transferee,
      });
    core.checkInvariants();
    return accepted;
  }

  /**
   * Stops believing in the current leader, though not in its term, so that this node would help
   * another to be elected. Refused with lease reads, which rest on that belief.
   */
  forgetLeader(): void {
    const core = this.#core;
    if (core.role.kind !== "follower") return;
    if (core.options.leaseReads) {
      core.emit({ type: "forgetLeaderRefused" });
      return;
    }
    if (core.leaderId === undefined) return;
    core.emit({ type: "leaderForgotten", leaderId: core.leaderId, term: core.currentTerm });
    core.leaderId = undefined;
    core.checkInvariants();
  }

  /**
   * Asks for a linearizable read point; the answer comes in a later `Ready`, as a read state or a
   * dropped read. On a follower it is passed on to the leader, so it may also be lost: time it out.
   *
   * @param context - Returned with the answer.
   * @returns false if nothing will come: no leader is known, or too many reads wait.
   */
  readIndex(context: number): boolean {
    const accepted = readIndex(this.#core, context);
    this.#core.checkInvariants();
    return accepted;
  }

  /** A message to `id` was not delivered. */
  reportUnreachable(id: NodeId): void {
    const leader = this.#core.leader();
    if (leader !== undefined) onUnreachable(this.#core, leader, id);
    this.#core.checkInvariants();
  }

  /** The sending of a snapshot to `id` has ended. Must follow each, or that follower waits on. */
  reportSnapshot(id: NodeId, outcome: "finished" | "failed"): void {
    const leader = this.#core.leader();
    if (leader !== undefined) onSnapshotReport(this.#core, leader, { id, outcome });
    this.#core.checkInvariants();
  }

  /**
   * The process of `id` is gone: its connection was closed or reset, *and* a new one was refused.
   *
   * If it is the leader, its lease on this node is void and a pre-vote follows after a short random
   * delay, or another node is let go first, once. Has no such effect with lease reads: the leader
   * may yet be there, and be reading.
   */
  reportPeerGone(id: NodeId): void {
    const core = this.#core;
    const leader = core.leader();
    if (leader !== undefined) onUnreachable(core, leader, id);
    const isFollowed = core.role.kind === "follower" && core.leaderId === id;
    // Once: a driver that reports each refused redial must not restart the delay each time.
    if (isFollowed && !core.options.leaseReads && !core.isLeaderGone) {
      core.isLeaderGone = true;
      core.electionElapsed = 0;
      drawElectionTimeout(core);
      core.emit({ type: "leaderGone", leaderId: id });
    }
    core.checkInvariants();
  }

  get role(): RoleName {
    return this.#core.role.kind;
  }

  get currentTerm(): Term {
    return this.#core.currentTerm;
  }

  /** `undefined` while this node knows of none. */
  get leaderId(): NodeId | undefined {
    return this.#core.leaderId;
  }

  /** What of the log is on this node's disk, as far as the core was told. */
  get stableIndex(): LogIndex {
    return this.#core.log.stableIndex;
  }

  status(): Status {
    const core = this.#core;
    const leader = core.leader();
    // Field by field: operators poll this, and a spread costs twenty times as much.
    return {
      id: core.id,
      role: core.role.kind,
      leaderId: core.leaderId,
      currentTerm: core.currentTerm,
      votedFor: core.votedFor,
      commitIndex: core.log.commitIndex,
      firstIndex: core.log.firstIndex(),
      lastIndex: core.log.lastIndex(),
      stableIndex: core.log.stableIndex,
      appliedIndex: core.log.appliedIndex,
      configuration: core.configuration,
      transferee: leader?.transfer?.transferee,
      loss: core.loss,
      uncommittedBytes: leader?.uncommittedBytes ?? 0,
    };
  }

  /** What a leader knows of each member, ascending by id; empty on others. */
  progress(): readonly ProgressView[] {
    return this.#core.leader()?.tracker.views() ?? [];
  }

  /** How many messages were not acted on, by reason, since the start. */
  dropped(): DropCounts {
    return { ...this.#dropped };
  }

  /** For tests: the next election timeout, in place of a random one. */
  setRandomizedElectionTicks(ticks: Ticks): void {
    this.#core.randomizedElectionTicks = ticks;
  }

  #canAskLeader(): boolean {
    return this.#core.role.kind === "follower" && this.#core.leaderId !== undefined;
  }

  #appliedTo(index: number, bytes: number): void {
    const core = this.#core;
    core.log.appliedTo(Math.max(index, core.log.appliedIndex), bytes);
    maybeAutoLeave(core);
  }

  /** The rule on terms (§5.1), in one place; then what the role makes of the message. */
  #receive(message: Message): DropReason | undefined {
    const core = this.#core;
    core.emit({ type: "messageReceived", message });
    if (message.term > core.currentTerm + TERM_JUMP_MAX) return "contradiction";
    const isVoteRequest = message.type === "RequestVote" || message.type === "RequestPreVote";
    if (message.term > core.currentTerm) {
      if (isVoteRequest && this.#ignoresUnderLease(message)) return undefined;
      this.#adoptTerm(message);
    } else if (message.term < core.currentTerm) return this.#onStaleTerm(message);

    if (isVoteRequest) {
      // Within the term only a promise made for lease reads counts: see CoreState.voteFreeAt.
      if (core.now < core.voteFreeAt && this.#ignoresUnderLease(message)) return undefined;
      onVoteRequest(core, message);
      return undefined;
    }
    return stepRole(core, message);
  }

  /**
   * A follower that heard from its leader within the shortest election timeout neither votes nor
   * moves to the candidate's term (thesis §4.2.3): it is the candidate that is cut off.
   */
  #ignoresUnderLease(message: RequestVote | RequestPreVote): boolean {
    const core = this.#core;
    if (message.type === "RequestVote" && message.isTransfer) return false;
    if (!core.isUnderLease()) return false;
    if (core.observer !== undefined)
      core.emit({
        type: "voteIgnoredUnderLease",
        kind: message.type === "RequestVote" ? "vote" : "preVote",
        candidate: message.from,
        candidateLast: { index: message.lastLogIndex, term: message.lastLogTerm },
        last: core.last(),
        votedFor: core.votedFor,
        term: core.currentTerm,
        remaining: Math.max(0, core.options.electionTicks - core.electionElapsed),
      });
    return true;
  }

  #adoptTerm(message: Message): void {
    const core = this.#core;
    // A pre-vote and its grant speak of a term that nobody is in yet.
    if (message.type === "RequestPreVote") return;
    if (message.type === "RequestPreVoteReply" && message.voteGranted) return;
    core.emit({
      type: "higherTermSeen",
      message: message.type,
      from: message.from,
      messageTerm: message.term,
      term: core.currentTerm,
    });
    const isFromLeader =
      message.type === "AppendEntries" ||
      message.type === "Heartbeat" ||
      message.type === "InstallSnapshot";
    const leader = { id: message.from, incarnation: message.fromIncarnation };
    becomeFollower(core, message.term, isFromLeader ? leader : undefined);
  }

  #onStaleTerm(message: Message): DropReason | undefined {
    const core = this.#core;
    const isFromLeader = message.type === "AppendEntries" || message.type === "Heartbeat";
    const { checkQuorum, preVote } = core.options;
    if (isFromLeader && (checkQuorum || preVote || !isPromotable(core))) {
      // With either option, or if it may not campaign, this node's higher term reaches nobody by
      // itself: the leader would keep it out for ever. Its answer makes the leader step down, and
      // the next election frees it.
      tellOfTerm(core, message);
      return undefined;
    }
    if (message.type === "RequestPreVote") {
      rejectPreVote(core, message);
      return undefined;
    }
    core.emit({
      type: "lowerTermIgnored",
      message: message.type,
      from: message.from,
      messageTerm: message.term,
      term: core.currentTerm,
    });
    return "stale-term";
  }
}
