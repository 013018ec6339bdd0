/**
 * Calls by their deadlines, with one timer for all of them. Calls of one patience are due in the
 * order in which they came, so each patience has a list, and only its head is looked at.
 */

import type { SendCall } from "./send-call.ts";

class CallList {
  head: SendCall | undefined = undefined;
  tail: SendCall | undefined = undefined;
}

export class DeadlineList {
  /** By patience, in milliseconds. */
  readonly #lists = new Map<number, CallList>();
  readonly #onDue: (call: SendCall) => void;
  #last: CallList | undefined;
  #lastPatience = -1;
  #timer: NodeJS.Timeout | undefined;
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(onDue: (call: SendCall) => void) {
    this.#onDue = onDue;
  }

  add(call: SendCall): void {
    const list = this.#listFor(call.timeoutMs);
    call.previous = list.tail;
    if (list.tail === undefined) list.head = call;
    else list.tail.next = call;
    list.tail = call;
    if (call.deadline < this.#wakeAt) this.#wakeAtTime(call.deadline);
  }

  remove(call: SendCall): void {
    const list = this.#listFor(call.timeoutMs);
    const { previous, next } = call;
    if (previous === undefined) list.head = next;
    else previous.next = next;
    if (next === undefined) list.tail = previous;
    else next.previous = previous;
    call.previous = undefined;
    call.next = undefined;
  }

  /** Nothing is due any more. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#wakeAt = Number.POSITIVE_INFINITY;
    this.#lists.clear();
    this.#last = undefined;
    this.#lastPatience = -1;
  }

  #listFor(patience: number): CallList {
    if (patience === this.#lastPatience && this.#last !== undefined) return this.#last;
    let list = this.#lists.get(patience);
    if (list === undefined) {
      list = new CallList();
      this.#lists.set(patience, list);
    }
    this.#last = list;
    this.#lastPatience = patience;
    return list;
  }

  #wakeAtTime(at: number): void {
    clearTimeout(this.#timer);
    this.#wakeAt = at;
    this.#timer = setTimeout(
      () => {
        this.#onTimer();
      },
      Math.ceil(at - performance.now()),
    );
  }

  #onTimer(): void {
    this.#wakeAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [patience, list] of this.#lists) {
      // Whoever is due takes himself off the list.
      while (list.head !== undefined && list.head.deadline <= now) this.#onDue(list.head);
      if (list.head !== undefined) next = Math.min(next, list.head.deadline);
      else if (this.#last !== list) this.#lists.delete(patience);
    }
    if (next < this.#wakeAt) this.#wakeAtTime(next);
  }
}
