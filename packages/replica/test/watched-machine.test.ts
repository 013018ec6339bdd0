// Goal: whatever of the application keeps the loop waiting is named, also what it does bit by bit.
// Method: a machine that takes virtual time.

import { expect, test } from "vitest";
import { nodeEnvironment } from "../src/environment.ts";
import type { Machine } from "../src/machine.ts";
import type { ReplicaEvent } from "../src/replica-event.ts";
import { watchedMachine } from "../src/watched-machine.ts";

function watched(machine: Partial<Machine>, clock: { now: number }): [Machine, ReplicaEvent[]] {
  const events: ReplicaEvent[] = [];
  const whole: Machine = {
    apply: () => [],
    snapshot: () => [],
    restore: () => undefined,
    ...machine,
  };
  const environment = { ...nodeEnvironment, now: () => clock.now };
  return [watchedMachine(whole, environment, (event) => events.push(event)), events];
}

test("a snapshot that is slow as it is pulled is named, for each piece", () => {
  const clock = { now: 0 };
  const pieces = [Buffer.from("first"), Buffer.from("second"), Buffer.from("third")];
  const [machine, events] = watched(
    {
      *snapshot() {
        for (const [i, piece] of pieces.entries()) {
          clock.now += 90 + 10 * i;
          yield piece;
        }
      },
    },
    clock,
  );

  expect([...machine.snapshot()]).toEqual(pieces);
  expect(events).toEqual([
    { type: "slowCallback", name: "snapshot", milliseconds: 100 },
    { type: "slowCallback", name: "snapshot", milliseconds: 110 },
  ]);
});

test("a snapshot that nobody pulls to its end is let go", () => {
  let isOver = false;
  const [machine] = watched(
    {
      *snapshot() {
        try {
          yield Buffer.from("first");
          yield Buffer.from("second");
        } finally {
          isOver = true;
        }
      },
    },
    { now: 0 },
  );
  for (const piece of machine.snapshot()) {
    expect(piece).toEqual(Buffer.from("first"));
    break;
  }

  expect(isOver).toBe(true);
});
