// Goal: a simulation that schedules the same things is the same simulation.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { TimeQueue } from "../src/index.ts";

test("nothing comes out of an empty one", () => {
  const queue = new TimeQueue<string>();

  expect(queue.peek()).toBeUndefined();
  expect(queue.take()).toBeUndefined();
});

test("things come in the order of their time, and of one time as they were put in", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(5), fc.constant("take" as const))), (steps) => {
      const queue = new TimeQueue<number>();
      const expected: { at: number; item: number }[] = [];
      steps.forEach((step, item) => {
        if (step !== "take") {
          queue.put(step, item);
          expected.push({ at: step, item });
          return;
        }
        // A stable sort, by time alone.
        expected.sort((a, b) => a.at - b.at);
        const next = expected.shift();
        expect(queue.peek()?.item).toBe(next?.item);
        const taken = queue.take();
        expect(taken?.item).toBe(next?.item);
        expect(taken?.at).toBe(next?.at);
      });
    }),
  );
});
