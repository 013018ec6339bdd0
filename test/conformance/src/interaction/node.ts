/**
 * One node of a scripted group: a core, its disk, its state machine, and the two threads that work
 * for it.
 *
 *            +------+   append queue   +------+
 *     ──────>|      |─────────────────>| disk |──┐
 *     inputs | core |   apply queue    +------+  ├──> envelopes, delivered by the script
 *            |      |─────────────────>| state|──┘
 *            +------+                  +------+
 *
 * With `storageWrites: "sync"` there are no queues: a `Ready` is written, applied and acknowledged
 * in one step. The state machine is the concatenation of all commands; it remembers a snapshot of
 * itself after every entry, and the newest one is what the core finds in its storage.
 */

import {
  type AppendWork,
  type ApplyWork,
  EMPTY_CONFIGURATION,
  type Entry,
  type HardState,
  MemoryLogStorage,
  type NodeId,
  RaftCore,
  type RaftEvent,
  type RaftOptions,
  type Ready,
  type Snapshot,
} from "@quorumlog/raft";
import { assert, required } from "@quorumlog/std";
import { CommandError } from "../arguments.ts";
import { INCARNATION } from "../member-changes.ts";
import {
  appendResponses,
  applyResponses,
  describeAppendWork,
  describeApplyWork,
  describeEnvelope,
  describeReady,
} from "./describe.ts";
import { type Envelope, messageEnvelope } from "./envelope.ts";
import { logLines, startLine } from "./log-lines.ts";
import type { Output } from "./output.ts";

export interface NodeInit {
  readonly id: NodeId;
  readonly options: RaftOptions;
  /** Where the group starts; `undefined` for a node that has yet to be told of it. */
  readonly snapshot: Snapshot | undefined;
  readonly output: Output;
}

const NOTHING: Snapshot = {
  lastIncludedIndex: 0,
  lastIncludedTerm: 0,
  configuration: EMPTY_CONFIGURATION,
  data: new Uint8Array(0),
};

export class ScriptedNode {
  readonly id: NodeId;
  readonly options: RaftOptions;
  readonly storage: MemoryLogStorage;
  readonly #output: Output;
  #core: RaftCore | undefined;
  #lives = 0;
  /** As of the last `Ready`. */
  #hardState: HardState | undefined;
  #appendQueue: AppendWork[] = [];
  #applyQueue: ApplyWork[] = [];
  /** The state machine after each entry it applied, oldest first. Never empty. */
  #history: Snapshot[];

  constructor(init: NodeInit) {
    const { snapshot } = init;
    this.id = init.id;
    this.options = init.options;
    this.#output = init.output;
    this.storage = new MemoryLogStorage(snapshot === undefined ? {} : { snapshot });
    this.#history = [snapshot ?? NOTHING];
    this.#start();
  }

  get isUp(): boolean {
    return this.#core !== undefined;
  }

