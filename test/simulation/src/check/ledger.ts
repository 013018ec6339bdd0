/**
 * The truth of a run: what was committed, in order, from the first moment any leader committed it.
 *
 * Nothing in here is ever taken back. Every log, state machine, snapshot and answer to a client is
 * held against it.
 */

import {
  type Configuration,
  decodeConfigurationChange,
  type Entry,
  type LogIndex,
  type LogPosition,
  type Member,
  type Snapshot,
  type Term,
} from "@quorumlog/raft";
import { assert, required } from "@quorumlog/std";
import { hold } from "../engine/violation.ts";
import { type ApplyEffect, StateMachine } from "../node/state-machine.ts";
import { nextConfiguration } from "./configuration-model.ts";

interface DatedConfiguration {
  /** In force from this index on. */
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

interface DatedValue {
  readonly index: LogIndex;
  readonly value: number;
}

/** Told of each entry when it is committed. */
export type CommitListener = (entry: Entry, effect: ApplyEffect) => void;

export class Ledger {
  readonly #baseIndex: LogIndex;
  readonly #baseTerm: Term;
  readonly #entries: Entry[] = [];
  readonly #hashes: { readonly high: number; readonly low: number }[] = [];
  readonly #machine: StateMachine;
  readonly #configurations: DatedConfiguration[];
  readonly #histories: DatedValue[][];
  /** The last index committed in each term, ascending by term. */
  readonly #reached: { readonly term: Term; index: LogIndex }[] = [];
  readonly #listener: CommitListener;

  /** @param bootstrap - What every first member starts with. */
  constructor(bootstrap: Snapshot, keyCount: number, listener: CommitListener) {
    this.#baseIndex = bootstrap.lastIncludedIndex;
    this.#baseTerm = bootstrap.lastIncludedTerm;
    this.#machine = new StateMachine(keyCount);
    this.#machine.restore(bootstrap.data);
    this.#hashes.push({ high: this.#machine.hashHigh, low: this.#machine.hashLow });
    this.#configurations = [{ index: this.#baseIndex, configuration: bootstrap.configuration }];
    this.#histories = Array.from({ length: keyCount }, () => [{ index: 0, value: 0 }]);
    this.#listener = listener;
  }

  get baseIndex(): LogIndex {
    return this.#baseIndex;
  }

  get committedIndex(): LogIndex {
    return this.#baseIndex + this.#entries.length;
  }

  get committedTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.#baseTerm;
  }

  get configuration(): Configuration {
    return required(this.#configurations.at(-1), "a group starts with members").configuration;
  }

  /** The state after everything committed, as bytes. */
  get state(): Uint8Array {
    return this.#machine.snapshot();
  }

  term(index: LogIndex): Term | undefined {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.entry(index)?.term;
  }

  entry(index: LogIndex): Entry | undefined {
    return this.#entries[index - this.#baseIndex - 1];
  }

  /** @param inTerm - The term of the leader that committed the entry. */
  commit(entry: Entry, inTerm: Term): void {
    assert(entry.index === this.committedIndex + 1, "entries are committed in order");
    this.#entries.push(entry);
    const effect = this.#machine.apply(entry);
    this.#hashes.push({ high: this.#machine.hashHigh, low: this.#machine.hashLow });
    if (effect.kind === "written")
      this.#histories[effect.command.key]?.push({
        index: entry.index,
        value: effect.command.value,
      });
    if (entry.kind === "configuration") this.#change(entry);
    const last = this.#reached.at(-1);
    if (last === undefined || last.term < inTerm)
      this.#reached.push({ term: inTerm, index: entry.index });
    else last.index = entry.index;
    this.#listener(entry, effect);
  }

  #change(entry: Entry): void {
    const change = decodeConfigurationChange(entry.data);
    if (change === undefined) return;
    const configuration = nextConfiguration(this.configuration, change);
    if (configuration !== undefined)
      this.#configurations.push({ index: entry.index, configuration });
  }

  /** The last position that was committed by a leader of an earlier term than `term`. */
  committedBefore(term: Term): LogPosition {
    for (let i = this.#reached.length - 1; i >= 0; i--) {
      const reached = this.#reached[i];
      if (reached !== undefined && reached.term < term)
        return { index: reached.index, term: required(this.term(reached.index), "it is there") };
    }
    return { index: this.#baseIndex, term: this.#baseTerm };
  }

  configurationAt(index: LogIndex): Configuration {
    return this.configurationsFrom(index)[0] as Configuration;
  }

  /** The configuration in force at `index`, and all later ones. */
  configurationsFrom(index: LogIndex): Configuration[] {
    const all = this.#configurations;
    let at = all.length - 1;
    while (at > 0 && (all[at] as DatedConfiguration).index > index) at -= 1;
    return all.slice(at).map(({ configuration }) => configuration);
  }

  /**
   * Whether `member` was a voter once, is none at `index`, and has not become one again: so a node
   * that knows what is committed up to there knows that it has left.
   */
  hasLeft(member: Member, index: LogIndex): boolean {
    const isVoterAt = ({ configuration }: DatedConfiguration): boolean =>
      [...configuration.voters, ...configuration.votersOutgoing].some(
        ({ id, incarnation }) => id === member.id && incarnation === member.incarnation,
      );
    const known = this.#configurations.filter((dated) => dated.index <= index);
    const last = known.at(-1);
    if (last === undefined || !known.some(isVoterAt)) return false;
    return ![last, ...this.#configurations.slice(known.length)].some(isVoterAt);
  }

  /** What a register held once `index` was applied. */
  valueAt(key: number, index: LogIndex): number {
    const history = this.#histories[key] ?? [];
    for (let i = history.length - 1; i >= 0; i--) {
      const dated = history[i];
      if (dated !== undefined && dated.index <= index) return dated.value;
    }
    return 0;
  }

  /** Whether a state machine that has applied up to `index` is the one it should be. */
  agreesWith(machine: StateMachine): boolean {
    const hash = this.#hashes[machine.appliedIndex - this.#baseIndex];
    return hash?.high === machine.hashHigh && hash.low === machine.hashLow;
  }

  /** State Machine Safety (figure 3): nobody applies another entry at an index. */
  checkApplied(nodeId: number, entry: Entry): void {
    const truth = this.entry(entry.index);
    hold(
      truth !== undefined,
      "applied before it was committed",
      [nodeId],
      () => `index ${entry.index} of term ${entry.term}; committed up to ${this.committedIndex}`,
    );
    hold(
      truth !== undefined && sameEntry(truth, entry),
      "State Machine Safety",
      [nodeId],
      () => `index ${entry.index}: applied term ${entry.term}, committed term ${truth?.term}`,
    );
  }
}

export function sameEntry(left: Entry, right: Entry): boolean {
  if (left === right) return true;
  if (left.term !== right.term || left.kind !== right.kind) return false;
  if (left.data === right.data) return true;
  if (left.data.byteLength !== right.data.byteLength) return false;
  return left.data.every((byte, i) => byte === right.data[i]);
}
