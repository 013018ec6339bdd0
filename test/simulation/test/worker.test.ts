// Goal: a seed that takes its thread down, or never ends, has failed; the others run on.
// Method: threads that run a few lines of JavaScript in place of the simulator.
import { expect, test } from "vitest";
import type { SeedFailure } from "../src/run/seed-run.ts";
import { runOnWorkers } from "../src/worker.ts";

/** Seeds divisible by 5 die in one way or another. */
const PROGRAM = `
  import { parentPort } from "node:worker_threads";
  parentPort.on("message", ({ seed }) => {
    if (seed === 5) throw new RangeError("too deep");
    if (seed === 10) process.exit(0);
    if (seed === 15) for (;;);
    if (seed === 20) throw "words";
    parentPort.postMessage({ result: { seed } });
  });`;

test("dead and endless threads are replaced, and named by their seeds", async () => {
  const done: number[] = [];
  const lost = new Map<number, SeedFailure>();
  let next = 1;
  const source = {
    next: () => (next > 22 ? undefined : { seed: next++ }),
    onReply: ({ result }: { result: { seed: number } }) => done.push(result.seed),
    onLoss: (seed: number, failure: SeedFailure) => lost.set(seed, failure),
  };

  const program = new URL(`data:text/javascript,${encodeURIComponent(PROGRAM)}`);
  await runOnWorkers(source, { workers: 2, seedSeconds: 2, program });

  const asked = Array.from({ length: 22 }, (_, at) => at + 1);
  expect(done.toSorted((a, b) => a - b)).toEqual(asked.filter((seed) => seed % 5 !== 0));
  expect([...lost.keys()].toSorted((a, b) => a - b)).toEqual([5, 10, 15, 20]);
  expect(lost.get(5)).toMatchObject({
    invariant: "the simulator died",
    detail: "RangeError: too deep",
  });
  expect(lost.get(10)?.detail).toBe("its thread ended with exit code 0");
  expect(lost.get(15)).toMatchObject({
    invariant: "hang",
    detail: "no result after 2 s of real time",
  });
  expect(lost.get(20)).toMatchObject({ invariant: "the simulator died", detail: "Error: words" });
}, 20_000);
