/**
 * Calls on their way into the log: gathered into containers, proposed, and answered.
 *
 *     submit ──> queue ──────────────> under way ─────────> answered
 *                  one container of       at apply, or when
 *                  all that came in       another entry is
 *                  a turn                 committed there
 */

import type { RaftCore } from "@quorumlog/raft";
import { crc32 } from "node:zlib";
import type { AppendCall } from "./append-call.ts";
import {
  commandBytes,
  type CommandDraft,
  CONTAINER_HEADER_BYTES,
  encodeContainer,
} from "./container.ts";
import type { EntryMemory } from "./entry-memory.ts";
import type { CommandResult } from "./group-state.ts";
import { flowControl, notLeader, ReplicaError, type ReplicaErrorDetails } from "./replica-error.ts";

interface ContainerUnderWay {
  readonly term: number;
  readonly timestamp: number;
  readonly bytes: number;
  readonly calls: readonly AppendCall[];
  /** Some are answered as soon as the container is on this disk. */
  readonly waitsForDisk: boolean;
}

/** During a leadership transfer. */
interface ParkedContainer {
  readonly calls: readonly AppendCall[];
  readonly timestamp: number;
}

interface BegunContainer extends ParkedContainer {
  readonly index: number;
  readonly term: number;
}

export interface ProposalLimits {
  /** A container takes no more commands beyond this; a single one may be larger. */
  readonly containerBytesMax: number;
  /** Of commands that wait or are under way, before more is refused. */
  readonly pendingBytesMax: number;
}

/** So many containers keep disk and network busy; a lone call never waits for another. */
const PARTIAL_UNDER_WAY_MAX = 2;
const RETRY_AFTER_MS = 20;

export class ProposalDesk {
  readonly #core: RaftCore;
  readonly #limits: ProposalLimits;
  readonly #memory: EntryMemory;
  #queue: AppendCall[] = [];
  #queueBytes = 0;
  #underWayBytes = 0;
  readonly #underWay = new Map<number, ContainerUnderWay>();
  readonly #parked = new Map<number, ParkedContainer>();
  /** By how long they may take: each in the order of their deadlines. */
  readonly #byTimeout = new Map<number, AppendCall[]>();
  #lastTimeoutMs = Number.NaN;
  #lastWatched: AppendCall[] = [];
  /** Of the entry applied last. */
  #appliedTerm = 0;

  constructor(core: RaftCore, limits: ProposalLimits, memory: EntryMemory) {
    this.#core = core;
    this.#limits = limits;
    this.#memory = memory;
  }

  get pendingBytes(): number {
    return this.#queueBytes + this.#underWayBytes;
  }

