/**
 * The `kafka` workload: clients that send to queues and read them by offset. What is sent and seen
 * gives each queue its order, and each client has to move through it forwards and without gaps.
 *
 *     send    [queue, value]         ok: [queue, value, offset]
 *     poll    null                   ok: [[queue, [[offset, value], ...]], ...]
 *     assign  [queue, ...]           what it had it goes on with, what is new begins anywhere;
 *                                    what it does not name is given up
 *     seek    [queue, offset]        it goes on there, and nowhere else
 *
 * The anomalies are those of Jepsen's tests of Kafka and Redpanda, without those of transactions,
 * which there are none of here.
 */

import {
  type HistoryEvent,
  type Operation,
  outcomeOf,
  type Value,
} from "../history/history-event.ts";
import { HistoryError } from "../history/operations.ts";
import { listOf, numberOf } from "../history/value-reader.ts";
import type { Anomaly } from "./anomaly.ts";

export type KafkaAnomalyKind =
  /** One offset was seen with two values. */
  | "inconsistent-offsets"
  /** One value is at two offsets. */
  | "duplicate"
  /**
   * It was stored, something behind it was read, by whomever, and it was read by nobody: also if
   * all of those sought past it, as nobody then shows that it is there.
   */
  | "lost-write"
  /** It was stored, and nobody has read so far; after the last drain that is a loss, too. */
  | "unseen"
  /** It was said not to be stored, and was read. */
  | "aborted-read"
  /** Nobody has sent it, or nobody had when it was read. */
  | "unexpected"
  /** A client's next poll passes over what is there. */
  | "poll-skip"
  /** It goes back to what it had or has sought past, or stays. */
  | "nonmonotonic-poll"
  /** The same within one poll. */
  | "internal-poll-skip"
  | "internal-nonmonotonic-poll"
  /** What a client has sent later is earlier in the queue. */
  | "nonmonotonic-send";

export type KafkaAnomaly = Anomaly<KafkaAnomalyKind>;

export interface KafkaResult {
  readonly anomalies: readonly KafkaAnomaly[];
  readonly acknowledged: number;
  /** Messages that were read, each time. */
  readonly polled: number;
  /** Sends that nobody answered, and that were read. */
  readonly recovered: number;
}

interface Send {
  readonly process: HistoryEvent["process"];
  readonly queue: number;
  readonly value: Value;
  readonly outcome: "ok" | "fail" | "info";
  readonly event: number;
  readonly offset: number | undefined;
}

interface Seen {
  readonly value: Value;
  readonly event: number;
}

/** Of one queue. */
class QueueLog {
  readonly at = new Map<number, Seen>();
  readonly offsets = new Map<Value, number>();
  readonly polled = new Set<Value>();
  lastPolled = -1;
}

/** @param isDrained - In the end all queues were read until nothing more came. */
export function checkKafka(operations: readonly Operation[], isDrained: boolean): KafkaResult {
  return new KafkaCheck(isDrained).run(operations);
}

class KafkaCheck {
  readonly #isDrained: boolean;
  readonly #anomalies: KafkaAnomaly[] = [];
  readonly #queues = new Map<number, QueueLog>();
  readonly #sends = new Map<Value, Send>();
  readonly #told = new Set<string>();
  #polledCount = 0;

  constructor(isDrained: boolean) {
    this.#isDrained = isDrained;
  }

  run(operations: readonly Operation[]): KafkaResult {
    for (const operation of operations)
      if (operation.invoke.action === "send") this.#noteSend(operation);
    for (const operation of operations)
      if (operation.invoke.action === "poll") this.#notePoll(operation);
    this.#checkPolls(operations);
    this.#checkSends();
    this.#checkLosses();
    const sends = [...this.#sends.values()];
    return {
      anomalies: this.#anomalies,
      acknowledged: sends.filter(({ outcome }) => outcome === "ok").length,
      polled: this.#polledCount,
      recovered: sends.filter((send) => {
        return send.outcome === "info" && this.#queue(send.queue).polled.has(send.value);
      }).length,
    };
  }

  #noteSend(operation: Operation): void {
    const { invoke, completion } = operation;
    const [queue, value = null] = listOf(invoke.value, invoke.index);
    if (this.#sends.has(value))
      throw new HistoryError(`event ${invoke.index}: ${String(value)} is sent twice`);
    const outcome = outcomeOf(operation);
    const told = outcome === "ok" ? listOf(completion?.value ?? null, invoke.index)[2] : undefined;
    const offset = typeof told === "number" ? told : undefined;
    const key = numberOf(queue, invoke.index);
    const { process, index } = invoke;
    this.#sends.set(value, { process, queue: key, value, outcome, event: index, offset });
    const event = completion?.index ?? invoke.index;
    if (offset !== undefined) this.#noteOffset(key, offset, { value, event });
  }

  #notePoll({ completion }: Operation): void {
    if (completion?.type !== "ok") return;
    const { index: event } = completion;
    for (const { queue, messages } of polledOf(completion.value, event)) {
      const log = this.#queue(queue);
      for (const [offset, value] of messages) {
        this.#polledCount += 1;
        this.#noteOffset(queue, offset, { value, event });
        log.polled.add(value);
        log.lastPolled = Math.max(log.lastPolled, offset);
        this.#checkOrigin(queue, { value, event });
      }
    }
  }

