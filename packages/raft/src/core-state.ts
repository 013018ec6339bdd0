/**
 * The state that the core's parts share, and the two outboxes. No decisions are made here.
 *
 * Transitions between roles are in transitions.ts; what an input does is in the file of its role or
 * concern: election.ts, follower.ts, leader.ts, replication.ts, proposals.ts, membership.ts,
 * transfer.ts, reads.ts.
 */

import { assert, Prng, unreachable } from "@quorumlog/std";
import { type Configuration, findMember, memberIn } from "./configuration.ts";
import type { LogPosition } from "./entry.ts";
import type { RaftEvent, RaftObserver } from "./events.ts";
import type { Incarnation, LogIndex, NodeId, Term, Ticks } from "./ids.ts";
import type { LogStorage } from "./log-storage.ts";
import type { Loss } from "./loss.ts";
import type { Message } from "./message.ts";
import type { RaftOptions } from "./options.ts";
import { RaftLog } from "./raft-log.ts";
import type { HardState, ParkedOutcome, ReadState, SoftState } from "./ready.ts";
import type { Leader, Role } from "./role.ts";

export interface RaftCoreInit {
  readonly id: NodeId;
  /** Which life of the node's disk this is; 0 if disks are never replaced under an id. */
  readonly incarnation: Incarnation;
  readonly options: RaftOptions;
  readonly storage: LogStorage;
  /**
   * What the state machine already holds: at least `storage.firstIndex() - 1`.
   * `storage.initialState().configuration` is that of this index; later configuration entries are
   * handed out again.
   */
  readonly appliedIndex: LogIndex;
  /**
   * Seeds election timeouts and the numbers of reads. Must differ between nodes, and between the
   * lives of one: else an answer to a read of a former life passes for one of this.
   */
  readonly seed: number;
  /** What crashes of the host may have cost this log; `undefined` if there was none. */
  readonly loss?: Loss | undefined;
  readonly observer?: RaftObserver;
}

/** A read that a follower passed on to its leader. */
export interface ForwardedRead {
  /** The caller's. */
  readonly context: number;
  /** When it is given up: request or answer were lost, or the leader had no room. */
  readonly expiresAt: Ticks;
}

export class CoreState {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  readonly options: RaftOptions;
  readonly log: RaftLog;
  readonly observer: RaftObserver | undefined;
  readonly prng: Prng;

  /** The disk knew of no term yet when this node started. */
  readonly isFirstLife: boolean;
  currentTerm: Term;
  votedFor: NodeId | undefined;
  role: Role = { kind: "follower" };
  leaderId: NodeId | undefined = undefined;
  leaderIncarnation: Incarnation = 0;
  /** The leader of this term is known to be dead, though its lease would still run. */
  isLeaderGone: boolean = false;
  /** In this term this node has let another one campaign first. */
  hasYielded: boolean = false;
  configuration: Configuration;
  /** Where in the log `configuration` took effect: earlier changes are part of it. */
  configurationIndex: LogIndex;

  /**
   * How far this log is known to match that of the current term's leader. A leader never takes back
   * what it sent (paper figure 3), so nothing up to here changes in this term.
   */
  matchedInTerm: LogIndex = 0;

  loss: Loss | undefined;
  /** The driver has to note that this node is not suspect any more. */
  isLossNews: boolean = false;

  /** Ticks since this node started. */
  now: Ticks = 0;
  /** Since the last sign of a leader (follower), campaign (candidate) or quorum check (leader). */
  electionElapsed: Ticks = 0;
  randomizedElectionTicks: Ticks = 0;
  /**
   * With lease reads: until then this node has promised the leader it heard to elect nobody else,
   * whatever it forgot of that leader since, by a restart even.
   */
  voteFreeAt: Ticks = 0;

