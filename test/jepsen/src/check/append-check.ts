/**
 * The `append` workload: one log, in time linear in the history. What was stored tells where in the
 * log an operation took effect, so there is one order to look at and none to search for:
 *
 *     append at offset n      behind all that saw an end of n or less, before an end of n + 1
 *     a read up to end n      behind the append at n - 1, before the one at n
 *
 * It is linearizable if nobody returned before somebody was invoked who comes earlier in the log.
 * {@link LOG_MODEL} says the same to the search, for histories that are small.
 *
 *     append            value                 ok: [value, offset]
 *     compareAndAppend  [expected, value]     ok: [expected, value, end]: stored if it is expected
 *     read              from                  ok: [from, [values ...], end or null]
 *
 * A read goes as far as it goes; with `end`, it has seen that the log ends there.
 */

import { type Operation, outcomeOf, type Value } from "../history/history-event.ts";
import { HistoryError } from "../history/operations.ts";
import { listOf, numberOf } from "../history/value-reader.ts";
import type { Anomaly } from "./anomaly.ts";

export type AppendAnomalyKind =
  /** One offset was seen with two values. */
  | "inconsistent-offset"
  /** One value is at two offsets. */
  | "duplicate"
  /** Acknowledged, and whoever asked last saw the log end before it. */
  | "lost"
  /** The log was seen to end before what was there already; later it was seen. */
  | "stale-read"
  /** It was said not to be stored, and it is. */
  | "aborted-read"
  /** Nobody has written it. */
  | "unexpected"
  /** What a read has found does not fit where it says that the log ends. */
  | "inconsistent-read"
  /** It was to be stored at one offset only, and is at another one. */
  | "wrong-offset"
  /** It comes earlier in the log than what was over before it began. */
  | "order";

export type AppendAnomaly = Anomaly<AppendAnomalyKind>;

export interface AppendResult {
  readonly anomalies: readonly AppendAnomaly[];
  /** Appends that were acknowledged. */
  readonly acknowledged: number;
  /** Appends of which nobody was told that they are stored, and they are. */
  readonly recovered: number;
  readonly reads: number;
}

/** An operation, and where in the log it took effect: appends at n + 0.5, ends of n at n. */
interface Placed {
  readonly place: number;
  readonly invokedAt: number;
  readonly returnedAt: number;
  readonly operation: Operation;
}

interface Append {
  readonly operation: Operation;
  readonly outcome: "ok" | "fail" | "info";
  offset: number | undefined;
}

export function checkAppends(operations: readonly Operation[]): AppendResult {
  return new AppendCheck().run(operations);
}

class AppendCheck {
  readonly #anomalies: AppendAnomaly[] = [];
  readonly #appends = new Map<Value, Append>();
  /** By offset, the value that it was first seen with, and by whom. */
  readonly #log = new Map<number, { readonly value: Value; readonly seenBy: number }>();
  readonly #placed: Placed[] = [];
  /** Operations that are told to be out of order: one that is behind many others is told once. */
  readonly #misplaced = new Set<Operation>();
  /** Values at offsets where others were seen: whoever reads them again tells nothing new. */
  readonly #told = new Set<string>();
  #reads = 0;

  run(operations: readonly Operation[]): AppendResult {
    for (const operation of operations) this.#noteAppend(operation);
    for (const operation of operations) this.#noteResult(operation);
    for (const append of this.#appends.values()) this.#place(append);
    this.#checkOrder();
    const appends = [...this.#appends.values()];
    return {
      anomalies: this.#anomalies,
      acknowledged: appends.filter(({ outcome }) => outcome === "ok").length,
      recovered: appends.filter((each) => each.outcome === "info" && each.offset !== undefined)
        .length,
      reads: this.#reads,
    };
  }

  #noteAppend(operation: Operation): void {
    const { action, value, index } = operation.invoke;
    if (action === "read") return;
    if (action !== "append" && action !== "compareAndAppend")
      throw new HistoryError(`event ${index}: a log knows no ${action}`);
    const written = action === "append" ? value : (listOf(value, index)[1] ?? null);
    if (this.#appends.has(written))
      throw new HistoryError(`event ${index}: ${String(written)} is written twice: make it unique`);
    const wasRefused = isRefused(operation);
    const outcome = wasRefused ? "fail" : outcomeOf(operation);
    this.#appends.set(written, { operation, outcome, offset: undefined });
  }

  #noteResult(operation: Operation): void {
    const { completion } = operation;
    if (completion?.type !== "ok") return;
    const { index, action } = completion;
    const told = completion.value;
    if (action === "append") {
      const [value = null, offset] = listOf(told, index);
      this.#noteOffset(numberOf(offset, index), value, index);
    } else if (action === "compareAndAppend") {
      const [expected, value = null, end] = listOf(told, index);
      if (end === expected) this.#noteOffset(numberOf(expected, index), value, index);
      else this.#placeAt(numberOf(end, index), operation);
    } else this.#noteRead(operation, told);
  }

  #noteRead(operation: Operation, told: Value): void {
    const index = operation.completion?.index ?? operation.invoke.index;
    const [first, values = null, end = null] = listOf(told, index);
    const from = numberOf(first, index);
    const seen = listOf(values, index);
    this.#reads += 1;
    for (const [i, value] of seen.entries()) this.#noteOffset(from + i, value, index);
    const seenEnd = from + seen.length;
    if (end !== null) {
      const seenAt = numberOf(end, index);
      if (seen.length > 0 ? seenEnd !== seenAt : from < seenAt) {
        const message = `${seen.length} values from ${from} on, and the log ends at ${seenAt}`;
        this.#report("inconsistent-read", message, [index]);
      }
      this.#placeAt(seenAt, operation);
      return;
    }
    // It took effect at some time when the log had as much: that is an end, of whoever is behind.
    if (seen.length > 0) this.#placeAtLeast(seenEnd, operation);
  }

