/**
 * One process: the driver loop around a core, as production has it, over a fake disk and network.
 *
 *     inbox ──> turn: tick, step all, propose, takeReady ──> messages     to the network
 *       ^                                               ├──> append work  to the append thread
 *       │                                               └──> apply work   to the apply thread
 *       └────────── work done, in order, as inputs of a later turn ──────────┘
 *
 * A single writer, at its own pace: many inputs share a turn, many works share a sync. In storage
 * mode `sync` the loop stands still instead, from `takeReady` until everything is written.
 */

import {
  type AppendWork,
  type Configuration,
  type Entry,
  type HardState,
  type Incarnation,
  type Loss,
  type Message,
  type NodeId,
  RaftCore,
  type RaftOptions,
  type Ready,
  type Snapshot,
  type Status,
} from "@quorumlog/raft";
import { assert, type Prng } from "@quorumlog/std";
import type { Disk } from "../engine/disk.ts";
import type { Micros } from "../engine/event-queue.ts";
import type { HostClock } from "../engine/host-clock.ts";
import type { LogView } from "../engine/log-view.ts";
import { TRACE } from "../engine/trace.ts";
import type { SwarmOptions } from "../fault/swarm.ts";
import { AppendThread, recordsOf } from "./append-thread.ts";
import { type ApplyPart, ApplyThread } from "./apply-thread.ts";
import type { NodeEnvironment } from "./node-environment.ts";
import type { NodeInput } from "./node-input.ts";
import { NodeStorage, type RecoveredState, StorageReadError } from "./node-storage.ts";
import { RequestDesk } from "./request-desk.ts";
import { SnapshotKeeper } from "./snapshot-keeper.ts";
import { StateMachine } from "./state-machine.ts";
import { Ticker } from "./ticker.ts";

export interface SimNodeInit {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  /** Counts the processes of the run. */
  readonly life: number;
  readonly options: RaftOptions;
  readonly recovered: RecoveredState;
  readonly loss: Loss | undefined;
  readonly disk: Disk;
  readonly clock: HostClock;
  readonly prng: Prng;
  readonly environment: NodeEnvironment<SimNode>;
}

const READY_COUNT_MAX = 50_000;

export class SimNode {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  readonly life: number;
  readonly options: RaftOptions;
  readonly disk: Disk;
  readonly core: RaftCore;
  readonly storage: NodeStorage;
  /** The log with everything that the core has handed out. */
  readonly issued: LogView;
  readonly machine: StateMachine;
  /** As of the state machine's applied index. */
  configuration: Configuration;
  /** As it was recovered: what this process may have promised in its former lives. */
  readonly recovered: HardState;
  /** As of the end of the last turn. */
  lastStatus: Status;
  /** The peer's message that the core is looking at. */
  stepping: Message | undefined;
  isAlive = true;
  isPaused = false;

  readonly #ticker: Ticker;
  readonly #prng: Prng;
  readonly #environment: NodeEnvironment<SimNode>;
  readonly #swarm: SwarmOptions;
  readonly #desk: RequestDesk;
  readonly #appendThread: AppendThread;
  readonly #applyThread: ApplyThread;
  readonly #keeper: SnapshotKeeper;
  #inbox: NodeInput[] = [];
  /** An event was emitted since the last turn that was looked at. */
  #hasMoved = false;
  #isTurnScheduled = false;
  /** Storage mode `sync`: the Ready that is being written. */
  #outstanding: Ready | undefined;
  /** What came due while the process was paused. */
  #heldBack: (() => void) | undefined;
  #installsPending = 0;