  /** @throws {@link CommandError} while the node is down. */
  get core(): RaftCore {
    if (this.#core === undefined) throw new CommandError(`node ${this.id} is down`);
    return this.#core;
  }

  /** The state machine after each entry it applied, oldest first. */
  get history(): readonly Snapshot[] {
    return this.#history;
  }

  get newestSnapshot(): Snapshot {
    return required(this.#history.at(-1), "a state machine has a state");
  }

  get hasAppendWork(): boolean {
    return this.#appendQueue.length > 0;
  }

  get hasApplyWork(): boolean {
    return this.#applyQueue.length > 0;
  }

  /**
   * Takes a `Ready`, prints it, and does with it what its mode demands.
   *
   * @param send - Takes the messages that leave at once.
   */
  processReady(send: (envelopes: readonly Envelope[]) => void): void {
    const { storageWrites } = this.options;
    const ready = this.core.takeReady();
    const mustSync = this.#takePromises(ready?.append);
    this.#output.write(describeReady(ready, { id: this.id, storageWrites, mustSync }));
    if (ready === undefined) return;
    if (storageWrites === "sync") this.#finish(ready, send);
    else {
      if (ready.append !== undefined) this.#appendQueue.push(ready.append);
      if (ready.apply !== undefined) this.#applyQueue.push(ready.apply);
      send(ready.messages.map(messageEnvelope));
    }
  }

  /** Does one piece of the disk's work; returns what is to be delivered now that it is done. */
  processAppend(): Envelope[] {
    assert(this.isUp, "only a running node works");
    const work = this.#appendQueue.shift();
    if (work === undefined) {
      this.#output.write("no append work to perform");
      return [];
    }
    this.#output.write(`Processing:\n${describeAppendWork(this.id, work)}\n`);
    this.#write(work);
    return this.#announce(appendResponses(this.id, work));
  }

  /** Does one piece of the state machine's work; returns what is to be delivered now. */
  processApply(): Envelope[] {
    assert(this.isUp, "only a running node works");
    const work = this.#applyQueue.shift();
    if (work === undefined) {
      this.#output.write("no apply work to perform");
      return [];
    }
    this.#output.write(`Processing:\n${describeApplyWork(this.id, work)}\n`);
    this.#apply(work.entries);
    return this.#announce(applyResponses(this.id, work));
  }

  /** Drops the entries up to `index`. */
  compact(index: number): void {
    // The core may still need what is applied, until it knows that it is.
    if (this.isUp && index > this.core.status().appliedIndex)
      throw new CommandError(`index ${index} is not applied yet`);
    if (index < this.storage.firstIndex())
      throw new CommandError("requested index is unavailable due to compaction");
    if (index > this.storage.lastIndex())
      throw new CommandError(`there is no entry ${index} to compact`);
    this.storage.compact(index + 1);
  }

  /**
   * Takes the node down. What waited in its queues is lost, but for the first pieces of the disk's
   * work: those were written just before, and nobody has been told.
   *
   * @param persistedCount - How many pieces those are.
   */
  crash(persistedCount: number): void {
    if (persistedCount > this.#appendQueue.length)
      throw new CommandError(`only ${this.#appendQueue.length} writes are queued`);
    assert(this.isUp, "only a running node crashes");
    for (const work of this.#appendQueue.slice(0, persistedCount)) this.#write(work);
    this.#appendQueue = [];
    this.#applyQueue = [];
    this.#core = undefined;
  }

  /** Starts over from the disk: the log is applied again from its first index on. */
  restart(): void {
    if (this.isUp) throw new CommandError(`node ${this.id} is up`);
    const appliedIndex = this.storage.firstIndex() - 1;
    const kept = this.#history.filter((state) => state.lastIncludedIndex <= appliedIndex);
    const newest = required(kept.at(-1), "the state before the first entry is kept");
    if (newest.lastIncludedIndex !== appliedIndex)
      throw new CommandError(`there is no state at ${appliedIndex} to start from`);
    this.#history = kept;
    this.storage.setSnapshot(newest);
    this.storage.setConfiguration(newest.configuration);
    this.#start();
  }

  #start(): void {
    this.#lives += 1;
    this.#hardState = this.storage.initialState().hardState;
    // A core cannot be asked for its status while it is under construction.
    const early: RaftEvent[] = [];
    let isBuilt = false;
    const core = new RaftCore({
      id: this.id,
      incarnation: INCARNATION,
      options: this.options,
      storage: this.storage,
      appliedIndex: this.newestSnapshot.lastIncludedIndex,
      seed: this.id * 1_000 + this.#lives,
      observer: (event) => {
        if (isBuilt) this.#log(event);
        else early.push(event);
      },
    });
    isBuilt = true;
    this.#core = core;
    for (const event of early) this.#log(event);
  }

  #log(event: RaftEvent): void {
    if (event.type !== "started")
      for (const [level, text] of logLines(this.id, event)) this.#output.log(level, text);
    else {
      const lastTerm = this.storage.term(this.storage.lastIndex()) ?? 0;
      this.#output.log(...startLine(this.core.status(), lastTerm));
    }
  }

  /**
   * Whether the work holds entries, or a new term or vote. The scripts know of no other reason to
   * sync, and ask for none where a snapshot is written; `AppendWork.mustSync` may.
   */
  #takePromises(work: AppendWork | undefined): boolean {
    const before = this.#hardState;
    const next = work?.hardState;
    if (next !== undefined) this.#hardState = next;
    const hasEntries = work !== undefined && work.entries.length > 0;
    if (next === undefined) return hasEntries;
    const isPromise = next.currentTerm !== before?.currentTerm || next.votedFor !== before.votedFor;
    return hasEntries || isPromise;
  }

  #finish(ready: Ready, send: (envelopes: readonly Envelope[]) => void): void {
    if (ready.append !== undefined) this.#write(ready.append);
    if (ready.apply !== undefined) this.#apply(ready.apply.entries);
    const responses = ready.append?.responses.filter(({ to }) => to !== this.id) ?? [];
    send([...ready.messages, ...responses].map(messageEnvelope));
    this.core.advance();
  }

  #announce(responses: Envelope[]): Envelope[] {
    const lines = responses.map((response) => `${describeEnvelope(response)}\n`);
    this.#output.write(`Responses:\n${lines.join("")}`);
    return responses;
  }

  #write(work: AppendWork): void {
    if (work.hardState !== undefined) this.storage.setHardState(work.hardState);
    if (work.snapshot !== undefined) {
      this.storage.installSnapshot(work.snapshot);
      this.#history.push(work.snapshot);
    }
    this.storage.append(work.entries);
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const before = this.newestSnapshot;
      // A snapshot that was written meanwhile is ahead of this work.
      if (entry.index <= before.lastIncludedIndex) continue;
      assert(entry.index === before.lastIncludedIndex + 1, "entries are applied without a gap");
      const isCommand = entry.kind === "normal";
      const state: Snapshot = {
        lastIncludedIndex: entry.index,
        lastIncludedTerm: entry.term,
        configuration: isCommand ? before.configuration : this.core.applyConfigurationChange(entry),
        data: isCommand ? concatenate(before.data, entry.data) : before.data,
      };
      this.#history.push(state);
      this.storage.setSnapshot(state);
    }
  }
}

function concatenate(left: Uint8Array, right: Uint8Array): Uint8Array {
  const whole = new Uint8Array(left.length + right.length);
  whole.set(left);
  whole.set(right, left.length);
  return whole;
}
