/** Random histories of a log, and the model of what it has to hold after each of their steps. */

import type { Prng } from "@quorumlog/std";
import type { HardState, LogBase, LogEntry, SegmentLogStore } from "../../src/index.ts";
import { batch, contents, type Machine } from "./disk.ts";

/** The log as it should be read after some step of its history. */
export interface Model {
  readonly base: LogBase;
  readonly entries: readonly LogEntry[];
  readonly term: number;
  readonly vote: number | undefined;
  readonly commit: number;
}

/** Of the payload that a mark has. */
const MARK_BYTES = 24;

type Step = (model: Model) => Model;

export class History {
  /** What was acknowledged, all of it. */
  durable: Model;
  /** What came after, step by step, and how many of them an acknowledgement covers. */
  steps: Step[] = [];
  /** Of these, how many are written, and outlive the process, if not the power. */
  #writtenCount = 0;

  constructor(durable: Model) {
    this.durable = durable;
  }

  get latest(): Model {
    return this.steps.reduce((model, step) => step(model), this.durable);
  }

  /**
   * @param isSynced - Whether an acknowledgement means that it is on the disk.
   * @returns what to call when everything up to here is durable.
   */
  add(steps: readonly Step[], isSynced: boolean): () => void {
    this.steps.push(...steps);
    const count = this.steps.length;
    const before = this.#settled;
    return () => {
      const due = before + count - this.#settled;
      if (!isSynced) {
        this.#writtenCount = Math.max(this.#writtenCount, due);
        return;
      }
      for (const step of this.steps.splice(0, due)) this.durable = step(this.durable);
      this.#settled += due;
      this.#writtenCount = Math.max(0, this.#writtenCount - due);
    };
  }

  #settled = 0;

  /**
   * Takes the recovered log over, which has to be the history up to some step.
   *
   * @param wasPowerLost - What was written and not synced may be gone.
   */
  recover(store: SegmentLogStore, wasPowerLost: boolean): void {
    let model = this.durable;
    const from = wasPowerLost ? 0 : this.#writtenCount;
    for (const step of this.steps.splice(0, from)) model = step(model);
    const possible = [model];
    for (const step of this.steps) possible.push((model = step(model)));
    const found = seen(store);
    const match = possible.findLast((each) => same(each, found));
    // Not compared by `expect`, which would print every byte.
    if (match === undefined)
      throw new Error(
        `recovered ${summary(found)}, which is none of ${possible.map(summary).join(", ")}`,
      );
    this.durable = found;
    this.steps = [];
    this.#writtenCount = 0;
  }
}

export function seen(store: SegmentLogStore): Model {
  const { currentTerm: term, votedFor: vote, commitIndex: commit } = store.hardState();
  return { base: store.base(), entries: contents(store), term, vote, commit };
}

function summary({ base, entries, term, vote, commit }: Model): string {
  const runs = entries.map((entry) => `${entry.term}/${entry.data.byteLength}`);
  const log = `${base.term}/${base.index}+[${runs.join(" ")}]`;
  return `{term ${term} vote ${vote ?? "-"} commit ${commit} log ${log}}`;
}

export function same(model: Model, found: Model): boolean {
  if (model.base.index !== found.base.index || model.base.term !== found.base.term) return false;
  if (model.term !== found.term || model.vote !== found.vote) return false;
  // The commit index may lag, and never leads.
  if (found.commit > model.commit) return false;
  if (model.entries.length !== found.entries.length) return false;
  return model.entries.every((entry, i) => {
    const other = found.entries[i] as LogEntry;
    const isSame = entry.index === other.index && entry.term === other.term;
    return isSame && entry.kind === other.kind && Buffer.compare(entry.data, other.data) === 0;
  });
}

export class Driver {
  readonly #machine: Machine;
  readonly #prng: Prng;
  readonly history: History;
  /** Frames of one size: what a torn write left behind fits into what is written over it. */
  readonly #isUniform: boolean;
  /** How many different bytes there are: with two, what is written again is what was there. */
  readonly #byteCount: number;
  store: SegmentLogStore;
  /** What was not synced may be lost, since the log was opened. */
  #wasPowerLost = false;

  constructor(machine: Machine, prng: Prng) {
    this.#machine = machine;
    this.#prng = prng;
    this.#isUniform = prng.chance(0.4);
    this.#byteCount = prng.pick([2, 256]);
    this.store = machine.open();
    this.history = new History(seen(this.store));
  }

