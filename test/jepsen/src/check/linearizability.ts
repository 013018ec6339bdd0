/**
 * Whether calls that overlap in time could have taken effect one after another, each at some moment
 * between its invocation and its return, so that every result is what it is.
 *
 * The search of Wing and Gong, with the memory of Lowe: calls that may be next are tried in turn;
 * when a call returns that has not taken effect, the last choice was wrong. A set of calls that
 * have taken effect, with the state they have led to, is looked at once.
 *
 * J. M. Wing, C. Gong: Testing and Verifying Concurrent Objects, 1993. G. Lowe: Testing for
 * Linearizability, 2017.
 */

import { assert } from "@quorumlog/std";

/** What calls do to one object. */
export interface Model<State, Call> {
  readonly initial: State;
  /** @returns the state behind the call, or `undefined` if it cannot have had its result there. */
  step(state: State, call: Call): State | undefined;
  /** @returns the same for equal states, and another for others. */
  keyOf(state: State): string;
}

/** A call and when it was under way, in any order that time has. */
export interface TimedCall<Call> {
  readonly call: Call;
  readonly invokedAt: number;
  /** `Infinity`: it may take effect at any time from then on, or never. */
  readonly returnedAt: number;
}

export interface SearchLimits {
  /** Calls that are tried. */
  readonly stepsMax: number;
  /** Of what was looked at: sets of calls. */
  readonly memoryBytesMax: number;
}

export type LinearizabilityVerdict =
  | { readonly kind: "linearizable" }
  | {
      readonly kind: "violated";
      /** As far as it goes, calls in an order that is possible: indexes into those given. */
      readonly prefix: readonly number[];
      /** The call that must have taken effect then, and cannot. */
      readonly stuck: number;
    }
  | { readonly kind: "unknown"; readonly why: "steps" | "memory" };

/** Of objects beside the bits of a set that is remembered, about. */
const REMEMBERED_BYTES = 96;
const NONE = -1;

/** @param calls - In any order; those of one object. */
export function checkLinearizability<State, Call>(
  model: Model<State, Call>,
  calls: readonly TimedCall<Call>[],
  limits: SearchLimits,
): LinearizabilityVerdict {
  return new Search(model, calls, limits).run();
}

class Search<State, Call> {
  readonly #model: Model<State, Call>;
  readonly #calls: readonly TimedCall<Call>[];
  readonly #limits: SearchLimits;
  readonly #moments: MomentList;
  readonly #done: CallSet;
  readonly #seen: SeenSets;
  /** Calls that have taken effect, and the state before each. */
  readonly #path: { readonly call: number; readonly before: State }[] = [];
  /** Of those that have returned, how many have not taken effect. */
  #left: number;
  #longest: readonly number[] = [];
  #stuck = NONE;

  constructor(model: Model<State, Call>, calls: readonly TimedCall<Call>[], limits: SearchLimits) {
    this.#model = model;
    this.#calls = calls;
    this.#limits = limits;
    this.#moments = new MomentList(calls);
    this.#done = new CallSet(calls.length);
    this.#seen = new SeenSets();
    this.#left = calls.filter(({ returnedAt }) => returnedAt < Infinity).length;
  }

  run(): LinearizabilityVerdict {
    let state = this.#model.initial;
    let moment = this.#moments.first;
    for (let steps = 0; this.#left > 0; steps++) {
      if (steps >= this.#limits.stepsMax) return { kind: "unknown", why: "steps" };
      if (this.#seen.bytes > this.#limits.memoryBytesMax) return { kind: "unknown", why: "memory" };
      const call = this.#moments.callAt(moment);
      if (this.#moments.isReturn(moment)) {
        this.#noteStuck(call);
        const former = this.#path.pop();
        if (former === undefined)
          return { kind: "violated", prefix: this.#longest, stuck: this.#stuck };
        this.#takeBack(former.call);
        state = former.before;
        moment = this.#moments.after(this.#moments.invocationOf(former.call));
        continue;
      }
      const next = this.#model.step(state, this.#demandCall(call));
      if (next !== undefined && this.#isNew(call, next)) {
        this.#path.push({ call, before: state });
        this.#takeEffect(call);
        state = next;
        moment = this.#moments.first;
      } else moment = this.#moments.after(moment);
    }
    return { kind: "linearizable" };
  }

  #demandCall(call: number): Call {
    const timed = this.#calls[call];
    assert(timed !== undefined, "the list has calls that were given");
    return timed.call;
  }

  #isNew(call: number, state: State): boolean {
    this.#done.add(call);
    const isNew = this.#seen.add(this.#done, this.#model.keyOf(state));
    this.#done.delete(call);
    return isNew;
  }

  #takeEffect(call: number): void {
    this.#done.add(call);
    this.#moments.lift(call);
    if (this.#moments.hasReturn(call)) this.#left -= 1;
  }

  #takeBack(call: number): void {
    this.#done.delete(call);
    this.#moments.putBack(call);
    if (this.#moments.hasReturn(call)) this.#left += 1;
  }

  #noteStuck(call: number): void {
    if (this.#stuck !== NONE && this.#path.length <= this.#longest.length) return;
    this.#longest = this.#path.map((taken) => taken.call);
    this.#stuck = call;
  }
}

/**
 * Invocations and returns in the order of time, without those of calls that have taken effect.
 *
 * Moment `2 * call + 1` is the call's invocation, `2 * call + 2` its return, 0 comes before all.
 */
class MomentList {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #hasReturn: readonly boolean[];

