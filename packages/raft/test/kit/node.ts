/**
 * One core with the smallest driver that keeps the contract of ready.ts: disk, state machine and
 * outbox are arrays. `settle` does all work at once; `take`, `write` and `apply` do it by hand.
 */

import {
  type AppendWork,
  type ApplyWork,
  type Configuration,
  type ConfigurationChange,
  type Entry,
  type HardState,
  type Incarnation,
  type LogIndex,
  type Loss,
  MemoryLogStorage,
  type Message,
  type NodeId,
  type ParkedOutcome,
  type ProgressView,
  type ProposeResult,
  type RaftEvent,
  type RaftEventType,
  type RaftOptions,
  parseRaftOptions,
  RaftCore,
  type ReadState,
  type Ready,
  type Snapshot,
} from "../../src/index.ts";
import { bytes, log } from "./entries.ts";
import { configurationOf } from "./members.ts";

export interface NodeInit {
  readonly id?: NodeId;
  readonly incarnation?: Incarnation;
  /** Default: voters 1, 2 and 3. */
  readonly configuration?: Configuration;
  /** On top of {@link PLAIN}. */
  readonly options?: Partial<RaftOptions>;
  /** The terms of the entries in storage. */
  readonly log?: readonly number[];
  readonly entries?: readonly Entry[];
  readonly snapshot?: Snapshot;
  readonly hardState?: Partial<HardState>;
  readonly appliedIndex?: LogIndex;
  readonly seed?: number;
  readonly loss?: Loss;
}

/** The algorithm of the paper: what goes beyond it is switched on where a test is about it. */
const PLAIN: Partial<RaftOptions> = {
  preVote: false,
  checkQuorum: false,
  electionTicks: 10,
  heartbeatTicks: 1,
};

export class TestNode {
  readonly id: NodeId;
  storage: MemoryLogStorage;
  readonly options: RaftOptions;
  core: RaftCore;
  readonly events: RaftEvent[] = [];
  readonly applied: Entry[] = [];
  readonly readStates: ReadState[] = [];
  readonly droppedReads: number[] = [];
  readonly parked: ParkedOutcome[] = [];
  /** Every hard state that became durable, oldest first. */
  readonly hardStates: HardState[] = [];
  #outbox: Message[] = [];
  #appliedIndex: LogIndex;
  readonly #incarnation: Incarnation;
  #seed: number;
  /** As the disk has it. */
  loss: Loss | undefined;

  constructor(init: NodeInit = {}) {
    this.id = init.id ?? 1;
    this.#incarnation = init.incarnation ?? 0;
    this.#seed = init.seed ?? this.id;
    this.loss = init.loss;
    this.options = parseRaftOptions({ ...PLAIN, ...init.options });
    this.storage = new MemoryLogStorage(
      init.snapshot === undefined ? {} : { snapshot: init.snapshot },
    );
    if (init.snapshot === undefined)
      this.storage.setConfiguration(init.configuration ?? configurationOf({ voters: [1, 2, 3] }));
    this.storage.append(init.entries ?? log(init.log ?? [], this.storage.firstIndex()));
    if (init.hardState !== undefined) {
      const initial = this.storage.initialState().hardState;
      this.storage.setHardState({ ...initial, ...init.hardState });
    }
    this.#appliedIndex = init.appliedIndex ?? this.storage.firstIndex() - 1;
    this.core = this.#start();
  }

  get role(): string {
    return this.core.status().role;
  }

  get term(): number {
    return this.core.status().currentTerm;
  }

  get commitIndex(): LogIndex {
    return this.core.status().commitIndex;
  }

  get lastIndex(): LogIndex {
    return this.core.status().lastIndex;
  }

  /** The log in storage; what `settle` wrote is all there is. */
  entries(): readonly Entry[] {
    const [low, high] = [this.storage.firstIndex(), this.storage.lastIndex() + 1];
    if (low === high) return [];
    return this.storage.entries({ low, high, bytesMax: Infinity }) ?? [];
  }

  progressOf(id: NodeId): ProgressView {
    const view = this.core.progress().find((progress) => progress.id === id);
    if (view === undefined) throw new Error(`node ${this.id} knows no progress of ${id}`);
    return view;
  }

  eventsOf<T extends RaftEventType>(type: T): Extract<RaftEvent, { type: T }>[] {
    return this.events.filter(
      (event): event is Extract<RaftEvent, { type: T }> => event.type === type,
    );
  }

  /** Does all work there is; returns what it has to say to others since the last time. */
  settle(): Message[] {
    for (let ready = this.take(); ready !== undefined; ready = this.take()) {
      if (this.options.storageWrites === "sync") this.finish(ready);
      else {
        if (ready.append !== undefined) this.write(ready.append);
        if (ready.apply !== undefined) this.apply(ready.apply);
      }
    }
    return this.takeOutbox();
  }

