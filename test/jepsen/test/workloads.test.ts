// Goal: workloads are found by their names, and share out registers without asking each other.

import { Prng } from "@quorumlog/std";
import { expect, test } from "vitest";
import { WORKLOADS, workloadNamed } from "../src/workload/all-workloads.ts";
import type { Value } from "../src/history/history-event.ts";
import { RegisterKeys } from "../src/workload/register-keys.ts";
import { eventsOf, type Line } from "./kit/lines.ts";

test("each workload has a name of its own, and is found by it", () => {
  for (const workload of WORKLOADS) expect(workloadNamed(workload.name)).toBe(workload);
  expect(() => workloadNamed("set")).toThrow(/"set", but register, append, queue/u);
});

test("registers are in use for a while, and never again", () => {
  const keys = new RegisterKeys({ columns: 4, lifeNs: 1_000 });
  const prng = new Prng(1);
  const firstAt = new Map<number, number>();
  const lastAt = new Map<number, number>();
  for (let time = 0; time < 10_000; time += 7) {
    const key = keys.current(time, prng);
    if (!firstAt.has(key)) firstAt.set(key, time);
    lastAt.set(key, time);
    expect(keys.all(time)).toContain(key);
    expect(keys.all(time)).toContain(keys.former(time, prng));
  }
  expect(firstAt.size).toBe(keys.all(9_996).length);
  for (const [key, from] of firstAt) expect((lastAt.get(key) ?? 0) - from).toBeLessThan(1_000);
});

test.each([
  [9, { valid: true, unknown: [] }],
  [10, { valid: "unknown", unknown: ["append was asked for 10 times, and never done"] }],
])("what was asked for again and again, and never done, is no pass: %i times", (count, wanted) => {
  const lines = Array.from({ length: count }, (_, i): Line[] => [
    [1, "invoke", "append", i],
    [1, "fail", "append", i],
  ]);
  expect(workloadNamed("append").check(eventsOf(lines.flat()))).toMatchObject(wanted);
});

test.each([
  ["offsets", "publish", ["commit", "committed"]],
  ["kafka", "send", ["poll"]],
  ["append", "append", ["read"]],
])("%s: a hundred operations without what shows something are no pass", (name, action, needed) => {
  const asked = (i: number): Value => (name === "kafka" ? [0, i] : i);
  const told = (i: number): Value => (name === "kafka" ? [0, i, i] : [i, i]);
  const lines = Array.from({ length: 100 }, (_, i): Line[] => [
    [1, "invoke", action, asked(i)],
    [1, "ok", action, told(i)],
  ]);
  const { valid, unknown } = workloadNamed(name).check(eventsOf(lines.flat()));
  expect(valid).toBe("unknown");
  for (const each of needed)
    expect(unknown).toContain(`${each} was never asked for, in 100 operations`);
});