  constructor(calls: readonly TimedCall<unknown>[]) {
    this.#hasReturn = calls.map(({ returnedAt }) => returnedAt < Infinity);
    const moments = calls.flatMap(({ invokedAt, returnedAt }, call) => {
      assert(invokedAt <= returnedAt, "a call returns after it was invoked");
      const invoked = { moment: 2 * call + 1, at: invokedAt, isReturn: 0 };
      const returned = { moment: 2 * call + 2, at: returnedAt, isReturn: 1 };
      return returnedAt < Infinity ? [invoked, returned] : [invoked];
    });
    // At one moment, calls overlap: whoever returns then returns after those that begin.
    moments.sort((a, b) => a.at - b.at || a.isReturn - b.isReturn || a.moment - b.moment);
    const count = 2 * calls.length + 1;
    this.#next = new Int32Array(count).fill(NONE);
    this.#previous = new Int32Array(count).fill(NONE);
    let last = 0;
    for (const { moment } of moments) {
      this.#next[last] = moment;
      this.#previous[moment] = last;
      last = moment;
    }
  }

  get first(): number {
    return this.after(0);
  }

  after(moment: number): number {
    return this.#next[moment] ?? NONE;
  }

  isReturn(moment: number): boolean {
    return moment % 2 === 0;
  }

  callAt(moment: number): number {
    return (moment - 1) >> 1;
  }

  invocationOf(call: number): number {
    return 2 * call + 1;
  }

  hasReturn(call: number): boolean {
    return this.#hasReturn[call] === true;
  }

  lift(call: number): void {
    this.#unlink(2 * call + 1);
    if (this.hasReturn(call)) this.#unlink(2 * call + 2);
  }

  /** The last that was lifted, first. */
  putBack(call: number): void {
    if (this.hasReturn(call)) this.#link(2 * call + 2);
    this.#link(2 * call + 1);
  }

  #unlink(moment: number): void {
    const next = this.#next[moment] ?? NONE;
    const previous = this.#previous[moment] ?? NONE;
    this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
  }

  #link(moment: number): void {
    const next = this.#next[moment] ?? NONE;
    const previous = this.#previous[moment] ?? NONE;
    this.#next[previous] = moment;
    if (next !== NONE) this.#previous[next] = moment;
  }
}

/** A bit for each call. */
class CallSet {
  readonly bits: Uint32Array;

  constructor(count: number) {
    this.bits = new Uint32Array((count + 31) >>> 5);
  }

  add(call: number): void {
    this.bits[call >>> 5] = (this.bits[call >>> 5] ?? 0) | (1 << (call & 31));
  }

  delete(call: number): void {
    this.bits[call >>> 5] = (this.bits[call >>> 5] ?? 0) & ~(1 << (call & 31));
  }

  /** Of its bits: sets that differ may have the same. */
  hash(): number {
    let hash = 0x811c9dc5;
    for (const word of this.bits) hash = Math.imul(hash ^ word, 0x01000193) ^ (hash >>> 15);
    return hash >>> 0;
  }
}

/** Sets of calls with the states that they have led to. */
class SeenSets {
  readonly #sets = new Map<string, Uint32Array[]>();
  #bytes = 0;

  /** What it takes in memory, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @returns false if it was there. */
  add(calls: CallSet, stateKey: string): boolean {
    const key = `${calls.hash()} ${stateKey}`;
    const known = this.#sets.get(key);
    if (known?.some((bits) => bits.every((word, i) => word === calls.bits[i])) === true)
      return false;
    const bits = calls.bits.slice();
    if (known === undefined) this.#sets.set(key, [bits]);
    else known.push(bits);
    this.#bytes += bits.byteLength + 2 * key.length + REMEMBERED_BYTES;
    return true;
  }
}