  /** Takes the next Ready and sends what may leave at once. Its work is still to do. */
  take(): Ready | undefined {
    const ready = this.core.takeReady();
    if (ready === undefined) return undefined;
    if (ready.loss !== undefined) this.loss = ready.loss;
    this.readStates.push(...ready.readStates);
    this.droppedReads.push(...ready.droppedReads);
    this.parked.push(...ready.parked);
    this.#outbox.push(...ready.messages);
    return ready;
  }

  /** Storage mode `async`: writes, then answers. */
  write(work: AppendWork): void {
    this.#store(work);
    for (const response of work.responses) {
      if (response.to === this.id) this.core.step(response);
      else this.#outbox.push(response);
    }
    if (work.done !== undefined) this.core.onAppendDone(work.done);
  }

  /** Storage mode `async`: applies, then says so. */
  apply(work: ApplyWork): void {
    this.#applyAll(work);
    this.core.onApplyDone(work.done);
  }

  /** Storage mode `sync`: writes, applies, then advances. */
  finish(ready: Ready): void {
    if (ready.append !== undefined) {
      this.#store(ready.append);
      this.#outbox.push(...ready.append.responses.filter(({ to }) => to !== this.id));
    }
    if (ready.apply !== undefined) this.#applyAll(ready.apply);
    this.core.advance();
  }

  takeOutbox(): Message[] {
    const sent = this.#outbox;
    this.#outbox = [];
    return sent;
  }

  /** Steps messages in, then settles; returns what that made it say. */
  receive(...messages: readonly Message[]): Message[] {
    for (const message of messages) this.core.step(message);
    return this.settle();
  }

  tick(count = 1): Message[] {
    for (let i = 0; i < count; i++) {
      this.core.tick();
      this.#outbox = [...this.takeOutbox(), ...this.settle()];
    }
    return this.takeOutbox();
  }

  /** Lets the election timer run out once, whatever it was drawn to be. */
  timeOut(): Message[] {
    this.core.setRandomizedElectionTicks(this.options.electionTicks);
    return this.tick(this.options.electionTicks);
  }

  propose(...texts: readonly string[]): ProposeResult {
    return this.core.propose(texts.map((value) => bytes(value)));
  }

  change(change: ConfigurationChange): ProposeResult {
    return this.core.proposeConfigurationChange(change);
  }

  /** Takes a snapshot of the state machine and drops the log up to it, less `keep` entries. */
  compact(keep = 0): Snapshot {
    const lastIncludedIndex = this.#appliedIndex;
    const snapshot = {
      lastIncludedIndex,
      lastIncludedTerm: this.storage.term(lastIncludedIndex) ?? 0,
      configuration: this.core.status().configuration,
      data: bytes(`state at ${lastIncludedIndex}`),
    };
    this.storage.setSnapshot(snapshot);
    this.storage.compact(lastIncludedIndex + 1 - keep);
    return snapshot;
  }

  /** The process dies and comes back with what its disk holds. */
  restart(): void {
    this.#outbox = [];
    this.#seed += 1;
    this.core = this.#start();
  }

  /**
   * The host loses power, and with it the entries from `index` on, though the node had said that it
   * holds them. The process comes back, and knows that it may have happened.
   */
  loseFrom(index: LogIndex): void {
    const kept = this.entries().filter((entry) => entry.index < index);
    const { hardState, configuration } = this.storage.initialState();
    const snapshot = this.storage.snapshot();
    this.storage = new MemoryLogStorage(snapshot === undefined ? {} : { snapshot });
    this.storage.setConfiguration(configuration);
    this.storage.append(kept);
    const commitIndex = Math.min(hardState.commitIndex, index - 1);
    this.storage.setHardState({ ...hardState, commitIndex });
    this.#appliedIndex = Math.min(this.#appliedIndex, index - 1);
    this.loss = { count: (this.loss?.count ?? 0) + 1, isSuspect: true };
    this.restart();
  }

  #start(): RaftCore {
    return new RaftCore({
      id: this.id,
      incarnation: this.#incarnation,
      options: this.options,
      storage: this.storage,
      appliedIndex: this.#appliedIndex,
      seed: this.#seed,
      loss: this.loss,
      observer: (event) => this.events.push(event),
    });
  }

  #store(work: AppendWork): void {
    if (work.snapshot !== undefined) {
      this.storage.installSnapshot(work.snapshot);
      this.#appliedIndex = work.snapshot.lastIncludedIndex;
      this.applied.length = 0;
    }
    this.storage.append(work.entries);
    if (work.hardState !== undefined) {
      this.storage.setHardState(work.hardState);
      this.hardStates.push(work.hardState);
    }
  }

  #applyAll(work: ApplyWork): void {
    for (const entry of work.entries) {
      this.applied.push(entry);
      if (entry.kind === "configuration")
        this.storage.setConfiguration(this.core.applyConfigurationChange(entry));
      this.#appliedIndex = entry.index;
    }
  }
}
