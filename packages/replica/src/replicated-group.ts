/** What the owner of a replica can ask of it, whatever its group stands for. */

import { nodeFileSystem } from "@quorumlog/log";
import { type Configuration, isVoter, type ProgressView } from "@quorumlog/raft";
import type { AppendedAt } from "./append-call.ts";
import { sessionDraft } from "./command-drafts.ts";
import { type CommandDraft, COMMAND_KIND } from "./container.ts";
import { type Environment, nodeEnvironment } from "./environment.ts";
import { type DiskStatus, GroupDuties } from "./group-duties.ts";
import { GroupWaits } from "./group-waits.ts";
import { demandInteger } from "./append-outcome.ts";
import type { LogCondition } from "./log-care.ts";
import { MARKER_DRAFT, type RetentionPolicy, trimDraft } from "./leader-duties.ts";
import { MembershipChanges } from "./membership-changes.ts";
import { type GroupInit, openGroup, type OpenGroup } from "./open-group.ts";
import { PromisedCall } from "./promised-call.ts";
import type { Replica } from "./replica.ts";
import {
  closed,
  demandNotAborted,
  flowControl,
  ReplicaError,
  withUnknownOutcome,
} from "./replica-error.ts";
import { transferRefusal } from "./transfer-refusal.ts";

/** A look at a replica: what stands where. */
export interface GroupStatus {
  readonly nodeId: number;
  readonly groupId: number;
  readonly role: "follower" | "preCandidate" | "candidate" | "leader";
  readonly leaderId: number | undefined;
  readonly term: number;
  /** The four stations of an entry, as indexes of the log. */
  readonly lastIndex: number;
  /** Of the entry there. */
  readonly lastTerm: number;
  readonly syncedIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  /** Of the log: its first index here. */
  readonly firstIndex: number;
  /** What can be read: `[firstOffset, nextOffset)`. */
  readonly firstOffset: number;
  readonly nextOffset: number;
  /** Of the log: that of its newest record, milliseconds since 1970, never going back. */
  readonly time: number;
  readonly configuration: Configuration;
  readonly flush: "sync" | "async";
  /** It may lack what it has acknowledged, and neither votes nor counts until it has caught up. */
  readonly isSuspect: boolean;
  /** On a leader: how far each member is. */
  readonly progress: readonly ProgressView[];
  /** Of calls that wait or are under way. */
  readonly pendingBytes: number;
  /** On the disk. */
  readonly logBytes: number;
  /** How long the disk has been busy with the oldest write that is not done, in milliseconds. */
  readonly diskLagMs: number;
  /** Of this node's directory, as of the last second. */
  readonly disk: DiskStatus;
  /** Of the log's files: what was found damaged, and when they were read through. */
  readonly logCondition: LogCondition;
}

/** What a call that waits may be given. */
export interface CallOptions {
  /** Gives up waiting; what was proposed may yet happen. */
  readonly signal?: AbortSignal;
  /** In milliseconds; default `timeoutMs` of the replica. */
  readonly timeoutMs?: number;
}

/** Of a call that writes. */
export interface WriteOptions extends CallOptions {
  /**
   * Whether it is carried out on a full disk, too, out of the room that is kept free there: for
   * what is small, and lets everything else go on. Half of that room is left alone. Default false.
   */
  readonly usesReserve?: boolean;
}

