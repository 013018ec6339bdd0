/**
 * The clients' side of the truth: linearizability, checked as the run goes.
 *
 * The log is the order of all writes, so no search is needed. Each completed operation has a
 * position in the log: a write its index, a read the index at which it was served. Real time and
 * log order must agree: an operation that began after another had completed lies at or above its
 * position (the *floor*, taken at invocation). And every answer must be what the log says.
 *
 * Ambiguous writes are never assumed absent: they may take effect at any time, but once at most.
 */

import type { Entry, LogIndex, LogPosition } from "@quorumlog/raft";
import { hold, Violation } from "../engine/violation.ts";
import type { ApplyEffect, WriteResult } from "../node/state-machine.ts";
import { decodeCommand } from "../node/command.ts";

/** What the checkers know of the truth; see ledger.ts. */
export interface CommittedLog {
  readonly committedIndex: LogIndex;
  valueAt(key: number, index: LogIndex): number;
}

export interface WriteOperation {
  readonly client: number;
  readonly serial: number;
  readonly key: number;
  readonly value: number;
  readonly floor: LogIndex;
}

/** One try of a write; each is another proposal. */
interface Attempt {
  readonly operation: WriteOperation;
  /** `refused`: it was said never to take effect. */
  fate: "open" | "refused" | "committed";
  position: LogPosition | undefined;
}

export class Oracle {
  readonly #attempts = new Map<number, Attempt>();
  /** Where each write took effect, by its value. */
  readonly #effects = new Map<number, WriteResult>();
  readonly #acknowledged: { readonly value: number; readonly index: LogIndex }[] = [];
  #floor: LogIndex = 0;
  #nextValue = 1;
  #nextAttempt = 1;
  readonly #log: CommittedLog;

  constructor(log: CommittedLog) {
    this.#log = log;
  }

  /** The highest position of any completed operation: what starts now comes after it. */
  get floor(): LogIndex {
    return this.#floor;
  }

  invokeWrite(write: { client: number; serial: number; key: number }): WriteOperation {
    const value = this.#nextValue;
    this.#nextValue += 1;
    return { ...write, value, floor: this.#floor };
  }

  /** The operation is about to be proposed, for the first time or again. */
  startAttempt(operation: WriteOperation): number {
    const attempt = this.#nextAttempt;
    this.#nextAttempt += 1;
    this.#attempts.set(attempt, { operation, fate: "open", position: undefined });
    return attempt;
  }

  onAppended(attempt: number, position: { index: LogIndex; term: number }): void {
    const known = this.#attempt(attempt);
    hold(
      known.position === undefined,
      "a proposal is appended once",
      [],
      () => `attempt ${attempt} at ${known.position?.index} and at ${position.index}`,
    );
    known.position = { index: position.index, term: position.term };
    hold(
      known.fate === "open",
      "a refused proposal is not appended",
      [],
      () => `attempt ${attempt} at ${position.index}`,
    );
  }

  /** The node said that this attempt has no effect and never will. */
  onRefused(attempt: number): void {
    const known = this.#attempt(attempt);
    hold(
      known.fate !== "committed",
      "a committed write is not refused",
      [],
      () => `attempt ${attempt} stands at ${known.position?.index}`,
    );
    known.fate = "refused";
  }

  /** An entry was committed. */
  onCommitted(entry: Entry, effect: ApplyEffect): void {
    if (entry.kind !== "normal" || entry.data.byteLength === 0) return;
    const command = decodeCommand(entry.data);
    const known = command === undefined ? undefined : this.#attempts.get(command.attempt);
    if (command === undefined || known === undefined)
      throw new Violation("phantom write", [], `nobody wrote what stands at ${entry.index}`);
    hold(
      known.fate !== "refused",
      "a refused write has no effect",
      [],
      () => `attempt ${command.attempt} at ${entry.index} of term ${entry.term}`,
    );
    hold(
      known.fate !== "committed",
      "a proposal has one place in the log",
      [],
      () => `attempt ${command.attempt} at ${known.position?.index} and at ${entry.index}`,
    );
    const { position } = known;
    const isInPlace =
      position === undefined || (position.index === entry.index && position.term === entry.term);
    hold(
      isInPlace,
      "a proposal stands where its leader said",
      [],
      () =>
        `attempt ${command.attempt}: said ${position?.index} of term ${position?.term}, ` +
        `stands at ${entry.index} of ${entry.term}`,
    );
    known.fate = "committed";
    known.position = { index: entry.index, term: entry.term };
    if (effect.kind === "written") this.#onEffect(known.operation, entry.index, effect.result);
  }

  #onEffect(operation: WriteOperation, index: LogIndex, result: WriteResult): void {
    const { value, floor } = operation;
    hold(
      !this.#effects.has(value),
      "a write takes effect once",
      [],
      () => `value ${value} at ${this.#effects.get(value)?.index} and at ${index}`,
    );
    hold(
      index > floor,
      "a write comes after what was complete when it began",
      [],
      () => `value ${value} at ${index}, floor ${floor}`,
    );
    this.#effects.set(value, result);
  }

  /** A client was told that its write is done. */
  onWriteAcknowledged(operation: WriteOperation, result: WriteResult): void {
    const { value } = operation;
    const effect = this.#effects.get(value);
    if (effect === undefined)
      throw new Violation(
        "acknowledged but not committed",
        [],
        `value ${value} of client ${operation.client}, said to stand at ${result.index}`,
      );
    hold(
      effect.index === result.index && effect.previous === result.previous,
      "an acknowledgement tells the truth",
      [],
      () =>
        `value ${value}: told ${result.index} after ${result.previous}, is ${effect.index} ` +
        `after ${effect.previous}`,
    );
    this.#acknowledged.push({ value, index: result.index });
    this.#floor = Math.max(this.#floor, result.index);
  }

  /** A client got the value of a register. */
  onReadAcknowledged(read: { key: number; floor: LogIndex; value: number; index: LogIndex }): void {
    const { key, floor, value, index } = read;
    hold(
      index >= floor,
      "a read is not stale",
      [],
      () => `register ${key} read at index ${index}, after an operation at ${floor} was complete`,
    );
    hold(
      index <= this.#log.committedIndex,
      "a read sees only what is committed",
      [],
      () => `register ${key} read at index ${index}, committed ${this.#log.committedIndex}`,
    );
    const truth = this.#log.valueAt(key, index);
    hold(
      value === truth,
      "a read returns what was written last",
      [],
      () => `register ${key} at index ${index}: ${value}, should be ${truth}`,
    );
    this.#floor = Math.max(this.#floor, index);
  }

  /** At the end: whatever was acknowledged lies within what a quorum has on disk. */
  checkDurability(survivingIndex: LogIndex): void {
    for (const { value, index } of this.#acknowledged)
      hold(
        index <= survivingIndex,
        "an acknowledged write is never lost",
        [],
        () => `value ${value} at ${index}, a quorum has ${survivingIndex}`,
      );
  }

  #attempt(attempt: number): Attempt {
    const known = this.#attempts.get(attempt);
    if (known === undefined) throw new Error("an attempt is started before it is proposed");
    return known;
  }
}