  /** @throws ReplicaError `NOT_LEADER`, `OVERLOADED`: nothing was taken. */
  submit(call: AppendCall, timeoutMs: number): void {
    if (this.#core.role !== "leader") throw notLeader(this.#core.leaderId);
    if (this.pendingBytes + call.draft.bytes > this.#limits.pendingBytesMax) throw overloaded();
    call.state = "queued";
    this.#queue.push(call);
    this.#queueBytes += call.draft.bytes;
    this.#watch(call, timeoutMs);
  }

  /** Gives up waiting for a call; one that is queued is withdrawn. */
  abort(call: AppendCall): void {
    if (call.state !== "settled") this.#giveUp(call, "ABORTED", "the caller's signal was aborted");
  }

  /**
   * Proposes what waits, as far as it makes full containers or little else is under way.
   *
   * @param timestamp - Of the containers: milliseconds since 1970.
   */
  flush(timestamp: number): void {
    while (this.#queue.length > 0) {
      const isFull = this.#queueBytes >= this.#limits.containerBytesMax;
      if (!isFull && this.#isBusy()) return;
      this.#propose(this.#takeContainer(), timestamp);
    }
  }

  /** What was proposed during a leadership transfer has met its fate. */
  onParkedOutcome(
    ticket: number,
    result: { readonly firstIndex: number; readonly term: number } | "dropped",
  ): void {
    const parked = this.#parked.get(ticket);
    if (parked === undefined) return;
    const { calls } = parked;
    this.#parked.delete(ticket);
    this.#underWayBytes -= bytesOf(calls);
    if (result === "dropped") this.#refuse(calls, notLeader(this.#core.leaderId));
    else this.#begin({ index: result.firstIndex, term: result.term, ...parked });
  }

  /** Whether somebody here waits for what becomes of an entry. */
  isAwaited(index: number, term: number): boolean {
    return this.#underWay.get(index)?.term === term;
  }

  /** An entry is applied: whoever proposed something at its index learns what became of it. */
  onApplied(index: number, term: number, results: readonly CommandResult[] | undefined): void {
    if (term > this.#appliedTerm) {
      this.#appliedTerm = term;
      this.#loseOlder(term);
    }
    const container = this.#underWay.get(index);
    if (container === undefined) return;
    this.#end(index, container);
    const { timestamp } = container;
    container.calls.forEach((call, i) => {
      if (container.term === term)
        settle(call, undefined, { index, term, timestamp, result: results?.[i] });
      else settle(call, lost("not-applied"), undefined);
    });
  }

  /** Terms never fall along a log: behind what is committed, none of an earlier one ever is. */
  #loseOlder(appliedTerm: number): void {
    for (const [index, container] of this.#underWay) {
      if (container.term >= appliedTerm) continue;
      this.#end(index, container);
      for (const call of container.calls) settle(call, lost("not-applied"), undefined);
    }
  }

  /** This node leads in `term`, and its log up to here is on its disk. */
  onStable(stableIndex: number, leaderTerm: number): void {
    for (const [index, { term, timestamp, calls, waitsForDisk }] of this.#underWay) {
      if (index > stableIndex || term !== leaderTerm || !waitsForDisk) continue;
      for (const call of calls)
        if (call.durability === "leader")
          settle(call, undefined, { index, term, timestamp, result: undefined });
    }
  }

  /** A snapshot took the place of the log up to here: what became of these is not known. */
  onSkipped(index: number): void {
    for (const [at, container] of this.#underWay) if (at <= index) this.#forget(at, container);
  }

  /** Gives up what is overdue. */
  expire(now: number): void {
    for (const [key, calls] of this.#byTimeout) {
      let done = 0;
      for (const call of calls) {
        if (call.state !== "settled" && call.deadline > now) break;
        if (call.state !== "settled")
          this.#giveUp(call, "TIMEOUT", "the call was not over in time");
        done += 1;
      }
      if (done === calls.length) {
        this.#byTimeout.delete(key);
        this.#lastTimeoutMs = Number.NaN;
      } else if (done > 0) calls.splice(0, done);
    }
    const { currentTerm } = this.#core;
    for (const [index, container] of this.#underWay) {
      const isStale = container.term !== currentTerm;
      if (isStale && container.calls.every(isSettled)) this.#end(index, container);
    }
  }

  /** Answers everything that waits. */
  stop(error: (outcome: "not-applied" | "unknown") => ReplicaError): void {
    const queued = this.#queue;
    this.#queue = [];
    this.#queueBytes = 0;
    for (const call of queued) settle(call, error("not-applied"), undefined);
    for (const { calls } of this.#underWay.values())
      for (const call of calls) settle(call, error("unknown"), undefined);
    for (const { calls } of this.#parked.values())
      for (const call of calls) settle(call, error("unknown"), undefined);
    this.#underWay.clear();
    this.#parked.clear();
  }

  #watch(call: AppendCall, timeoutMs: number): void {
    // Mostly it is the same one again.
    if (timeoutMs !== this.#lastTimeoutMs) {
      this.#lastTimeoutMs = timeoutMs;
      this.#lastWatched = this.#watchedWith(timeoutMs);
    }
    this.#lastWatched.push(call);
  }

  #watchedWith(timeoutMs: number): AppendCall[] {
    // A few lists, whatever callers ask for: within a sixteenth they are one.
    const step = 2 ** Math.max(0, Math.floor(Math.log2(timeoutMs)) - 4);
    const key = Math.ceil(timeoutMs / step) * step;
    const found = this.#byTimeout.get(key);
    if (found !== undefined) return found;
    const calls: AppendCall[] = [];
    this.#byTimeout.set(key, calls);
    return calls;
  }

  /** What an earlier term left under way is no reason to wait: it may never be answered. */
  #isBusy(): boolean {
    if (this.#underWay.size < PARTIAL_UNDER_WAY_MAX) return false;
    const { currentTerm, role } = this.#core;
    // What waits is to be told that it has to go elsewhere.
    if (role !== "leader") return false;
    let count = 0;
    for (const { term } of this.#underWay.values()) if (term === currentTerm) count += 1;
    return count >= PARTIAL_UNDER_WAY_MAX;
  }

  #takeContainer(): AppendCall[] {
    const { containerBytesMax } = this.#limits;
    let bytes = CONTAINER_HEADER_BYTES;
    let count = 0;
    for (const { draft } of this.#queue) {
      if (count > 0 && bytes + draft.bytes > containerBytesMax) break;
      bytes += draft.bytes;
      count += 1;
    }
    const calls = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count);
    this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count);
    this.#queueBytes -= bytes - CONTAINER_HEADER_BYTES;
    return calls;
  }

  #propose(taken: readonly AppendCall[], timestamp: number): void {
    const calls: AppendCall[] = [];
    const drafts: CommandDraft[] = [];
    for (const call of taken)
      if (call.state === "queued" && isUnchanged(call)) {
        calls.push(call);
        drafts.push(call.draft);
      }
    if (calls.length === 0) return;
    const container = encodeContainer(drafts, timestamp, this.#memory.pool);
    const outcome = this.#core.propose([container], [crc32(container)]);
    if (outcome.status === "appended") {
      this.#memory.adopt(container, outcome.firstIndex);
      this.#begin({ index: outcome.firstIndex, term: outcome.term, timestamp, calls });
    } else if (outcome.status === "parked") {
      for (const call of calls) call.state = "underWay";
      this.#parked.set(outcome.ticket, { calls, timestamp });
      this.#underWayBytes += bytesOf(calls);
    } else {
      const isOverloaded = outcome.status === "dropped" && outcome.reason === "overloaded";
      this.#refuse(calls, isOverloaded ? overloaded() : notLeader(this.#core.leaderId));
    }
  }

  #begin({ index, term, timestamp, calls }: BegunContainer): void {
    // What this node proposed here in an earlier term may yet be committed by another leader.
    const former = this.#underWay.get(index);
    if (former !== undefined) this.#forget(index, former);
    const bytes = bytesOf(calls);
    let waitsForDisk = false;
    for (const call of calls) {
      if (call.state === "queued") call.state = "underWay";
      if (call.durability === "leader") waitsForDisk = true;
      if (call.durability === "async")
        settle(call, undefined, { index, term, timestamp, result: undefined });
    }
    this.#underWay.set(index, { term, timestamp, bytes, calls, waitsForDisk });
    this.#underWayBytes += bytes;
  }