/** Besides the largest entry: `appendBytesMax` of the core, and headers. */
const FRAME_SPARE_BYTES = 2 * 1024 * 1024;
/** What a timer can take. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

export class ReplicatedGroup {
  protected readonly replica: Replica;
  protected readonly environment: Environment;
  protected readonly waits: GroupWaits;
  readonly #init: GroupInit;
  readonly #group: OpenGroup;
  readonly #membership: MembershipChanges;
  readonly #onClose: (() => Promise<void>) | undefined;
  readonly #duties: GroupDuties;
  /** Of the calls of this turn that cannot be. */
  readonly #refusals: (() => void)[] = [];
  #closing: Promise<void> | undefined;

  protected constructor(
    init: Omit<GroupInit, "onTurn">,
    retention: RetentionPolicy,
    onClose: (() => Promise<void>) | undefined,
  ) {
    this.#init = { ...init, onTurn: () => this.#onTurn() };
    this.#onClose = onClose;
    demandFramesFit(init);
    this.environment = init.environment ?? nodeEnvironment;
    this.waits = new GroupWaits(this.environment);
    this.#group = openGroup({
      ...this.#init,
      onEvent: (event) => {
        init.onEvent(event);
        if (event.type === "failed") this.waits.stop(this.replica.failure() ?? closed());
        else this.waits.check();
      },
    });
    this.replica = this.#group.replica;
    const fileSystem = init.fileSystem ?? nodeFileSystem;
    try {
      this.#duties = new GroupDuties({
        nodeId: init.nodeId,
        replica: this.replica,
        environment: this.environment,
        tuning: init.tuning,
        retention,
        preferredLeaders: init.preferredLeaders,
        rulesVersion: init.machine?.rulesVersion ?? 0,
        freeBytes: () => fileSystem.freeBytes(init.directory),
        totalBytes: () => fileSystem.totalBytes(init.directory),
        onEvent: init.onEvent,
        submit: (draft, onSettled) => {
          this.submitCommand(draft, {}).then(onSettled, onSettled);
        },
      });
    } catch (error) {
      this.replica.stop(closed());
      this.#group.close(() => undefined);
      throw error;
    }
    this.#membership = new MembershipChanges({
      replica: this.replica,
      waits: this.waits,
      append: (draft, options) => this.submitCommand(draft, options).then(() => undefined),
    });
  }

  status(): GroupStatus {
    const core = this.replica.status();
    const log = this.replica.log.status();
    const { keeper } = this.replica;
    return {
      nodeId: this.#init.nodeId,
      groupId: this.#init.groupId,
      role: core.role,
      leaderId: core.leaderId,
      term: core.currentTerm,
      lastIndex: core.lastIndex,
      lastTerm: this.replica.log.term(core.lastIndex) ?? core.currentTerm,
      syncedIndex: log.syncedIndex,
      commitIndex: core.commitIndex,
      appliedIndex: keeper.appliedIndex,
      firstIndex: core.firstIndex,
      firstOffset: keeper.firstOffset,
      nextOffset: keeper.state.nextOffset,
      time: keeper.state.time,
      configuration: core.configuration,
      flush: this.#init.flush?.mode ?? "sync",
      isSuspect: core.loss?.isSuspect === true,
      progress: this.replica.progress(),
      pendingBytes: this.replica.proposals.pendingBytes,
      logBytes: log.bytes,
      diskLagMs: this.replica.disk.lagMs(),
      disk: this.#duties.disk,
      logCondition: this.replica.care.condition(),
    };
  }

  /**
   * Waits until everything that was acknowledged anywhere before this call is applied here: what is
   * read then is linearizable. Works on any node that reaches the leader.
   *
   * @throws ReplicaError `TIMEOUT`, `ABORTED`, `CLOSED`, `FAILED`, or `NOT_LEADER` if nobody leads
   */
  readBarrier(options: CallOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const ask = (): void => {
        this.demandOpen();
        demandNotAborted(options.signal);
        const deadline = this.environment.now() + this.#timeoutOf(options);
        const giveUp = this.replica.reads.ask(deadline, (error) => {
          options.signal?.removeEventListener("abort", giveUp);
          if (error === undefined) resolve();
          else reject(error);
        });
        options.signal?.addEventListener("abort", giveUp, { once: true });
        this.replica.wantTurn();
      };
      try {
        ask();
      } catch (error) {
        this.#refuseLater(() => {
          reject(error);
        });
      }
    });
  }

  /** The newest rules that all members know, as each says while it is connected; 0: one has not. */
  get commonRules(): number {
    return this.#duties.commonRules();
  }

  /**
   * Waits until a leader is known here.
   *
   * @returns its node id.
   */
  async leader(options: CallOptions = {}): Promise<number> {
    const { leaderId } = await this.#until("no leader was elected in time", options, () => {
      const status = this.replica.status();
      return status.leaderId === undefined ? undefined : status;
    });
    return leaderId as number;
  }

  /**
   * Moves leadership, and waits for it.
   *
   * @throws ReplicaError `MEMBERSHIP_REFUSED` if `nodeId` cannot lead; `TIMEOUT`: it did not take
   *   over, and this group has the leader that it has.
   */
  async transferLeadership(nodeId: number, options: CallOptions = {}): Promise<void> {
    const checked = this.#checked(options);
    const { configuration, leaderId } = this.replica.status();
    if (!isVoter(configuration, nodeId) || !this.replica.transferLeadership(nodeId)) {
      const why = transferRefusal(nodeId, configuration, leaderId);
      throw new ReplicaError("MEMBERSHIP_REFUSED", why);
    }
    let askedAt = this.environment.now();
    const look = (): true | undefined => {
      if (this.replica.status().leaderId === nodeId) return true;
      // One that was called off, or lost on its way to the leader, is asked for again.
      const now = this.environment.now();
      if (now - askedAt > 2 * this.#init.tuning.electionMs) {
        askedAt = now;
        this.replica.transferLeadership(nodeId);
      }
      return undefined;
    };
    try {
      await this.#until(`node ${nodeId} did not take over in time`, checked, look);
    } catch (error) {
      // It was asked to, whatever ended the wait.
      throw withUnknownOutcome(error);
    }
  }

  /**
   * Adds a node that receives the log and decides nothing; it was opened with `ifMissing: "join"`.
   *
   * On the leader, as all changes of membership; after an `unknown` outcome it may be repeated.
   *
   * @param address - Where the others reach it.
   * @throws ReplicaError `MEMBERSHIP_REFUSED` for a voter, which would lose its vote; `TIMEOUT`,
   *   `not-applied`, if the node was not reached: an event `peerNotReached` says why.
   */
  async addLearner(nodeId: number, address: string, options: CallOptions = {}): Promise<void> {
    await this.#membership.addLearner(nodeId, address, this.#checked(options));
  }

  /**
   * Makes a learner a voter, as soon as it holds everything that the group retains.
   *
   * @throws ReplicaError `TIMEOUT`, `not-applied`, if it was not that far in time: repeat it.
   */
  async promote(nodeId: number, options: CallOptions = {}): Promise<void> {
    await this.#membership.promote(nodeId, this.#checked(options));
  }

  /**
   * Takes a voter or a learner out of the group; its process is yours to stop. Its id may come back
   * on an empty directory. To remove the leader, transfer leadership first.
   *
   * @throws ReplicaError `MEMBERSHIP_REFUSED` if it is no member, or cannot be spared
   */
  async remove(nodeId: number, options: CallOptions = {}): Promise<void> {
    await this.#membership.remove(nodeId, this.#checked(options));
  }

  /**
   * Adds `next`, waits until it holds everything, then swaps it for `former`, in one step. If the
   * outcome is `unknown`, `next` may be a learner already: the same call goes on from there.
   */
  async replace(
    former: number,
    next: { readonly nodeId: number; readonly address: string },
    options: CallOptions = {},
  ): Promise<void> {
    await this.#membership.replace(former, next, this.#checked(options));
  }

  /** Has every replica keep its state as of now. */
  async snapshot(options: CallOptions = {}): Promise<void> {
    await this.submitCommand(MARKER_DRAFT, options);
  }

  /**
   * Stops, and lets go of everything. Idempotent. A leader that hands over carries out first what
   * was called before, for up to `electionMs`; what is not settled then is rejected, with its
   * outcome.
   *
   * @param options - `handOver`: whether a leader gives leadership to another node first, so that
   *   nobody has to wait for an election. Default true.
   */
  close({ handOver = true }: { readonly handOver?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(handOver);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  protected demandOpen(): void {
    const failure = this.replica.failure();
    if (failure !== undefined) throw failure;
    if (this.#closing !== undefined || !this.replica.isOpen()) throw closed();
  }

  /** Puts a call on its way, which is settled in time; or refuses it, and nothing was begun. */
  protected submit<T>(call: PromisedCall<T>, options: WriteOptions): void {
    try {
      this.#submit(call, options);
    } catch (error) {
      this.#refuseLater(() => {
        call.refuse(error);
      });
    }
  }

  /**
   * In a turn of its own: whoever tries again at once, and again, would leave this node none, and
   * so never see a leader.
   */
  #refuseLater(run: () => void): void {
    this.#refusals.push(run);
    if (this.#refusals.length > 1) return;
    this.environment.soon(() => {
      for (const refuse of this.#refusals.splice(0)) refuse();
    });
  }

  /** @throws ReplicaError */
  #submit<T>(call: PromisedCall<T>, options: WriteOptions): void {
    this.demandOpen();
    if (call.draft.kind === COMMAND_KIND.records) this.#demandRoom(options.usesReserve === true);
    const { signal } = options;
    demandNotAborted(signal);
    const timeoutMs = this.#timeoutOf(options);
    const { proposals } = this.replica;
    call.deadline = this.environment.now() + timeoutMs;
    proposals.submit(call, timeoutMs);
    if (signal !== undefined) {
      const onAbort = (): void => {
        proposals.abort(call);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      call.onSettled = () => {
        signal.removeEventListener("abort", onAbort);
      };
    }
    this.replica.wantTurn();
  }

  /** Puts a command on its way that has no records. */
  protected submitCommand(draft: CommandDraft, options: CallOptions): Promise<AppendedAt> {
    return new Promise((resolve, reject) => {
      const durability = "quorum";
      const call = new PromisedCall({ draft, durability, resolve, reject, answer: itself });
      this.submit(call, options);
    });
  }

  /** @returns the session's id. */
  protected async openSessionFor(idleMs: number, options: CallOptions): Promise<number> {
    demandInteger("idleMs", idleMs, 1, Number.MAX_SAFE_INTEGER);
    // It would be gone by the time that a call is repeated whose outcome was unknown.
    if (idleMs < this.#init.tuning.timeoutMs)
      throw new ReplicaError("INVALID_ARGUMENT", `idleMs: ${idleMs} is less than timeoutMs`);
    const draft = sessionDraft(COMMAND_KIND.openSession, 0, idleMs);
    const { result } = await this.submitCommand(draft, options);
    if (result?.status === "opened") return result.sessionId;
    throw new ReplicaError("FAILED", "a session was opened, and has no id", { outcome: "unknown" });
  }

  /** Up to where the log should be forgotten: once nobody needs it, or half of the time is over. */
  protected async trimTo(offset: number, options: CallOptions): Promise<void> {
    this.demandOpen();
    const timeoutMs = this.#timeoutOf(options);
    const endsAt = this.environment.now() + timeoutMs;
    const look = (): true | undefined => (this.#duties.wouldCutOff(offset) ? undefined : true);
    const wait = { why: "a member is behind", timeoutMs: timeoutMs / 2, signal: options.signal };
    await this.waits.until(look, wait).catch((error: unknown) => {
      if (!(error instanceof ReplicaError) || error.code !== "TIMEOUT") throw error;
    });
    const left = Math.max(1, endsAt - this.environment.now());
    await this.submitCommand(trimDraft(offset), { ...options, timeoutMs: left });
  }

  /** Far from the end of any disk: trims, sessions and membership still need some. */
  #demandRoom(usesReserve: boolean): void {
    const nodeId = usesReserve ? this.#duties.exhaustedDisk() : this.#duties.fullDisk();
    if (nodeId === undefined) return;
    const message = `the disk of node ${nodeId} has too little room: trim, or make some`;
    throw flowControl("DISK_FULL", message, { retryAfterMs: 1_000 });
  }

  /** @throws ReplicaError before anything is begun. */
  #checked(options: CallOptions): CallOptions & { readonly timeoutMs: number } {
    this.demandOpen();
    demandNotAborted(options.signal);
    return { ...options, timeoutMs: this.#timeoutOf(options) };
  }

  #timeoutOf({ timeoutMs }: CallOptions): number {
    if (timeoutMs === undefined) return this.#init.tuning.timeoutMs;
    if (timeoutMs > 0 && timeoutMs <= TIMEOUT_MS_MAX) return timeoutMs;
    const message = `timeoutMs: ${timeoutMs} is not above 0, and at most ${TIMEOUT_MS_MAX}`;
    throw new ReplicaError("INVALID_ARGUMENT", message);
  }

  #until<T>(why: string, options: CallOptions, look: () => T | undefined): Promise<T> {
    this.demandOpen();
    const timeoutMs = this.#timeoutOf(options);
    return this.waits.until(look, { why, timeoutMs, signal: options.signal });
  }

  #onTurn(): void {
    this.waits.check();
    this.#duties.onTurn();
  }

  async #close(handOver: boolean): Promise<void> {
    if (handOver && this.replica.isOpen()) await this.#handOver();
    this.#duties.stop();
    this.replica.stop(closed());
    this.waits.stop(closed());
    await new Promise<void>((resolve) => {
      this.#group.close(resolve);
    });
    await this.#onClose?.();
  }

  /** Gives leadership to the voter that is furthest, so that nobody waits for an election. */
  async #handOver(): Promise<void> {
    if (this.replica.status().role !== "leader") return;
    const isBusy = (): boolean => this.replica.proposals.pendingBytes > 0;
    // What was called before is carried out, while this node can; nothing is taken any more.
    await this.#settle("calls go on", () => !isBusy());
    const { role, configuration } = this.replica.status();
    if (role !== "leader" || !this.replica.isOpen()) return;
    const heirs = this.replica
      .progress()
      .filter(({ id, isLearner, recentActive, isSuspect }) => {
        return recentActive && !isLearner && !isSuspect && id !== this.#init.nodeId;
      })
      .toSorted((a, b) => b.matchIndex - a.matchIndex);
    const heir = heirs[0];
    if (heir === undefined || configuration.voters.length === 1) return;
    if (!this.replica.transferLeadership(heir.id)) return;
    // The heir may need this node's vote; and it commits what is under way, to be answered here.
    await this.#settle("nobody took over", () => {
      const { role: now, leaderId } = this.replica.status();
      return !isBusy() && now !== "leader" && leaderId !== undefined;
    });
  }

  /** Until it is so; whoever stops has waited long enough after an election's time. */
  async #settle(why: string, isSo: () => boolean): Promise<void> {
    const look = (): true | undefined => (isSo() ? true : undefined);
    const timeoutMs = this.#init.tuning.electionMs;
    await this.waits.until(look, { why, timeoutMs, signal: undefined }).catch(() => undefined);
  }
}

/** What is in the log has to be sent: an entry, and the smaller ones that are sent with it. */
function demandFramesFit({ tuning, transport }: Pick<GroupInit, "tuning" | "transport">): void {
  const needed = Math.max(tuning.callBytesMax, tuning.containerBytesMax) + FRAME_SPARE_BYTES;
  if (transport.frameBytesMax >= needed) return;
  throw new ReplicaError(
    "INVALID_ARGUMENT",
    `transport: its frames hold ${transport.frameBytesMax} bytes, and callBytesMax needs ${needed}`,
  );
}

function itself(at: AppendedAt): AppendedAt {
  return at;
}
