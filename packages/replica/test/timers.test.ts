// Goal: a node that is closed lets its process end. Method: timers are counted; those that last are
// none any more once all nodes are closed.

import { expect, test } from "vitest";
import { type Environment, nodeEnvironment } from "../src/environment.ts";
import { startCluster } from "../src/testing/index.ts";

/** Longer than what a close may wait for. */
const LONG_MS = 1_000;

test("a closed node leaves no timer behind", async () => {
  const pending = new Set<object>();
  let count = 0;
  const environment: Environment = {
    ...nodeEnvironment,
    after: (delayMs, run) => {
      const timer = {};
      if (delayMs >= LONG_MS) pending.add(timer);
      count += pending.size;
      const cancel = nodeEnvironment.after(delayMs, () => {
        pending.delete(timer);
        run();
      });
      return () => {
        pending.delete(timer);
        cancel();
      };
    },
  };
  {
    await using cluster = await startCluster({ environment });
    await cluster.leader();
  }
  expect(count).toBeGreaterThan(0);
  expect(pending.size).toBe(0);
});
