/**
 * One replica of a group: the core, and what it stands between.
 *
 *     calls ──> desks ──┐                ┌──> log ────────> responses ─┐
 *     frames ───────────┼──> core ──> Ready ─> transport               ├──> core
 *     time ─────────────┘                └──> state ──> answers ───────┘
 *
 * Inputs are taken in as they come; what they cause is taken out once per turn, so that one write,
 * one frame and one answer serve all of them. Callbacks and no promise: the simulator runs this
 * very code on virtual time.
 */

import type { LogStore } from "@quorumlog/log";
import {
  type AppendWork,
  type ConfigurationChange,
  type Member,
  type Message,
  type ProgressView,
  type ProposeResult,
  RaftCore,
  type Ready,
  type Snapshot,
  type Status,
} from "@quorumlog/raft";
import type { GroupLink, GroupReceiver, PeerIdentity } from "@quorumlog/transport";
import { CommitNotices } from "./commit-notices.ts";
import { CoreClock } from "./core-clock.ts";
import { DiskWatch } from "./disk-watch.ts";
import { EntryApplier } from "./entry-applier.ts";
import { EntryMemory } from "./entry-memory.ts";
import type { Environment } from "./environment.ts";
import { GroupClock } from "./group-clock.ts";
import { LogCare } from "./log-care.ts";
import { PeerDirectory } from "./peer-directory.ts";
import {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  isFrom,
  isHeartbeatReply,
  laneOf,
} from "./peer-envelope.ts";
import { ProposalDesk } from "./proposal-desk.ts";
import { RaftStorage } from "./raft-storage.ts";
import { ReadDesk } from "./read-desk.ts";
import { failedWith, lostTail, ReplicaError } from "./replica-error.ts";
import type { ReplicaInit } from "./replica-init.ts";
import { baseOf, decodeDescriptor } from "./snapshot-descriptor.ts";
import { SnapshotFetcher } from "./snapshot-fetcher.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import { StateKeeper } from "./state-keeper.ts";

export class Replica implements GroupReceiver {
  readonly core: RaftCore;
  readonly keeper: StateKeeper;
  readonly proposals: ProposalDesk;
  readonly reads: ReadDesk;
  readonly log: LogStore;
  readonly peers: PeerDirectory;
  readonly disk: DiskWatch;
  readonly clock: GroupClock;
  readonly care: LogCare;
  readonly #init: ReplicaInit;
  readonly #environment: Environment;
  readonly #link: GroupLink;
  readonly #sender: SnapshotSender;
  readonly #fetcher: SnapshotFetcher;
  readonly #clock: CoreClock;
  #isTurnWanted = false;
  readonly #notices: CommitNotices;
  readonly #memory: EntryMemory;
  readonly #applier: EntryApplier;
  #state: "open" | "stopped" = "open";
  #failure: ReplicaError | undefined;