  /** May leave at once. */
  messages: Message[] = [];
  /** Wait until everything unstable now is durable; may be addressed to this node. */
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];
  droppedReads: number[] = [];
  parkedOutcomes: ParkedOutcome[] = [];
  /** Reads passed on to the leader, oldest first, by their context on the wire. */
  readonly forwardedReads: Map<number, ForwardedRead> = new Map();
  nextReadContext: number;
  nextTicket: number = 1;

  constructor(init: RaftCoreInit) {
    this.id = init.id;
    this.incarnation = init.incarnation;
    this.options = init.options;
    this.observer = init.observer;
    this.loss = init.loss;
    this.prng = new Prng(init.seed);
    const { applyingBytesMax } = init.options;
    this.log = new RaftLog({ storage: init.storage, applyingBytesMax, observer: init.observer });
    const { hardState, configuration } = init.storage.initialState();
    this.configuration = configuration;
    this.currentTerm = hardState.currentTerm;
    this.votedFor = hardState.votedFor;
    this.isFirstLife = hardState.currentTerm === 0;
    // The stored commit index may lag behind what was applied, or behind a snapshot: both hold only
    // what is committed.
    const compactedIndex = this.log.firstIndex() - 1;
    assert(init.appliedIndex >= compactedIndex, "the log reaches back to what is applied");
    this.log.restoreCommit(Math.max(hardState.commitIndex, compactedIndex, init.appliedIndex));
    this.log.appliedTo(init.appliedIndex, 0);
    this.configurationIndex = init.appliedIndex;
    // Replies to a former life of this process must not match a read of this one.
    this.nextReadContext = this.prng.uint32() * 2 ** 19;
  }

  emit(event: RaftEvent): void {
    this.observer?.(event);
  }

  /** Queues a message that promises nothing about this node's disk. */
  send(message: Message): void {
    assert(message.to !== this.id, "only answers that wait for the disk are addressed to oneself");
    this.messages.push(message);
    this.observer?.({ type: "messageQueued", message });
  }

  /**
   * Queues a message that is a promise: a vote, or an acknowledgement of entries. It may leave only
   * when the state it speaks of is durable (thesis §3.8).
   */
  sendAfterAppend(message: Message): void {
    this.messagesAfterAppend.push(message);
    this.observer?.({ type: "messageQueued", message });
  }

  hardState(): HardState {
    return {
      currentTerm: this.currentTerm,
      votedFor: this.votedFor,
      commitIndex: this.log.commitIndex,
    };
  }

  softState(): SoftState {
    return { role: this.role.kind, leaderId: this.leaderId };
  }

  /** The leader's own state, if this node is one. */
  leader(): Leader | undefined {
    return this.role.kind === "leader" ? this.role : undefined;
  }

  /** Whether this very node, in this life of its disk, is a voter as far as it knows. */
  isVoter(): boolean {
    const { voters, votersOutgoing } = this.configuration;
    const self = memberIn(voters, this.id) ?? memberIn(votersOutgoing, this.id);
    return self?.incarnation === this.incarnation;
  }

  /** Whether this very node, in this life of its disk, is a member in whatever role. */
  isMember(): boolean {
    return findMember(this.configuration, this.id)?.incarnation === this.incarnation;
  }

  /** Whether this log may lack what it has acknowledged: see Loss. */
  isSuspect(): boolean {
    return this.loss?.isSuspect === true;
  }

  /** The life of `id` that this node would speak to. */
  incarnationOf(id: NodeId): Incarnation {
    if (id === this.id) return this.incarnation;
    return findMember(this.configuration, id)?.incarnation ?? 0;
  }

  /** Whether a follower still believes in its leader, and so refuses to help to replace it. */
  isUnderLease(): boolean {
    if (this.now < this.voteFreeAt) return true;
    if (!this.options.checkQuorum) return false;
    if (this.leaderId === undefined || this.isLeaderGone) return false;
    return this.electionElapsed < this.options.electionTicks;
  }

  last(): LogPosition {
    return this.log.last();
  }

  /** Relations that hold between any two inputs. All are cheap: the rest is the simulator's. */
  checkInvariants(): void {
    this.log.checkInvariants();
    const { role } = this;
    assert(role.kind === "follower" || !this.isSuspect(), "who is suspect does not campaign");
    switch (role.kind) {
      case "follower":
        assert(this.leaderId !== this.id, "a follower does not follow itself");
        break;
      case "preCandidate":
        assert(this.leaderId === undefined, "who asks for votes has no leader");
        break;
      case "candidate":
        assert(this.leaderId === undefined, "a candidate has no leader");
        assert(this.votedFor === this.id, "a candidate votes for itself");
        break;
      case "leader":
        assert(this.leaderId === this.id, "a leader knows that it leads");
        assert(this.currentTerm > 0, "nobody leads before the first election");
        assert(role.uncommittedBytes >= 0, "the uncommitted size is not negative");
        break;
      default:
        unreachable(role);
    }
  }
}
