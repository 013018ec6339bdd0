/**
 * Linearizable read points: one question to the group for all that ask in a turn (thesis §6.4).
 *
 *     ask ──> wanted ──> asked, under one context ──> confirmed at an index ──> applied: answered
 */

import type { RaftCore, ReadState } from "@quorumlog/raft";
import { flowControl, notLeader, ReplicaError } from "./replica-error.ts";

interface Waiter {
  readonly deadline: number;
  /** Called once, with the index whose effects a read has to see, or with what went wrong. */
  settle: ((error: ReplicaError | undefined, readIndex: number) => void) | undefined;
}

interface Question {
  readonly askedAt: number;
  readonly waiters: Waiter[];
  /** Its waiters ask again, under another context; whichever is answered first will do. */
  isRepeated: boolean;
}

/** Callers that may wait at once, before more are refused. */
const WAITING_COUNT_MAX = 65_536;

export class ReadDesk {
  readonly #core: Pick<RaftCore, "readIndex" | "status">;
  /** After so long without an answer the question may be lost on its way, and is asked again. */
  readonly #retryMs: number;
  #wanted: Waiter[] = [];
  readonly #asked = new Map<number, Question>();
  /** Confirmed, and waiting to be applied. */
  #confirmed: { readonly readIndex: number; readonly waiters: readonly Waiter[] }[] = [];
  #nextContext = 1;
  /** Of those that wait. */
  #count = 0;

  constructor(core: Pick<RaftCore, "readIndex" | "status">, retryMs: number) {
    this.#core = core;
    this.#retryMs = retryMs;
  }

  /**
   * @returns what makes it be given up.
   * @throws ReplicaError `OVERLOADED`
   */
  ask(
    deadline: number,
    settle: (error: ReplicaError | undefined, readIndex: number) => void,
  ): () => void {
    if (this.#count >= WAITING_COUNT_MAX) throw overloaded();
    this.#count += 1;
    const waiter: Waiter = {
      deadline,
      settle: (error, readIndex) => {
        this.#count -= 1;
        settle(error, readIndex);
      },
    };
    this.#wanted.push(waiter);
    return () => {
      answer(waiter, new ReplicaError("ABORTED", "the caller's signal was aborted"), 0);
    };
  }

  /** Asks the group, for all that came since. */
  flush(now: number): void {
    this.#wanted = this.#wanted.filter(isWaiting);
    if (this.#wanted.length === 0) return;
    const context = this.#nextContext;
    // Nothing will come of it while no leader is known: they wait for the next tick.
    if (!this.#core.readIndex(context)) return;
    this.#nextContext += 1;
    this.#asked.set(context, { askedAt: now, waiters: this.#wanted, isRepeated: false });
    this.#wanted = [];
  }

  onReadState({ context, readIndex }: ReadState, appliedIndex: number): void {
    const question = this.#asked.get(context);
    if (question === undefined) return;
    this.#asked.delete(context);
    this.#confirmed.push({ readIndex, waiters: question.waiters });
    this.onApplied(appliedIndex);
  }

  onDropped(context: number): void {
    const question = this.#asked.get(context);
    if (question === undefined) return;
    this.#asked.delete(context);
    for (const waiter of question.waiters) this.#wanted.push(waiter);
  }

  onApplied(appliedIndex: number): void {
    if (this.#confirmed.length === 0) return;
    const ready = this.#confirmed.filter(({ readIndex }) => readIndex <= appliedIndex);
    if (ready.length === 0) return;
    this.#confirmed = this.#confirmed.filter(({ readIndex }) => readIndex > appliedIndex);
    for (const { readIndex, waiters } of ready)
      for (const waiter of waiters) answer(waiter, undefined, readIndex);
  }

  /** Whether nobody waits for anything. */
  get isIdle(): boolean {
    return this.#count === 0;
  }

  /** Whether anybody waits to be asked for. */
  hasWishes(): boolean {
    return this.#wanted.length > 0;
  }

  /** Asks again what may be lost, and gives up what is overdue. */
  tick(now: number): void {
    if (this.#count === 0) {
      this.#asked.clear();
      return;
    }
    for (const [context, question] of this.#asked) {
      const waiting = question.waiters.filter(isWaiting);
      if (waiting.length === 0) this.#asked.delete(context);
      else if (!question.isRepeated && now - question.askedAt >= this.#retryMs) {
        // If its answer is only slow, it is one all the same: it is of later than the question.
        question.isRepeated = true;
        this.#wanted.push(...waiting);
      }
    }
    const confirmed = this.#confirmed.flatMap(({ waiters }) => waiters);
    const asked = [...this.#asked.values()].flatMap(({ waiters }) => waiters);
    for (const waiter of [...this.#wanted, ...asked, ...confirmed])
      if (waiter.deadline <= now) answer(waiter, this.#overdue(), 0);
  }

  /** Answers everything that waits. */
  stop(error: ReplicaError): void {
    const asked = [...this.#asked.values()].flatMap(({ waiters }) => waiters);
    const confirmed = this.#confirmed.flatMap(({ waiters }) => waiters);
    const all = [...this.#wanted, ...asked, ...confirmed];
    this.#wanted = [];
    this.#asked.clear();
    this.#confirmed = [];
    for (const waiter of all) answer(waiter, error, 0);
  }

  #overdue(): ReplicaError {
    const { leaderId } = this.#core.status();
    if (leaderId === undefined) return notLeader(undefined);
    return new ReplicaError("TIMEOUT", "no majority confirmed the read in time", { leaderId });
  }
}

function overloaded(): ReplicaError {
  return flowControl("OVERLOADED", "too many reads wait already", { retryAfterMs: 20 });
}

function isWaiting(waiter: Waiter): boolean {
  return waiter.settle !== undefined;
}

function answer(waiter: Waiter, error: ReplicaError | undefined, readIndex: number): void {
  const { settle } = waiter;
  waiter.settle = undefined;
  settle?.(error, readIndex);
}
