/**
 * The `queue` workload: what is published is consumed, at least once, and nothing else is. After
 * the last publish everything is consumed that is left; without that nothing can be said of losses.
 *
 *     publish  id      ok: [id, queue, offset]
 *     consume  null    ok: [[id, queue, offset], ...]
 *
 * A message that is consumed twice from one place was delivered again, which is counted; one that
 * is at two places was stored twice, which no idempotent producer does. Two at one place are of two
 * logs: replicas that differ, or one that was written over.
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

export type QueueAnomalyKind =
  /** Acknowledged, and never consumed. */
  | "lost"
  /** Consumed, and nobody has published it, or nobody had by then. */
  | "unexpected"
  /** Consumed, though its publisher was told that it is not stored. */
  | "aborted"
  /** At two places. */
  | "stored-twice"
  /** One place was seen with two messages. */
  | "inconsistent-place";

export interface QueueResult {
  readonly anomalies: readonly Anomaly<QueueAnomalyKind>[];
  readonly acknowledged: number;
  /** Messages, each once. */
  readonly consumed: number;
  /** Consumed again. */
  readonly redelivered: number;
  /** Consumed, though nobody had heard that they are stored. */
  readonly recovered: number;
}

interface Publish {
  readonly outcome: "ok" | "fail" | "info";
  /** Where it was told to be; `undefined`: nobody was told. */
  readonly place: string | undefined;
  readonly event: number;
}

interface Delivery {
  readonly id: Value;
  readonly place: string;
  readonly event: number;
}

export function checkQueue(operations: readonly Operation[]): QueueResult {
  return new QueueCheck(publishesOf(operations)).run(deliveriesOf(operations));
}

class QueueCheck {
  readonly #publishes: ReadonlyMap<Value, Publish>;
  readonly #anomalies: Anomaly<QueueAnomalyKind>[] = [];
  /** Where each was consumed first. */
  readonly #first = new Map<Value, Delivery>();
  /** By place, whoever was seen there first. */
  readonly #places = new Map<string, Delivery>();

  constructor(publishes: ReadonlyMap<Value, Publish>) {
    this.#publishes = publishes;
    for (const [id, { place, event }] of publishes)
      if (place !== undefined) this.#notePlace({ id, place, event });
  }

  run(deliveries: Iterable<Delivery>): QueueResult {
    let redelivered = 0;
    for (const delivery of deliveries) {
      this.#notePlace(delivery);
      const known = this.#first.get(delivery.id);
      if (known === undefined) this.#onFirst(delivery);
      else {
        redelivered += 1;
        this.#comparePlaces(known, delivery);
      }
    }
    let acknowledged = 0;
    let recovered = 0;
    for (const [id, { outcome, event }] of this.#publishes) {
      const isConsumed = this.#first.has(id);
      if (outcome === "info" && isConsumed) recovered += 1;
      if (outcome !== "ok") continue;
      acknowledged += 1;
      const message = `${text(id)} was acknowledged, and consumed by nobody`;
      if (!isConsumed) this.#anomalies.push({ kind: "lost", message, events: [event] });
    }
    const consumed = this.#first.size;
    return { anomalies: this.#anomalies, acknowledged, consumed, redelivered, recovered };
  }

  #notePlace(seen: Delivery): void {
    const known = this.#places.get(seen.place) ?? seen;
    this.#places.set(seen.place, known);
    if (known.id === seen.id) return;
    const message = `${seen.place} is ${text(known.id)}, and ${text(seen.id)}`;
    const events = [known.event, seen.event];
    this.#anomalies.push({ kind: "inconsistent-place", message, events });
  }

  #onFirst(delivery: Delivery): void {
    const { id, event } = delivery;
    this.#first.set(id, delivery);
    const publish = this.#publishes.get(id);
    if (publish === undefined) {
      const message = `${text(id)} was published by nobody`;
      this.#anomalies.push({ kind: "unexpected", message, events: [event] });
      return;
    }
    if (event < publish.event) {
      const message = `${text(id)} was consumed before it was published`;
      this.#anomalies.push({ kind: "unexpected", message, events: [event, publish.event] });
    }
    const { outcome, place } = publish;
    const events = [publish.event, event];
    if (place !== undefined) this.#comparePlaces({ id, place, event: publish.event }, delivery);
    if (outcome !== "fail") return;
    const message = `${text(id)} was not stored, and is consumed`;
    this.#anomalies.push({ kind: "aborted", message, events });
  }

  #comparePlaces(known: Delivery, other: Delivery): void {
    if (known.place === other.place) return;
    const message = `${text(known.id)} is at ${known.place}, and at ${other.place}`;
    this.#anomalies.push({ kind: "stored-twice", message, events: [known.event, other.event] });
  }
}

function publishesOf(operations: readonly Operation[]): Map<Value, Publish> {
  const publishes = new Map<Value, Publish>();
  for (const operation of operations) {
    const { action, value, index } = operation.invoke;
    if (action !== "publish" && action !== "consume")
      throw new HistoryError(`event ${index}: a queue knows no ${action}`);
    if (action === "consume") continue;
    if (publishes.has(value))
      throw new HistoryError(`event ${index}: ${text(value)} is published twice`);
    publishes.set(value, {
      outcome: outcomeOf(operation),
      place: toldPlace(operation),
      event: index,
    });
  }
  return publishes;
}

function toldPlace({ completion }: Operation): string | undefined {
  if (completion?.type !== "ok") return undefined;
  const [, queue, offset] = listOf(completion.value, completion.index);
  return placeOf(queue, offset, completion.index);
}

/** In the order in which they were consumed. */
function deliveriesOf(operations: readonly Operation[]): Delivery[] {
  return operations
    .flatMap(({ completion }) => (completion === undefined ? [] : [completion]))
    .filter(({ type, action }) => type === "ok" && action === "consume")
    .toSorted((a, b) => a.index - b.index)
    .flatMap((event) => deliveriesIn(event));
}

function deliveriesIn({ value, index }: HistoryEvent): Delivery[] {
  return listOf(value, index).map((message) => {
    const [id = null, queue, offset] = listOf(message, index);
    return { id, place: placeOf(queue, offset, index), event: index };
  });
}

function placeOf(queue: Value | undefined, offset: Value | undefined, index: number): string {
  return `queue ${numberOf(queue, index)}, offset ${numberOf(offset, index)}`;
}

function text(value: Value): string {
  return JSON.stringify(value);
}