  constructor(init: SimNodeInit) {
    const { recovered, environment } = init;
    this.id = init.id;
    this.incarnation = init.incarnation;
    this.life = init.life;
    this.options = init.options;
    this.disk = init.disk;
    this.recovered = recovered.hardState;
    this.configuration = recovered.configuration;
    this.#prng = init.prng;
    this.#environment = environment;
    this.#swarm = environment.swarm;
    this.#ticker = new Ticker({
      queue: environment.queue,
      clock: init.clock,
      tickMicros: this.#swarm.tickMicros,
      onDue: () => {
        this.#turn();
        this.#scheduleTick();
      },
    });
    this.issued = recovered.log.clone();
    this.storage = new NodeStorage(init.disk, recovered);
    this.machine = new StateMachine(this.#swarm.load.keyCount);
    if (recovered.state !== undefined) this.machine.restore(recovered.state.data);
    this.#keeper = new SnapshotKeeper({
      options: this.#swarm.storage,
      disk: this.disk,
      storage: this.storage,
      machine: this.machine,
    });
    this.#desk = new RequestDesk(environment.watcher, this.#swarm.driver.sharesReads);
    this.#appendThread = new AppendThread({
      queue: environment.queue,
      disk: init.disk,
      prng: init.prng,
      timing: this.#swarm.disk,
      onSyncFailed: () => {
        environment.crash(this, "power", "a sync failed");
      },
      onSynced: () => {
        environment.watcher.onDurable(this);
        environment.diesAt(this, "afterSync");
      },
    });
    this.#applyThread = new ApplyThread({
      queue: environment.queue,
      prng: init.prng,
      latencyMean: this.#swarm.driver.applyMean,
      onDue: (part) => {
        this.receive({ kind: "apply", part });
      },
    });
    this.core = new RaftCore({
      id: this.id,
      incarnation: this.incarnation,
      options: this.options,
      storage: this.storage,
      appliedIndex: this.machine.appliedIndex,
      seed: init.prng.uint32(),
      loss: init.loss,
      observer: (event) => {
        this.#hasMoved = true;
        if (this.isAlive) environment.watcher.onEvent(this, event);
      },
    });
    this.lastStatus = this.core.status();
  }

  /** Whether a leader's snapshot is being written. */
  get isInstalling(): boolean {
    return this.#installsPending > 0;
  }

  /**
   * Whether the core has accepted a snapshot of a state that this state machine has not reached.
   * The core's configuration is that of the snapshot then, so none can be told for this state.
   */
  isOvertaken(): boolean {
    return this.core.status().firstIndex > this.machine.appliedIndex + 1;
  }

  /** Whether writes still wait for the end of a transfer. */
  get hasParked(): boolean {
    return this.#desk.parkedCount > 0;
  }

  get unansweredReadCount(): number {
    return this.#desk.unansweredReadCount;
  }

  /** Makes applying take so much longer; in mode `sync` it is part of the loop, and does not. */
  stallApply(time: Micros): void {
    this.#applyThread.stall = time;
  }

  /** Puts an input into the inbox. */
  receive(input: NodeInput): void {
    if (!this.isAlive) return;
    this.#inbox.push(input);
    this.#scheduleTurn();
  }

  /** Goes on after the start, a pause, or a change of its clock. */
  wake(): void {
    const heldBack = this.#heldBack;
    this.#heldBack = undefined;
    if (heldBack !== undefined) this.#guarded(heldBack);
    this.#scheduleTurn();
    this.#scheduleTick();
  }

  /** The process is gone; its disk is the caller's business. */
  stop(): void {
    this.isAlive = false;
    this.#inbox = [];
    this.#appendThread.stop();
  }

  /** Takes a snapshot now, if there is anything new to take. */
  takeSnapshot(): void {
    if (!this.isAlive || this.isInstalling || !this.#keeper.canTake || this.isOvertaken()) return;
    const snapshot = this.#keeper.take(this.configuration);
    this.#environment.watcher.onSnapshot(this, snapshot, "taken");
    const complete = (): void => {
      this.receive({ kind: "snapshotStored", snapshot });
    };
    this.#appendThread.submit({ position: this.disk.written, mustSync: true, complete });
  }

  #scheduleTurn(): void {
    const isStuck = this.isPaused || this.#outstanding !== undefined;
    if (!this.isAlive || isStuck || this.#isTurnScheduled) return;
    this.#isTurnScheduled = true;
    const { turnDelayMax } = this.#swarm.driver;
    const delay = turnDelayMax === 0 ? 0 : this.#prng.below(turnDelayMax + 1);
    this.#environment.queue.schedule(delay, () => {
      this.#isTurnScheduled = false;
      this.#turn();
    });
  }

  #scheduleTick(): void {
    const isStuck = this.isPaused || this.#outstanding !== undefined;
    if (this.isAlive && !isStuck) this.#ticker.schedule();
  }

  #turn(): void {
    if (!this.isAlive || this.isPaused || this.#outstanding !== undefined) return;
    this.#guarded(() => {
      this.#runTurn();
    });
  }

  /** Runs a part of the loop now, or once the process goes on. A failed read ends the process. */
  #guarded(run: () => void): void {
    if (!this.isAlive) return;
    if (this.isPaused) {
      this.#heldBack = run;
      return;
    }
    try {
      run();
    } catch (error) {
      if (!(error instanceof StorageReadError)) throw error;
      this.#environment.crash(this, "process", "a read failed");
    }
  }

  #runTurn(): void {
    // The clock is read before the inbox: after a pause nobody is served from an expired lease.
    const elapsed = this.#ticker.takeElapsed();
    if (elapsed > 0) this.core.tick(elapsed);
    const inputs = this.#inbox;
    this.#inbox = [];
    for (const input of inputs) {
      this.#handle(input);
      if (!this.isAlive) return;
    }
    this.#desk.flush(this.core);
    this.#takeReadies();
    if (!this.isAlive) return;
    this.#environment.trace.event(TRACE.turn, this.id, inputs.length, elapsed);
    if (inputs.length > 0 || this.#hasMoved) this.#endTurn();
  }

  /** Something has happened: lets the checkers look. */
  #endTurn(): void {
    this.#hasMoved = false;
    this.lastStatus = this.core.status();
    this.#environment.watcher.onTurnEnd(this);
  }

  #handle(input: NodeInput): void {
    switch (input.kind) {
      case "message":
        this.#step(input.message);
        break;
      case "appended":
        this.#finishAppend(input.work);
        break;
      case "snapshotStored":
        this.#keeper.onStored(
          input.snapshot,
          this.isInstalling
            ? undefined
            : { toldIndex: this.core.status().appliedIndex, issued: this.issued },
        );
        break;
      case "apply":
        this.#applyPart(input.part);
        break;
      case "write":
        this.#desk.addWrite(input.request);
        break;
      case "read":
        this.#desk.addRead(input.request);
        break;
      case "call":
        input.run(this.core);
        break;
    }
  }

  #step(message: Message): void {
    this.stepping = message;
    const reason = this.core.step(message);
    this.stepping = undefined;
    this.#environment.watcher.onStepped(this, message, reason);
  }

  #takeReadies(): void {
    for (let count = 0; ; count++) {
      assert(count < READY_COUNT_MAX, "a core without inputs comes to rest");
      const ready = this.core.takeReady();
      if (ready === undefined) return;
      if (ready.loss !== undefined) this.#environment.noteCleared(this, ready.loss);
      if (this.options.storageWrites === "sync") this.#writeReady(ready);
      else this.#startReady(ready);
      if (!this.isAlive || this.#outstanding !== undefined) return;
      if (this.#swarm.driver.takesOneReady) {
        if (this.core.hasReady()) this.#scheduleTurn();
        return;
      }
    }
  }

  /** Storage mode `async`: starts everything, waits for nothing. */
  #startReady(ready: Ready): void {
    const { sendsFirst } = this.#swarm.driver;
    this.#answerClients(ready);
    if (sendsFirst) this.#sendAll(ready.messages);
    const work = ready.append;
    if (work !== undefined) {
      if (!this.#write(work)) return;
      const { mustSync } = work;
      const complete = (): void => {
        this.receive({ kind: "appended", work });
      };
      this.#appendThread.submit({ position: this.disk.written, mustSync, complete });
    }
    if (!this.isAlive) return;
    if (!sendsFirst) this.#sendAll(ready.messages);
    if (ready.apply === undefined) return;
    this.#applyThread.submit(ready.apply);
  }

  /** Storage mode `sync`: the loop stands still until the Ready is done. */
  #writeReady(ready: Ready): void {
    const { sendsFirst } = this.#swarm.driver;
    this.#answerClients(ready);
    if (sendsFirst) this.#sendAll(ready.messages);
    this.#outstanding = ready;
    const finish = (): void => {
      this.#guarded(() => {
        this.#finishReady(ready);
      });
    };
    if (ready.append === undefined) {
      this.#finishReady(ready);
      return;
    }
    if (!this.#write(ready.append)) return;
    const { mustSync } = ready.append;
    this.#appendThread.submit({ position: this.disk.written, mustSync, complete: finish });
  }

  #finishReady(ready: Ready): void {
    if (!this.isAlive) return;
    const { append, apply, messages } = ready;
    if (!this.#swarm.driver.sendsFirst) this.#sendAll(messages);
    if (append !== undefined) {
      this.#makeVisible(append, "durable");
      this.#respond(append.responses);
    }
    if (apply !== undefined) this.#applyEntries(apply.entries);
    this.#outstanding = undefined;
    this.core.advance();
    this.#afterApply();
    this.#endTurn();
    this.#scheduleTurn();
    this.#scheduleTick();
  }

  #answerClients(ready: Ready): void {
    this.#desk.onParked(ready.parked);
    for (const { result } of ready.parked)
      if (result === "dropped") this.#environment.marks.hit("parked proposal refused");
    this.#desk.onReads(ready.readStates, ready.droppedReads);
    this.#desk.serveReads(this.machine);
  }

  #sendAll(messages: readonly Message[]): void {
    for (const message of messages) {
      this.#environment.watcher.onSend(this, message, false);
      this.#environment.transmit(this, message);
    }
  }

  /** Makes good what waited for the disk. In mode `sync` the core steps its own part itself. */
  #respond(responses: readonly Message[]): void {
    for (const response of responses) {
      this.#environment.watcher.onSend(this, response, true);
      if (response.to !== this.id) this.#environment.transmit(this, response);
      else if (this.options.storageWrites === "async") this.core.step(response);
    }
  }

  /** Writes append work, without waiting for it; returns false if the process died over it. */
  #write(work: AppendWork): boolean {
    const { watcher, trace } = this.#environment;
    if (this.#environment.diesAt(this, "beforeWrite")) return false;
    watcher.onAppend(this, work);
    this.disk.write(recordsOf(work));
    const { snapshot } = work;
    if (snapshot !== undefined) {
      this.#installsPending += 1;
      this.issued.reset({ index: snapshot.lastIncludedIndex, term: snapshot.lastIncludedTerm });
    }
    for (const entry of work.entries) this.issued.append(entry);
    this.#makeVisible(work, "issued");
    trace.event(TRACE.write, this.id, this.issued.lastIndex, work.entries.length);
    return !this.#environment.diesAt(this, "afterWrite");
  }

  /** Lets the core read what was written, at one of two moments that a storage may choose. */
  #makeVisible(work: AppendWork, moment: "issued" | "durable"): void {
    const isAtIssue = this.#swarm.storage.isVisibleAtIssue;
    if (isAtIssue === (moment === "issued")) this.storage.apply(work);
    if (moment === "durable" && work.snapshot !== undefined) this.#install(work.snapshot);
  }

  #install(snapshot: Snapshot): void {
    this.#installsPending -= 1;
    if (snapshot.lastIncludedIndex <= this.machine.appliedIndex) return;
    this.machine.restore(snapshot.data);
    this.configuration = snapshot.configuration;
    this.#keeper.onInstalled();
    this.#environment.watcher.onSnapshot(this, snapshot, "installed");
    this.#desk.onSnapshot(snapshot.lastIncludedIndex);
  }

  #finishAppend(work: AppendWork): void {
    this.#makeVisible(work, "durable");
    this.#respond(work.responses);
    if (work.done !== undefined) this.core.onAppendDone(work.done);
    this.#desk.serveReads(this.machine);
  }

  #applyPart(part: ApplyPart): void {
    this.#applyEntries(part.work.entries.slice(part.from, part.to));
    if (part.to === part.work.entries.length) this.core.onApplyDone(part.work.done);
    this.#afterApply();
    this.#applyThread.finish(part);
  }

  #applyEntries(entries: readonly Entry[]): void {
    for (const entry of entries) {
      // A snapshot that was installed meanwhile holds it already.
      if (entry.index <= this.machine.appliedIndex) continue;
      if (entry.kind === "configuration") {
        const inForce = this.core.applyConfigurationChange(entry);
        if (!this.isOvertaken()) this.configuration = inForce;
        else this.#environment.marks.hit("snapshot overtook a configuration change");
      }
      const effect = this.machine.apply(entry);
      this.#environment.watcher.onApply(this, entry, effect);
      this.#desk.onApplied(entry, effect);
    }
  }

  #afterApply(): void {
    this.#desk.serveReads(this.machine);
    if (this.#keeper.isSnapshotDue) this.takeSnapshot();
    if (this.#keeper.isCheckpointDue && !this.isInstalling && !this.isOvertaken())
      this.#keeper.checkpoint(this.configuration);
  }
}
