// Goal: what is due at one moment runs in the order in which it was asked for, unless called off.
// Method: a queue by hand.
import { expect, test } from "vitest";
import { EventQueue } from "../src/engine/event-queue.ts";

test("events run by time, then in order", () => {
  const queue = new EventQueue();
  const seen: string[] = [];
  queue.after(2, () => seen.push("c"));
  queue.after(1, () => seen.push("a"));
  queue.after(1, () => seen.push("b"));

  queue.runUntil(2);

  expect(seen).toEqual(["a", "b", "c"]);
  expect(queue.now()).toBe(2);
});

test("what was called off does not run", () => {
  const queue = new EventQueue();
  const seen: string[] = [];
  const cancel = queue.after(1, () => seen.push("a"));
  queue.after(1, () => seen.push("b"));

  cancel();
  queue.runUntil(5);

  expect(seen).toEqual(["b"]);
  expect(queue.processed).toBe(1);
});
