// Goal: whatever was said to be durable is there after any crash, and nothing else was made up.
// Method: a random history on the file system that keeps apart what is not synced; a crash at a
// random operation; then the log has to be the history up to some step, at or behind the last one
// that was acknowledged; in flush mode `async`, the last promise, if the power was lost. Seeds are
// fixed; each runs many lives of one log.

import { Prng } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { type Machine, made } from "./kit/disk.ts";
import { Driver, same, seen } from "./kit/history.ts";

/** The disk refuses one sync, after so many others; what it was to write is lost without a word. */
function failOneSync(machine: Machine, after: number): void {
  let left = after;
  machine.fileSystem.fault = ({ operation }) => {
    if (operation !== "sync") return undefined;
    left -= 1;
    return left === -1 ? new Error("EIO") : undefined;
  };
}

function live(seed: number, flush: "sync" | "async"): number {
  const prng = new Prng(seed);
  const machine = made(seed);
  if (flush === "async") machine.flushLater(prng.pick([1, 1_000, 20_000, 1e9]));
  const driver = new Driver(machine, prng);
  let acknowledged = 0;
  for (let life = 0; life < 24; life++) {
    const pace = prng.pick([1, 2, 3, 6]);
    const actions = prng.below(prng.chance(0.5) ? 4 : 60);
    if (prng.chance(0.2)) failOneSync(machine, prng.below(8));
    for (let i = 0; i < actions && driver.store.isOpen(); i++) {
      driver.act();
      for (let steps = prng.below(pace); steps > 0; steps--) machine.step();
      if (flush === "async" && prng.chance(0.1)) machine.ring();
      // Whoever forgets is told at once, not only after a crash.
      if (prng.chance(0.05))
        expect(same(driver.history.latest, seen(driver.store)), "read back at once").toBe(true);
    }
    if (prng.chance(0.3)) machine.settle();
    machine.fileSystem.fault = undefined;
    driver.crash();
    // A machine may die again while it recovers.
    for (let tries = prng.below(3); tries > 0; tries--) {
      const stopAt = machine.fileSystem.operationCount + prng.below(12);
      machine.fileSystem.fault = ({ number }) =>
        number >= stopAt ? new Error("the power is gone") : undefined;
      try {
        machine.open();
      } catch {
        // It died; what it had done is as likely to be lost as before.
      }
      machine.fileSystem.fault = undefined;
      driver.crash();
    }
    driver.restart();
    acknowledged += driver.history.durable.entries.length;
  }
  return acknowledged;
}

describe("a log that crashes again and again", () => {
  const seeds = Array.from({ length: 200 }, (_, i) => i + 1);
  test.each(seeds)("seed %d", (seed) => {
    live(seed, "sync");
  });
  test.each(seeds)("seed %d, synced later", (seed) => {
    live(seed, "async");
  });
});