  #end(index: number, container: ContainerUnderWay): void {
    this.#underWay.delete(index);
    this.#underWayBytes -= container.bytes;
  }

  #forget(index: number, container: ContainerUnderWay): void {
    this.#end(index, container);
    for (const call of container.calls) settle(call, lost("unknown"), undefined);
  }

  #refuse(calls: readonly AppendCall[], error: ReplicaError): void {
    for (const call of calls) settle(call, error, undefined);
  }

  #giveUp(call: AppendCall, code: "TIMEOUT" | "ABORTED", why: string): void {
    // What is queued stays there, and is passed over when its container is made.
    const outcome = call.state === "queued" ? "not-applied" : "unknown";
    const rest = outcome === "unknown" ? "it may yet be committed" : "it was withdrawn unsent";
    settle(call, new ReplicaError(code, `${why}: ${rest}`, { outcome }), undefined);
  }
}

/** A caller that writes to what it lent spoils its own call, and no other one. */
function isUnchanged(call: AppendCall): boolean {
  if (commandBytes(call.draft.records) === call.draft.bytes) return true;
  const message =
    "data: its length changed before it was copied; it is lent until the promise ends";
  settle(call, new ReplicaError("INVALID_ARGUMENT", message), undefined);
  return false;
}

function isSettled({ state }: AppendCall): boolean {
  return state === "settled";
}

function settle(
  call: AppendCall,
  error: ReplicaError | undefined,
  at: Parameters<AppendCall["settle"]>[1],
): void {
  if (call.state === "settled") return;
  call.state = "settled";
  call.settle(error, at);
}

function bytesOf(calls: readonly AppendCall[]): number {
  let bytes = 0;
  for (const { draft } of calls) bytes += draft.bytes;
  return bytes;
}

function overloaded(): ReplicaError {
  const details: ReplicaErrorDetails = { retryAfterMs: RETRY_AFTER_MS };
  return flowControl("OVERLOADED", "too many bytes wait to be replicated: slow down", details);
}

function lost(outcome: "not-applied" | "unknown"): ReplicaError {
  const message =
    outcome === "not-applied"
      ? "another leader's entry was committed in its place, or before it: append it again"
      : "this node fell behind, and does not know what became of it: ask with the session";
  return new ReplicaError("LEADERSHIP_LOST", message, { outcome });
}
