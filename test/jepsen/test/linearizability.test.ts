// Goal: the search finds an order if there is one, and says so if there is none.
// Method: histories by hand; random ones of a register that was really there, whole and spoiled;
// and small ones of which every order is tried.

import { Prng } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { checkLinearizability, type TimedCall } from "../src/check/linearizability.ts";
import {
  REGISTER_MODEL,
  type RegisterCall,
  type RegisterValue,
} from "../src/check/register-model.ts";

const LIMITS = { stepsMax: 10_000_000, memoryBytesMax: 256 * 1024 * 1024 };

type Calls = readonly TimedCall<RegisterCall>[];

const write = (value: number, invokedAt: number, returnedAt = Infinity): Calls[number] => ({
  call: { action: "write", value },
  invokedAt,
  returnedAt,
});
const read = (found: number | null, invokedAt: number, returnedAt: number): Calls[number] => ({
  call: { action: "read", found },
  invokedAt,
  returnedAt,
});
const set = (
  [expected, value, hasSet]: readonly [number | null, number, (boolean | undefined)?],
  invokedAt: number,
  returnedAt = Infinity,
): Calls[number] => ({
  call: { action: "compareAndSet", expected, value, hasSet },
  invokedAt,
  returnedAt,
});

const kindOf = (calls: Calls): string => checkLinearizability(REGISTER_MODEL, calls, LIMITS).kind;

describe("an order is found", () => {
  test.each<[string, Calls]>([
    ["of nothing", []],
    ["of calls one after another", [write(1, 0, 1), read(1, 2, 3), write(2, 4, 5), read(2, 6, 7)]],
    ["if a read overlaps the write that it sees", [write(1, 0, 3), read(1, 1, 2)]],
    ["if a read overlaps a write that it does not see", [write(1, 0, 3), read(null, 1, 2)]],
    [
      "if a write that nobody answered is seen later",
      [write(1, 0), read(null, 1, 2), read(1, 3, 4)],
    ],
    ["if it is never seen", [write(1, 0), read(null, 1, 2), read(null, 3, 4)]],
    ["if reads return at the moment of a write", [write(1, 0, 1), read(null, 1, 2)]],
    ["of an exchange", [write(1, 0, 1), set([1, 2, true], 2, 3), set([1, 3, false], 4, 5)]],
    ["of one that nobody answered", [write(1, 0, 1), set([1, 2], 2), read(1, 3, 4), read(2, 5, 6)]],
  ])("%s", (_, calls) => {
    expect(kindOf(calls)).toBe("linearizable");
  });
});

describe("none is found", () => {
  test.each<[string, Calls]>([
    ["if a write is lost", [write(1, 0, 1), read(null, 2, 3)]],
    ["if a read goes back", [write(1, 0, 9), read(1, 1, 2), read(null, 3, 4)]],
    [
      "if two overlapping writes are seen in both orders",
      [write(1, 0, 20), write(2, 0, 20), read(1, 1, 2), read(2, 3, 4), read(1, 5, 6)],
    ],
    ["if a value was never written", [write(1, 0, 1), read(2, 2, 3)]],
    [
      "if one value is exchanged twice",
      [write(1, 0, 1), set([1, 2, true], 2, 5), set([1, 3, true], 2, 5)],
    ],
    ["if an exchange is refused that had to succeed", [write(1, 0, 1), set([1, 2, false], 2, 3)]],
  ])("%s", (_, calls) => {
    expect(kindOf(calls)).toBe("violated");
  });
});

test("what is told is how far it goes, and where it ends", () => {
  const calls = [write(1, 0, 1), read(1, 2, 3), read(null, 4, 5)];
  expect(checkLinearizability(REGISTER_MODEL, calls, LIMITS)).toEqual({
    kind: "violated",
    prefix: [0, 1],
    stuck: 2,
  });
});

test("beyond its limits nothing is known", () => {
  const calls = Array.from({ length: 12 }, (_, i) => write(i, 0, 100)).concat(read(99, 101, 102));
  const few = { stepsMax: 100, memoryBytesMax: 1e9 };
  const small = { stepsMax: 1e9, memoryBytesMax: 1_000 };
  expect(checkLinearizability(REGISTER_MODEL, calls, few)).toEqual({
    kind: "unknown",
    why: "steps",
  });
  expect(checkLinearizability(REGISTER_MODEL, calls, small)).toEqual({
    kind: "unknown",
    why: "memory",
  });
});

