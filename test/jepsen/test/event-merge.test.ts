// Goal: events of several processes come in the order of time, numbered without gaps, as soon as
// that order is known and no sooner. Method: sources by hand.

import { expect, test } from "vitest";
import type { RecordedEvent } from "../src/client/client-words.ts";
import { EventMerge } from "../src/client/event-merge.ts";

function event(process: number, timeNs: number, type: RecordedEvent["type"]): RecordedEvent {
  return { process, timeNs, type, action: "read", value: null };
}

test("an event has its place once every process has told as much", () => {
  const merge = new EventMerge();
  const one = merge.source(0);
  const two = merge.source(0);
  one.add([event(1, 10, "invoke"), event(1, 30, "ok")]);
  one.until = 40;
  expect(merge.take()).toEqual([]);

  two.add([event(2, 20, "invoke")]);
  two.until = 30;
  expect(merge.take().map(({ index, timeNs }) => [index, timeNs])).toEqual([
    [0, 10],
    [1, 20],
  ]);

  two.until = 50;
  expect(merge.take().map(({ index, timeNs }) => [index, timeNs])).toEqual([[2, 30]]);
});

test("of two at one time, what begins comes first", () => {
  const merge = new EventMerge();
  const one = merge.source(0);
  const two = merge.source(0);
  one.add([event(1, 10, "ok")]);
  two.add([event(2, 10, "invoke")]);
  one.end();
  two.end();
  expect(merge.take().map(({ type }) => type)).toEqual(["invoke", "ok"]);
});

test("nobody waits for a process that has ended; one that begins is waited for", () => {
  const merge = new EventMerge();
  const one = merge.source(0);
  one.add([event(1, 10, "invoke"), event(1, 90, "ok")]);
  one.end();
  const two = merge.source(50);
  expect(merge.take().map(({ timeNs }) => timeNs)).toEqual([10]);
  two.end();
  expect(merge.take().map(({ timeNs }) => timeNs)).toEqual([90]);
  expect(merge.append(event(3, 95, "info")).index).toBe(2);
});
