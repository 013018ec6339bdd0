// Goal: a cluster that is whole and does not do what it did before is told of, and no other one.

import { expect, test } from "vitest";
import type { EventType } from "../src/history/history-event.ts";
import { ServedAgain } from "../src/run/served-again.ts";

const TRIES = 10;

function note(served: ServedAgain, type: EventType, action: string, times = 1): void {
  for (let i = 0; i < times; i++) served.note({ type, action });
}

test("what was done before the last fault only is told once it was tried often enough", () => {
  const served = new ServedAgain();
  note(served, "ok", "append");
  note(served, "ok", "read");
  served.begin();
  expect([served.isSo, served.problems()]).toEqual([false, []]);

  note(served, "ok", "read");
  note(served, "invoke", "append", TRIES);
  note(served, "fail", "append", TRIES - 1);
  expect([served.isSo, served.problems()]).toEqual([false, []]);

  note(served, "info", "append");
  expect(served.problems()).toEqual([
    "with the cluster whole, append was asked for 10 times, and never done",
  ]);

  note(served, "ok", "append");
  expect([served.isSo, served.problems()]).toEqual([true, []]);
});

test("failures before the last fault was over count for nothing", () => {
  const served = new ServedAgain();
  note(served, "fail", "publish", TRIES);
  served.begin();
  note(served, "fail", "publish", TRIES - 1);
  expect([served.isSo, served.problems()]).toEqual([true, []]);
});