  #noteOffset(offset: number, value: Value, event: number): void {
    const known = this.#log.get(offset);
    if (known !== undefined && known.value !== value) {
      if (!this.#isNew(offset, value)) return;
      const message = `offset ${offset} is ${String(known.value)}, and ${String(value)}`;
      this.#report("inconsistent-offset", message, [known.seenBy, event]);
      return;
    }
    if (known !== undefined) return;
    this.#log.set(offset, { value, seenBy: event });
    const append = this.#appends.get(value);
    if (append === undefined) {
      this.#report("unexpected", `${String(value)} at ${offset} was written by nobody`, [event]);
      return;
    }
    const { invoke } = append.operation;
    if (append.offset !== undefined) {
      const message = `${String(value)} is at ${append.offset}, and at ${offset}`;
      this.#report("duplicate", message, [invoke.index, event]);
      return;
    }
    append.offset = offset;
    const expected = expectedOffset(append.operation);
    if (expected !== undefined && expected !== offset)
      this.#report("wrong-offset", `${String(value)} was for ${expected}, and is at ${offset}`, [
        invoke.index,
        event,
      ]);
    if (append.outcome === "fail")
      this.#report("aborted-read", `${String(value)} was not stored, and is at ${offset}`, [
        invoke.index,
        event,
      ]);
  }

  /** @returns whether this value was not told to be out of place there. */
  #isNew(offset: number, value: Value): boolean {
    const place = `${offset} ${String(value)}`;
    if (this.#told.has(place)) return false;
    this.#told.add(place);
    return true;
  }

  #place({ operation, offset }: Append): void {
    if (offset === undefined) return;
    this.#placed.push({ place: offset + 0.5, operation, ...timesOf(operation) });
  }

  #placeAt(end: number, operation: Operation): void {
    this.#placed.push({ place: end, operation, ...timesOf(operation) });
  }

  /** Others may have appended more before it took effect: it only has to be behind what it saw. */
  #placeAtLeast(end: number, operation: Operation): void {
    const { returnedAt } = timesOf(operation);
    this.#placed.push({ place: end, operation, invokedAt: -Infinity, returnedAt });
  }

  /** In the order of the log: nobody may have returned before an earlier one was invoked. */
  #checkOrder(): void {
    const placed = this.#placed.toSorted((a, b) => a.place - b.place);
    const lastEnd = this.#lastEnd();
    let latest: Placed | undefined;
    for (let i = 0; i < placed.length;) {
      const { place } = placed[i] as Placed;
      const group: Placed[] = [];
      for (let next = placed[i]; next?.place === place; next = placed[i]) {
        group.push(next);
        i += 1;
      }
      for (const each of group) if (latest !== undefined) this.#compare(latest, each, lastEnd);
      for (const each of group)
        if (latest === undefined || each.invokedAt > latest.invokedAt) latest = each;
    }
  }

  #compare(earlier: Placed, later: Placed, lastEnd: Placed | undefined): void {
    if (later.returnedAt >= earlier.invokedAt || this.#misplaced.has(earlier.operation)) return;
    this.#misplaced.add(earlier.operation);
    const events = [later.operation.invoke.index, earlier.operation.invoke.index];
    const [first, second] = [describe(later), describe(earlier)];
    const message = `${first} was over before ${second} was asked for, and is behind it in the log`;
    this.#report(kindOf(earlier, lastEnd), message, events);
  }

  /** Whoever saw the end of the log last, of those that began last. */
  #lastEnd(): Placed | undefined {
    let last: Placed | undefined;
    for (const each of this.#placed)
      if (Number.isInteger(each.place) && (last === undefined || each.invokedAt > last.invokedAt))
        last = each;
    return last;
  }

  #report(kind: AppendAnomalyKind, message: string, events: readonly number[]): void {
    this.#anomalies.push({ kind, message, events });
  }
}

function kindOf(earlier: Placed, lastEnd: Placed | undefined): AppendAnomalyKind {
  if (!Number.isInteger(earlier.place)) return "order";
  return earlier === lastEnd ? "lost" : "stale-read";
}

function describe({ place, operation }: Placed): string {
  const { process, action } = operation.invoke;
  const what = Number.isInteger(place) ? `an end of ${place}` : `offset ${Math.floor(place)}`;
  return `${action} of process ${process} (${what})`;
}

function timesOf({ invoke, completion }: Operation): { invokedAt: number; returnedAt: number } {
  const returnedAt = completion?.type === "ok" ? completion.index : Infinity;
  return { invokedAt: invoke.index, returnedAt };
}

/** A compare-and-append that was answered: the log ends elsewhere. */
function isRefused({ completion }: Operation): boolean {
  if (completion?.type !== "ok" || completion.action !== "compareAndAppend") return false;
  const [expected, , end] = listOf(completion.value, completion.index);
  return end !== expected;
}

/** Of a compare-and-append. */
function expectedOffset({ invoke }: Operation): number | undefined {
  if (invoke.action !== "compareAndAppend") return undefined;
  return numberOf(listOf(invoke.value, invoke.index)[0], invoke.index);
}