  #noteOffset(queue: number, offset: number, seen: Seen): void {
    const log = this.#queue(queue);
    const known = log.at.get(offset);
    if (known === undefined) log.at.set(offset, seen);
    else if (known.value !== seen.value) {
      const message = `${nameOf(queue, offset)} is ${text(known.value)}, and ${text(seen.value)}`;
      this.#reportOnce("inconsistent-offsets", message, [known.event, seen.event]);
    }
    const former = log.offsets.get(seen.value);
    if (former === undefined) log.offsets.set(seen.value, offset);
    else if (former !== offset) {
      const message = `${text(seen.value)} is at ${nameOf(queue, former)}, and at ${offset}`;
      this.#reportOnce("duplicate", message, [seen.event]);
    }
  }

  #checkOrigin(queue: number, { value, event }: Seen): void {
    const send = this.#sends.get(value);
    if (send?.queue !== queue) {
      this.#reportOnce("unexpected", `${text(value)} was not sent to queue ${queue}`, [event]);
      return;
    }
    if (event < send.event)
      this.#reportOnce("unexpected", `${text(value)} was read before it was sent`, [event]);
    if (send.outcome === "fail") {
      const message = `${text(value)} was not stored, and was read in queue ${queue}`;
      this.#reportOnce("aborted-read", message, [send.event, event]);
    }
  }

  #checkPolls(operations: readonly Operation[]): void {
    const clients = new Map<HistoryEvent["process"], Map<number, number>>();
    for (const { invoke, completion } of operations) {
      const positions = clients.get(invoke.process) ?? new Map<number, number>();
      clients.set(invoke.process, positions);
      if (completion?.type !== "ok") continue;
      if (invoke.action === "assign") {
        const kept = new Set(listOf(invoke.value, invoke.index));
        for (const queue of positions.keys()) if (!kept.has(queue)) positions.delete(queue);
      }
      if (invoke.action === "seek") {
        const [queue, offset] = listOf(invoke.value, invoke.index);
        // As if what is before it had been read.
        positions.set(numberOf(queue, invoke.index), numberOf(offset, invoke.index) - 1);
      }
      if (invoke.action !== "poll") continue;
      for (const { queue, messages } of polledOf(completion.value, completion.index))
        this.#follow(queue, messages, { positions, event: completion.index });
    }
  }

  #follow(
    queue: number,
    messages: readonly (readonly [number, Value])[],
    { positions, event }: { readonly positions: Map<number, number>; readonly event: number },
  ): void {
    for (const [i, [offset]] of messages.entries()) {
      const last = positions.get(queue);
      positions.set(queue, offset);
      if (last === undefined) continue;
      const within = i > 0 ? "internal-" : "";
      const message = `queue ${queue}: ${offset} comes behind ${last}`;
      if (offset <= last) this.#report(`${within}nonmonotonic-poll`, message, [event]);
      else if (this.#hasBetween(queue, last, offset))
        this.#report(`${within}poll-skip`, message, [event]);
    }
  }

  #hasBetween(queue: number, low: number, high: number): boolean {
    const { at } = this.#queue(queue);
    for (let offset = low + 1; offset < high; offset++) if (at.has(offset)) return true;
    return false;
  }

  /** Sends of one client follow one another: each begins when the last one is over. */
  #checkSends(): void {
    const last = new Map<string, { readonly offset: number; readonly event: number }>();
    for (const { process, queue, offset, event } of this.#sends.values()) {
      if (offset === undefined) continue;
      const key = `${process} ${queue}`;
      const former = last.get(key);
      last.set(key, { offset, event });
      if (former === undefined || former.offset < offset) continue;
      const message = `queue ${queue}: ${process} has sent ${former.offset}, and then ${offset}`;
      this.#report("nonmonotonic-send", message, [former.event, event]);
    }
  }

  #checkLosses(): void {
    for (const { queue, value, outcome, offset, event } of this.#sends.values()) {
      const log = this.#queue(queue);
      if (outcome !== "ok" || log.polled.has(value)) continue;
      const isBehind = offset === undefined || offset > log.lastPolled;
      if (isBehind && !this.#isDrained) continue;
      const where = offset === undefined ? `queue ${queue}` : nameOf(queue, offset);
      const message = `${text(value)} was stored at ${where}, and read by nobody`;
      this.#report(isBehind ? "unseen" : "lost-write", message, [event]);
    }
  }

  #queue(queue: number): QueueLog {
    let log = this.#queues.get(queue);
    if (log === undefined) {
      log = new QueueLog();
      this.#queues.set(queue, log);
    }
    return log;
  }

  /** Whoever reads the same again tells nothing new. */
  #reportOnce(kind: KafkaAnomalyKind, message: string, events: readonly number[]): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#report(kind, message, events);
  }

  #report(kind: KafkaAnomalyKind, message: string, events: readonly number[]): void {
    this.#anomalies.push({ kind, message, events });
  }
}

function polledOf(
  value: Value,
  event: number,
): { readonly queue: number; readonly messages: (readonly [number, Value])[] }[] {
  return listOf(value, event).map((part) => {
    const [queue, messages = null] = listOf(part, event);
    return {
      queue: numberOf(queue, event),
      messages: listOf(messages, event).map((message) => {
        const [offset, polled = null] = listOf(message, event);
        return [numberOf(offset, event), polled] as const;
      }),
    };
  });
}

function nameOf(queue: number, offset: number): string {
  return `queue ${queue}, offset ${offset}`;
}

function text(value: Value): string {
  return JSON.stringify(value);
}
