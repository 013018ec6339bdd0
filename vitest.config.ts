import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { SkippedTests } from "./test/tidy/test/skipped-tests.ts";

/** Tests read sources, not dist: no build is needed to run them, and none can be stale. */
const conditions = ["@quorumlog/source", "module", "node", "development|production"];

/**
 * Tests of whole clusters of processes, which run what was built. Two files at a time, behind all
 * others: a machine with many brokers per core tests its scheduler.
 */
const processes = [
  "packages/cli/test/**/*.test.ts",
  "test/e2e/test/**/*.test.ts",
  "test/jepsen/test/live/**/*.test.ts",
  "examples/*/test/**/*.test.ts",
  "bench/test/peers/**/*.test.ts",
];

/**
 * Tests of the failover suite that take minutes. What they are about goes on in `npm run jepsen` as
 * well, which is a part of `npm test`: they have a command of their own, `npm run test:jepsen`.
 */
const failover = ["broken", "healthy", "nemesis"].map(
  (name) => `test/jepsen/test/live/${name}.test.ts`,
);

/**
 * Files at a time. Left to itself vitest takes a core less than there are, which on two cores is
 * one: but tests wait for disks, sockets and timers half of their time.
 */
const workers = Math.max(2, availableParallelism() - 1);

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    environment: "node",
    reporters: ["default", new SkippedTests()],
    // What hangs is found; a machine that is busy is not.
    testTimeout: 30_000,
    // The same for what is waited for: a second is the default.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [
            "packages/*/test/**/*.test.ts",
            "test/*/test/**/*.test.ts",
            "bench/test/*.test.ts",
          ],
          exclude: processes,
          maxWorkers: workers,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "processes",
          include: processes,
          exclude: failover,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "failover",
          include: failover,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
