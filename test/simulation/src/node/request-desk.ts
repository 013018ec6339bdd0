/**
 * Where a node keeps what clients asked of it until the core has an answer.
 *
 *     write ──> propose ──> appended ──> applied at that index, in that term ──> applied
 *                  │           └──────> another entry applied there ──────────> lost
 *                  ├─> parked ──> appended, or refused
 *                  └─> refused
 *     read ──> readIndex ──> applied up to it ──> value
 *                  └─> refused
 *
 * All writes of a turn are one proposal; so are, on some seeds, all reads of a turn.
 */

import type { LogIndex, NodeId, ParkedOutcome, RaftCore, ReadState, Term } from "@quorumlog/raft";
import type { ApplyEffect, StateMachine, WriteResult } from "./state-machine.ts";

export type WriteAnswer =
  | { readonly kind: "applied"; readonly result: WriteResult }
  /** Never applied, and never will be: the proposal was not accepted, or its place was lost. */
  | { readonly kind: "refused"; readonly leaderId: NodeId | undefined }
  /** Applied after the session had moved on: of no effect. */
  | { readonly kind: "stale" };

export interface WriteRequest {
  readonly attempt: number;
  readonly bytes: Uint8Array;
  readonly answer: (answer: WriteAnswer) => void;
}

export type ReadAnswer =
  | { readonly kind: "value"; readonly value: number; readonly index: LogIndex }
  | { readonly kind: "refused"; readonly leaderId: NodeId | undefined };

export interface ReadRequest {
  readonly key: number;
  readonly answer: (answer: ReadAnswer) => void;
}

/** Told what became of each proposal, so that a checker can hold the log to it. */
export interface ProposalWatcher {
  onAppended(attempt: number, position: { index: LogIndex; term: Term }): void;
  onRefused(attempt: number): void;
}

interface WaitingWrite {
  readonly term: Term;
  readonly request: WriteRequest;
}

interface ConfirmedReads {
  readonly readIndex: LogIndex;
  readonly requests: readonly ReadRequest[];
}

export class RequestDesk {
  readonly #watcher: ProposalWatcher;
  readonly #sharesReads: boolean;
  #writes: WriteRequest[] = [];
  #reads: ReadRequest[] = [];
  /** By index; more than one where a later leader has reused it. */
  readonly #waiting = new Map<LogIndex, WaitingWrite[]>();
  readonly #parked = new Map<number, readonly WriteRequest[]>();
  readonly #confirming = new Map<number, readonly ReadRequest[]>();
  #confirmed: ConfirmedReads[] = [];
  #nextContext = 1;

  constructor(watcher: ProposalWatcher, sharesReads: boolean) {
    this.#watcher = watcher;
    this.#sharesReads = sharesReads;
  }

  /** Batches of writes that wait for the end of a transfer. */
  get parkedCount(): number {
    return this.#parked.size;
  }

  /** Reads that the core has taken on and neither confirmed nor dropped. */
  get unansweredReadCount(): number {
    return this.#confirming.size;
  }

  addWrite(request: WriteRequest): void {
    this.#writes.push(request);
  }

  addRead(request: ReadRequest): void {
    this.#reads.push(request);
  }

  /** Hands the turn's requests to the core. */
  flush(core: RaftCore): void {
    if (this.#writes.length > 0) this.#propose(core);
    if (this.#reads.length > 0) this.#askToRead(core);
  }

  #propose(core: RaftCore): void {
    const requests = this.#writes;
    this.#writes = [];
    const result = core.propose(requests.map(({ bytes }) => bytes));
    switch (result.status) {
      case "appended":
        this.#await(requests, result.firstIndex, result.term);
        break;
      case "parked":
        this.#parked.set(result.ticket, requests);
        break;
      case "dropped":
        this.#refuse(requests, result.leaderId);
        break;
      case "refused":
        throw new Error("only configuration changes are refused");
    }
  }

  #await(requests: readonly WriteRequest[], firstIndex: LogIndex, term: Term): void {
    requests.forEach((request, i) => {
      const index = firstIndex + i;
      this.#watcher.onAppended(request.attempt, { index, term });
      const waiting = this.#waiting.get(index);
      if (waiting === undefined) this.#waiting.set(index, [{ term, request }]);
      else waiting.push({ term, request });
    });
  }

  #refuse(requests: readonly WriteRequest[], leaderId: NodeId | undefined): void {
    for (const { attempt, answer } of requests) {
      this.#watcher.onRefused(attempt);
      answer({ kind: "refused", leaderId });
    }
  }

  #askToRead(core: RaftCore): void {
    const all = this.#reads;
    this.#reads = [];
    const groups = this.#sharesReads ? [all] : all.map((request) => [request]);
    for (const requests of groups) {
      const context = this.#nextContext;
      this.#nextContext += 1;
      if (core.readIndex(context)) this.#confirming.set(context, requests);
      else refuseReads(requests, core.status().leaderId);
    }
  }

  onParked(outcomes: readonly ParkedOutcome[]): void {
    for (const { ticket, result } of outcomes) {
      const requests = this.#parked.get(ticket);
      if (requests === undefined) throw new Error("a parked proposal was answered twice");
      this.#parked.delete(ticket);
      if (result === "dropped") this.#refuse(requests, undefined);
      else this.#await(requests, result.firstIndex, result.term);
    }
  }

  onReads(readStates: readonly ReadState[], droppedReads: readonly number[]): void {
    for (const { context, readIndex } of readStates)
      this.#confirmed.push({ readIndex, requests: this.#takeReads(context) });
    for (const context of droppedReads) refuseReads(this.#takeReads(context), undefined);
  }

  #takeReads(context: number): readonly ReadRequest[] {
    const requests = this.#confirming.get(context);
    if (requests === undefined) throw new Error("a read was answered twice");
    this.#confirming.delete(context);
    return requests;
  }

  /** An entry was applied: whoever waits for its place learns whose it is. */
  onApplied(position: { index: LogIndex; term: Term }, effect: ApplyEffect): void {
    const waiting = this.#waiting.get(position.index);
    if (waiting === undefined) return;
    this.#waiting.delete(position.index);
    for (const { term, request } of waiting) {
      if (term !== position.term) {
        this.#refuse([request], undefined);
      } else if (effect.kind === "written" || effect.kind === "duplicate") {
        request.answer({ kind: "applied", result: effect.result });
      } else if (effect.kind === "stale") request.answer({ kind: "stale" });
      else throw new Error("a proposal's place holds something else in the same term");
    }
  }

  /** A snapshot took the place of the log up to `index`: what became of the writes is unknown. */
  onSnapshot(index: LogIndex): void {
    for (const waiting of this.#waiting.keys()) if (waiting <= index) this.#waiting.delete(waiting);
  }

  /** Serves the confirmed reads that the state machine has reached. */
  serveReads(machine: StateMachine): void {
    if (this.#confirmed.length === 0) return;
    const later: ConfirmedReads[] = [];
    for (const confirmed of this.#confirmed) {
      if (confirmed.readIndex > machine.appliedIndex) {
        later.push(confirmed);
        continue;
      }
      for (const { key, answer } of confirmed.requests)
        answer({ kind: "value", value: machine.value(key), index: machine.appliedIndex });
    }
    this.#confirmed = later;
  }
}

function refuseReads(requests: readonly ReadRequest[], leaderId: NodeId | undefined): void {
  for (const { answer } of requests) answer({ kind: "refused", leaderId });
}