  act(): void {
    const kind = this.#prng.below(20);
    if (kind < 12) this.#append(false);
    else if (kind < 14) this.#append(true);
    else if (kind < 16) this.#vote();
    else if (kind < 17) this.#trim();
    else if (kind < 18 && this.#prng.chance(0.2)) this.#reset();
    else if (kind < 19) this.store.mark();
    else this.#commit();
  }

  #append(isRewrite: boolean): void {
    const { base, entries, term, vote, commit } = this.history.latest;
    const last = base.index + entries.length;
    const from = isRewrite ? Math.max(commit, base.index) + 1 : last + 1;
    if (from > last + 1) return;
    const first = isRewrite ? this.#prng.between(from, last + 2) : from;
    const ownTerm = isRewrite ? term + 1 : Math.max(term, 1);
    const added = Array.from({ length: 1 + this.#prng.below(8) }, (_, i) => ({
      index: first + i,
      term: ownTerm,
      kind: this.#prng.chance(0.1) ? ("configuration" as const) : ("normal" as const),
      data: this.#data(),
    }));
    const commitIndex = this.#prng.chance(0.3) ? first + this.#prng.below(added.length) : commit;
    const hardState: HardState = { currentTerm: ownTerm, votedFor: vote, commitIndex };
    const steps: Step[] = [(model) => ({ ...model, term: ownTerm })];
    for (const entry of added)
      steps.push((model) => ({
        ...model,
        entries: [...model.entries.slice(0, entry.index - model.base.index - 1), entry],
      }));
    steps.push((model) => ({ ...model, commit: commitIndex }));
    const done = this.history.add(steps, this.#isSynced(ownTerm !== term));
    this.store.append(batch({ hardState, entries: added }), done);
  }

  /** Whether an acknowledgement of what is appended next means that it is on the disk. */
  #isSynced(isPromise: boolean): boolean {
    return isPromise || this.#machine.flush === undefined;
  }

  #data(): Uint8Array {
    if (this.#isUniform) return new Uint8Array(MARK_BYTES).fill(this.#prng.below(this.#byteCount));
    const bytes = this.#prng.chance(0.1) ? this.#prng.below(20_000) : this.#prng.below(300);
    return new Uint8Array(bytes).fill(this.#prng.below(this.#byteCount));
  }

  #vote(): void {
    const { term, commit } = this.history.latest;
    const vote = 1 + this.#prng.below(3);
    const next = term + 1;
    const done = this.history.add([(model) => ({ ...model, term: next, vote })], true);
    const hardState = { currentTerm: next, votedFor: vote, commitIndex: commit };
    this.store.append(batch({ hardState }), done);
  }

  #commit(): void {
    const { base, entries, term, vote, commit } = this.history.latest;
    const last = base.index + entries.length;
    if (last <= commit) return;
    const next = this.#prng.between(commit + 1, last + 1);
    const hardState = { currentTerm: term, votedFor: vote, commitIndex: next };
    const moved: Step = (model) => ({ ...model, commit: next });
    const done = this.history.add([moved], this.#isSynced(false));
    this.store.append(batch({ hardState }), done);
  }

  #trim(): void {
    const { base, entries, commit } = this.history.latest;
    if (commit <= base.index) return;
    const index = this.#prng.between(base.index + 1, commit + 1);
    const { term } = entries[index - base.index - 1] as LogEntry;
    const next = { index, term, configuration: Uint8Array.of(index % 256) };
    const trimmed: Step = (model) => ({
      ...model,
      base: next,
      entries: model.entries.slice(index - model.base.index),
    });
    this.store.trim(next, this.history.add([trimmed], true));
  }

  #reset(): void {
    const { base, entries, term, vote, commit } = this.history.latest;
    const known = Math.max(base.index, commit);
    const index = known + this.#prng.below(base.index + entries.length - known + 20) + 1;
    const next = { index, term: Math.max(1, term), configuration: Uint8Array.of(9) };
    const steps: Step[] = [
      (model) => ({ ...model, base: next, entries: [], term: next.term }),
      (model) => ({ ...model, commit: index }),
    ];
    const done = this.history.add(steps, true);
    const hardState = { currentTerm: next.term, votedFor: vote, commitIndex: index };
    this.store.append(batch({ hardState, reset: next }), done);
  }

  crash(): void {
    const kind = this.#prng.chance(0.7) ? "power" : "process";
    // A sync that failed may have lost what it was to write, power or not.
    this.#wasPowerLost ||= kind === "power" || this.#machine.failure !== undefined;
    this.#machine.crash(kind);
  }

  restart(): void {
    this.store = this.#machine.open();
    this.history.recover(this.store, this.#wasPowerLost);
    this.#wasPowerLost = false;
  }
}