test("every history of a register is accepted, and none with a stale read at its end", () => {
  let spoiled = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const prng = new Prng(seed);
    const calls = historyOf(prng, 60, 5);
    expect(kindOf(calls), `seed ${seed}`).toBe("linearizable");
    // A read that begins behind everything, and finds what a write of before has replaced.
    const [first] = calls.filter(({ call }) => call.action === "write");
    const end = Math.max(...calls.map((each) => each.invokedAt)) + 1_000;
    const value = first?.call.action === "write" ? first.call.value : 0;
    const late = [write(7_777, end, end + 1), read(value, end + 2, end + 3)];
    const settled = calls.map((each) => ({
      ...each,
      returnedAt: Math.min(each.returnedAt, end - 1),
    }));
    spoiled += kindOf([...settled, ...late]) === "violated" ? 1 : 0;
  }
  expect(spoiled).toBe(300);
});

test("small histories: as if every order had been tried", () => {
  let violated = 0;
  for (let seed = 1; seed <= 3_000; seed++) {
    const calls = anyHistory(new Prng(seed), 5);
    const expected = hasOrder(calls) ? "linearizable" : "violated";
    expect(kindOf(calls), `seed ${seed}`).toBe(expected);
    violated += expected === "violated" ? 1 : 0;
  }
  expect(violated).toBeGreaterThan(300);
  expect(violated).toBeLessThan(2_700);
});

/** Of a register in memory: each call takes effect at some moment while it is under way. */
function historyOf(prng: Prng, count: number, clients: number): Calls {
  const calls: TimedCall<RegisterCall>[] = [];
  const freeAt = Array.from({ length: clients }, () => 0);
  const plans = Array.from({ length: count }, (_, i) => {
    const client = prng.below(clients);
    const invokedAt = (freeAt[client] ?? 0) + prng.below(5);
    const effectAt = invokedAt + prng.below(10) + prng.below(1_000) / 1_000;
    const returnedAt = effectAt + prng.below(10);
    freeAt[client] = returnedAt + 1;
    return { invokedAt, effectAt, returnedAt, value: i + 1, kind: prng.below(3) };
  });
  let state: RegisterValue = null;
  for (const plan of plans.toSorted((a, b) => a.effectAt - b.effectAt)) {
    const { invokedAt, value, kind } = plan;
    // Of some nobody hears, though they have taken effect.
    const returnedAt = prng.below(10) === 0 ? Infinity : plan.returnedAt;
    if (kind === 0) {
      if (returnedAt < Infinity) calls.push(read(state, invokedAt, returnedAt));
    } else if (kind === 1) {
      calls.push(write(value, invokedAt, returnedAt));
      state = value;
    } else {
      const expected: RegisterValue = prng.below(2) === 0 ? state : prng.below(count);
      const hasSet: boolean = expected === state;
      const told = returnedAt < Infinity ? hasSet : undefined;
      calls.push(set([expected, value, told], invokedAt, returnedAt));
      if (hasSet) state = value;
    }
  }
  return calls;
}

/** Whatever calls, with whatever results. */
function anyHistory(prng: Prng, count: number): Calls {
  return Array.from({ length: count }, () => {
    const invokedAt = prng.below(10);
    const returnedAt = prng.below(5) === 0 ? Infinity : invokedAt + prng.below(8);
    const value = 1 + prng.below(2);
    const state = prng.below(3) === 0 ? null : 1 + prng.below(2);
    const kind = prng.below(3);
    if (kind === 0) return read(state, invokedAt, Math.min(returnedAt, 20));
    if (kind === 1) return write(value, invokedAt, returnedAt);
    const told = returnedAt < Infinity ? prng.below(2) === 0 : undefined;
    return set([state, value, told], invokedAt, returnedAt);
  });
}

/** By trying all. */
function hasOrder(calls: Calls, state: RegisterValue = REGISTER_MODEL.initial): boolean {
  if (calls.every(({ returnedAt }) => returnedAt === Infinity)) return true;
  const firstReturn = Math.min(...calls.map(({ returnedAt }) => returnedAt));
  return calls.some((next, i) => {
    if (next.invokedAt > firstReturn) return false;
    const after = REGISTER_MODEL.step(state, next.call);
    return after !== undefined && hasOrder(calls.toSpliced(i, 1), after);
  });
}