  constructor(init: ReplicaInit) {
    const { environment, log, snapshots } = init;
    this.#init = init;
    this.#environment = environment;
    this.log = log;
    this.disk = new DiskWatch(log, () => environment.now());
    this.clock = new GroupClock(environment);
    const { machine, kept, onEvent } = init;
    const guarded = this.guarded.bind(this);
    const hasLost = init.flushNote.mayLack;
    this.keeper = new StateKeeper({ log, snapshots, machine, kept, hasLost, onEvent, guarded });
    const { configuration } = this.keeper;
    const after = (delayMs: number, run: () => void): void => {
      environment.after(delayMs, () => guarded(run));
    };
    this.care = this.#makeCare();
    const isReleased = machine === undefined || machine.copiesRecords === true;
    const memory = new EntryMemory(environment.memory, isReleased);
    this.#memory = memory;
    this.core = new RaftCore({
      id: init.nodeId,
      incarnation: init.incarnation,
      options: init.raft,
      storage: new RaftStorage({ log, snapshots, care: this.care, configuration, memory }),
      appliedIndex: this.keeper.appliedIndex,
      seed: environment.random(),
      loss: init.flushNote.loss,
    });
    this.proposals = new ProposalDesk(this.core, init.limits, memory);
    const { core, keeper, proposals } = this;
    const now = (): number => environment.now();
    this.#applier = new EntryApplier({ core, keeper, proposals, now, onEvent });
    this.reads = new ReadDesk(this.core, init.raft.electionTicks * init.timing.tickMs);
    this.#notices = new CommitNotices({
      after,
      send: (message) => {
        const isSent = this.#send(message.to, { kind: "raft", message });
        if (!isSent) this.core.reportUnreachable(message.to);
      },
    });
    this.#sender = new SnapshotSender({
      snapshots,
      bytesPerSecond: init.snapshotBytesPerSecond,
      now,
      after,
      send: (to, part, bytes) => this.#send(to, { kind: "snapshotChunk", part, bytes }),
      onEvent,
      report: (to, outcome) => {
        this.core.reportSnapshot(to, outcome);
        this.wantTurn();
      },
    });
    this.#fetcher = this.#makeFetcher();
    this.#link = init.transport.attach(init.groupId, this);
    const { nodeId, incarnation, addresses } = init;
    const link = this.#link;
    const wallTime = (): number => environment.wallTime();
    const self = { nodeId, incarnation, addresses, link, wallTime };
    this.peers = new PeerDirectory(self, configuration);
    this.peers.onState(configuration, this.keeper.state.addresses);
    this.#clock = this.#makeClock();
    this.#maybeFound();
    this.wantTurn();
    this.#clock.start();
  }

  #makeClock(): CoreClock {
    const { raft, timing } = this.#init;
    return new CoreClock({
      environment: this.#environment,
      tickMs: timing.tickMs,
      heartbeatTicks: raft.heartbeatTicks,
      isBusy: () => this.#isBusy(),
      onTime: (ticks, passedMs) => {
        this.#onTime(ticks, passedMs);
      },
      onTick: () => {
        this.#onTick();
      },
    });
  }

  #makeFetcher(): SnapshotFetcher {
    const { snapshots, onEvent } = this.#init;
    return new SnapshotFetcher({
      snapshots,
      onEvent,
      now: () => this.#environment.now(),
      request: (from, part) => this.#send(from, { kind: "snapshotRequest", part }),
      end: (to, part) => this.#send(to, { kind: "snapshotEnd", part }),
      guarded: this.guarded.bind(this),
      install: (message) => {
        this.core.step(message);
        this.wantTurn();
      },
    });
  }

  #makeCare(): LogCare {
    return new LogCare({
      ...this.#init,
      ...this.#init.care,
      guarded: this.guarded.bind(this),
      status: () => this.core.status(),
      configuration: () => this.keeper.configuration,
      send: (to, envelope) => this.#link.isUp(to) && this.#send(to, envelope),
      onRepaired: this.wantTurn.bind(this),
    });
  }

  isOpen(): boolean {
    return this.#state === "open";
  }

  /** Why it was stopped, if it did so by itself. */
  failure(): ReplicaError | undefined {
    return this.#failure;
  }

  status(): Status {
    return this.core.status();
  }

  progress(): readonly ProgressView[] {
    return this.core.progress();
  }

  /** Proposes a change of membership. */
  proposeChange(change: ConfigurationChange): ProposeResult {
    this.#clock.catchUp();
    const result = this.core.proposeConfigurationChange(change);
    this.wantTurn();
    return result;
  }

  transferLeadership(to: number): boolean {
    this.#clock.catchUp();
    const accepted = this.core.transferLeadership(to);
    this.wantTurn();
    return accepted;
  }

  onFrame(from: PeerIdentity, payload: Uint8Array): void {
    this.guarded(() => {
      const envelope = decodeEnvelope(payload);
      if (envelope === undefined || !isFrom(envelope, from.nodeId)) {
        this.#init.onEvent({ type: "malformedFrame", from: from.nodeId });
        return;
      }
      this.#clock.catchUp();
      this.#receive(from.nodeId, envelope);
      this.#memory.receive(payload, envelope);
      if (!isHeartbeatReply(envelope) || this.core.hasReady()) this.wantTurn();
    });
  }

  onPeerUp({ nodeId }: PeerIdentity): void {
    if (!this.isOpen()) return;
    this.peers.onPeerUp(nodeId);
    this.guarded(() => {
      this.care.onPeerUp(nodeId);
      this.#maybeFound();
    });
    this.#init.onEvent({ type: "peerUp", nodeId });
  }

  onPeerDown(nodeId: number): void {
    this.guarded(() => {
      this.#clock.catchUp();
      this.#clock.worry();
      this.core.reportUnreachable(nodeId);
      this.#sender.fail(nodeId);
      this.peers.onPeerDown(nodeId);
      this.clock.forget(nodeId);
      this.#init.onEvent({ type: "peerDown", nodeId });
      this.wantTurn();
    });
  }

  onPeerGone(nodeId: number): void {
    this.guarded(() => {
      this.#clock.catchUp();
      this.core.reportPeerGone(nodeId);
      this.#init.onEvent({ type: "peerGone", nodeId });
      this.wantTurn();
    });
  }

  /**
   * Does nothing once the node has stopped. Whatever is thrown in here is a broken invariant, or a
   * damaged disk: the node stops.
   */
  guarded(run: () => void): void {
    if (!this.isOpen()) return;
    try {
      run();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** The disk, the state machine or the program failed: nothing more is promised by this node. */
  fail(cause: Error): void {
    if (!this.isOpen()) return;
    this.#failure = failedWith(cause);
    this.stop(this.#failure);
    this.#init.onEvent({ type: "failed", error: cause });
  }

  /** Stops at once, with an answer to whatever waits. The log and the snapshots stay open. */
  stop(reason: ReplicaError): void {
    if (!this.isOpen()) return;
    this.#state = "stopped";
    this.#clock.stop();
    this.#link.detach();
    this.proposals.stop((outcome) => {
      return new ReplicaError(reason.code, reason.message, { outcome, cause: reason.cause });
    });
    this.reads.stop(reason);
    this.care.stop();
    this.#sender.close();
  }

  /** A new group need not wait for a timer: the first of its founders asks for votes at once. */
  #maybeFound(): void {
    const { currentTerm, configuration } = this.core.status();
    const { voters } = configuration;
    const isUp = ({ id }: Member): boolean => this.#link.isUp(id);
    if (currentTerm > 0 || voters[0]?.id !== this.#init.nodeId) return;
    if (2 * voters.filter(isUp).length < voters.length - 1) return;
    this.core.campaign();
    this.wantTurn();
  }

  #receive(from: number, envelope: Envelope): void {
    switch (envelope.kind) {
      case "raft":
        this.#step(envelope.message);
        return;
      case "introduction":
        this.peers.onIntroduction(from, envelope);
        return;
      case "health":
        this.peers.onHealth(from, envelope.report);
        this.clock.onPeer(from, envelope.wallTime);
        return;
      case "snapshotRequest":
        this.#sender.onRequest(from, envelope.part);
        return;
      case "snapshotChunk":
        this.#fetcher.onChunk(envelope.part, envelope.bytes);
        return;
      case "snapshotEnd":
        this.#sender.onEnd(from, envelope.part);
        return;
      case "entriesRequest":
      case "entriesReply":
        this.care.onEnvelope(from, envelope);
    }
  }

  #step(message: Message): void {
    if (message.type === "InstallSnapshot" && this.core.refusal(message) === undefined) {
      // A snapshot of what this node has needs no bytes; the core knows what to answer.
      const { commitIndex, currentTerm } = this.core.status();
      if (message.snapshot.lastIncludedIndex > commitIndex && message.term >= currentTerm) {
        this.#fetcher.begin(message);
        return;
      }
    }
    const isRefused = this.core.step(message) === "contradiction";
    if (!isRefused || message.type !== "Heartbeat") return;
    const { lastIndex, leaderId, currentTerm } = this.core.status();
    const isFromLeader = message.from === leaderId && message.term === currentTerm;
    // A leader tells no more than this very life has acknowledged: so that was on this disk.
    if (isFromLeader && message.leaderCommit > lastIndex)
      this.fail(lostTail(lastIndex, message.leaderCommit));
  }

  /** Takes out, at the end of this turn, what was put in. */
  wantTurn(): void {
    if (this.#isTurnWanted || !this.isOpen()) return;
    this.#isTurnWanted = true;
    this.#environment.soon(() => {
      this.#isTurnWanted = false;
      if (this.isOpen()) this.guarded(() => this.#turn());
    });
  }

  #turn(): void {
    const { core } = this;
    this.#clock.catchUp();
    this.proposals.flush(this.#timestamp());
    this.reads.flush(this.#environment.now());
    const appliedBefore = this.keeper.appliedIndex;
    this.#applier.beginTurn();
    for (let ready = core.takeReady(); ready !== undefined; ready = core.takeReady()) {
      this.#handle(ready);
      // A disk may answer at once, and with a failure.
      if (!this.isOpen()) return;
    }
    // No message waits: what it would read may be written to again.
    this.#memory.settle(this.keeper.appliedIndex, this.log.lastIndex());
    if (this.keeper.appliedIndex !== appliedBefore) {
      this.reads.onApplied(this.keeper.appliedIndex);
      this.peers.onState(this.keeper.configuration, this.keeper.state.addresses);
      // What was answered makes room for what waits.
      this.proposals.flush(this.#timestamp());
    }
    this.#init.onTurn();
    if (core.hasReady() || this.#applier.canGoOn) this.wantTurn();
    this.#clock.wake();
  }

  #handle(ready: Ready): void {
    this.#report(ready);
    if (ready.loss !== undefined) this.#init.flushNote.onCleared(ready.loss);
    for (const message of ready.messages) this.#sendMessage(message);
    if (ready.append?.snapshot !== undefined) this.#install(ready.append.snapshot);
    if (ready.append !== undefined) this.#append(ready.append);
    if (!this.isOpen()) return;
    if (ready.apply !== undefined) this.#applier.add(ready.apply);
    for (const state of ready.readStates) this.reads.onReadState(state, this.keeper.appliedIndex);
    for (const context of ready.droppedReads) this.reads.onDropped(context);
    for (const { ticket, result } of ready.parked) this.proposals.onParkedOutcome(ticket, result);
  }

  #report({ softState }: Ready): void {
    if (softState === undefined) return;
    const term = this.core.currentTerm;
    if (softState.role !== "leader") this.#sender.forget();
    this.#init.onEvent({ type: "role", role: softState.role, term });
    this.#init.onEvent({ type: "leader", leaderId: softState.leaderId, term });
  }

  #append(work: AppendWork): void {
    const { hardState, snapshot, entries } = work;
    const reset = snapshot === undefined ? undefined : baseOf(snapshot);
    this.disk.onAppend();
    this.#memory.onAppend();
    this.log.append({ hardState, reset, entries }, () => {
      this.guarded(() => {
        this.#onDurable(work);
      });
    });
  }

  #onDurable(work: AppendWork): void {
    this.disk.onDurable();
    for (const message of work.responses)
      if (message.to === this.#init.nodeId) this.core.step(message);
      else this.#sendMessage(message);
    if (work.done !== undefined) this.core.onAppendDone(work.done);
    this.#memory.onDurable();
    if (work.snapshot !== undefined) this.keeper.onReset();
    const { role, stableIndex, currentTerm } = this.core;
    if (role === "leader") this.proposals.onStable(stableIndex, currentTerm);
    this.wantTurn();
  }

  #install(snapshot: Snapshot): void {
    const hasFile = decodeDescriptor(snapshot.data) !== 0;
    this.#applier.finish();
    const { lastIncludedIndex: index } = snapshot;
    this.keeper.install(snapshot, hasFile);
    this.proposals.onSkipped(index);
    this.#init.onEvent({ type: "snapshotInstalled", index });
  }

  #sendMessage(message: Message): void {
    const { to } = message;
    if (message.type === "AppendEntries") {
      if (message.entries.length === 0) {
        this.#notices.hold(message);
        return;
      }
      this.#notices.drop(to);
    }
    const isSent = this.#send(to, { kind: "raft", message });
    if (message.type === "InstallSnapshot") {
      if (isSent) this.#sender.begin(to, message.snapshot.lastIncludedIndex);
      else this.core.reportSnapshot(to, "failed");
    } else if (!isSent && message.type === "AppendEntries") this.core.reportUnreachable(to);
  }

  #send(to: number, envelope: Envelope): boolean {
    return this.#link.send(to, laneOf(envelope), encodeEnvelope(envelope));
  }

  /** Whether anything may be due before the next heartbeat; what comes in wakes this up anyway. */
  #isBusy(): boolean {
    const { role, leaderId } = this.core;
    const isLed = role === "leader" || (role === "follower" && leaderId !== undefined);
    const isBehind = this.core.hasReady() || this.#applier.isBehind;
    const isAwaited = this.proposals.pendingBytes > 0 || !this.reads.isIdle;
    return !isLed || isBehind || isAwaited || this.care.isRepairing;
  }

  #onTime(ticks: number, passedMs: number): void {
    if (passedMs > this.#init.timing.stallMs)
      this.#init.onEvent({ type: "stalled", milliseconds: Math.round(passedMs) });
    this.core.tick(ticks);
  }

  #onTick(): void {
    this.guarded(() => {
      this.#clock.catchUp();
      const now = this.#environment.now();
      this.proposals.expire(now);
      this.reads.tick(now);
      this.#sender.tick(now);
      this.#fetcher.tick(now);
      this.disk.tick();
      this.keeper.tick(now);
      const isWanted = this.proposals.pendingBytes > 0 || this.reads.hasWishes();
      if (isWanted || this.#applier.isBehind || this.core.hasReady()) this.wantTurn();
    });
  }

  /** The log's time never goes back, whatever the clock on the wall does. */
  #timestamp(): number {
    return Math.max(this.keeper.state.time, this.clock.time());
  }
}
