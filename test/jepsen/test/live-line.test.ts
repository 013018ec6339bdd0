// Goal: how far a run is fits on a line, on a terminal and off it.

import { PassThrough } from "node:stream";
import { expect, onTestFinished, test, vi } from "vitest";
import { describeState, LiveLine, type LiveState } from "../src/run/live-line.ts";

const STATE: LiveState = {
  phase: "faults",
  operations: new Map([
    ["append", 1_200],
    ["queue", 34],
  ]),
  faults: 5,
  open: ["append pause"],
  anomalies: 0,
  secondsLeft: 41.2,
};

test("a line tells operations, faults, anomalies and the seconds left", () => {
  expect(describeState(STATE, 811.4)).toBe(
    "faults, 42 s left | operations append 1200, queue 34: 811/s | 5 faults (now append pause) | " +
      "0 anomalies",
  );
  expect(describeState({ ...STATE, secondsLeft: undefined, open: [] }, 0)).toContain(
    "faults | operations append 1200, queue 34: 0/s | 5 faults | 0",
  );
});

test("off a terminal it is a line every few seconds, beside what is told", () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const out = new PassThrough({ encoding: "utf8" });
  const line = new LiveLine(out, () => STATE);

  line.tell("kill begins");
  vi.advanceTimersByTime(10_000);
  line.stop();
  vi.advanceTimersByTime(10_000);

  const lines = String(out.read()).trimEnd().split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^ +\d+\.\d s {2}kill begins$/u);
  expect(lines[2]).toMatch(/^ {10}faults, 42 s left/u);
});
