/**
 * Tells which tests were skipped, and fails the run if one was that is not expected to be: a test
 * that nobody notices to be gone tests nothing.
 */

import { relative } from "node:path";
import type { Reporter, TestModule } from "vitest/node";

export interface Expectation {
  /** Of the file's tests, at most. */
  readonly count: number;
  /** What is missing where they are skipped. */
  readonly without: string;
}

/** By file. */
export type Skips = ReadonlyMap<string, number>;

const EXPECTED: ReadonlyMap<string, Expectation> = new Map([
  ["bench/test/peers/live.test.ts", { count: 4, without: "the peer, as the test says" }],
  ["packages/cli/test/commands.test.ts", { count: 1, without: "a user who is not root" }],
  ["packages/log/test/append-file.test.ts", { count: 4, without: "direct I/O" }],
  ["packages/log/test/node-file-system.test.ts", { count: 2, without: "Linux" }],
  ["packages/tables/test/power-loss.test.ts", { count: 1, without: "strace" }],
  ["packages/transport/test/hostile.test.ts", { count: 1, without: "addresses of loopback" }],
  ["test/e2e/test/features/disk-full.test.ts", { count: 1, without: "root, for a small disk" }],
  ["test/jepsen/test/lazy-mount.test.ts", { count: 4, without: "LazyFS" }],
  ["test/jepsen/test/namespace-links.test.ts", { count: 8, without: "network namespaces" }],
  ["test/jepsen/test/live/netns-run.test.ts", { count: 3, without: "network namespaces" }],
  ["test/jepsen/test/live/report.test.ts", { count: 4, without: "Chromium" }],
]);

/** @returns a line for each file that has more of them than expected. */
export function unexpectedSkips(
  skips: Skips,
  expected: ReadonlyMap<string, Expectation> = EXPECTED,
): string[] {
  return [...skips].flatMap(([file, count]) => {
    const most = expected.get(file)?.count ?? 0;
    if (count <= most) return [];
    return [
      `${file}: ${count} tests were skipped, and ${most} may be: test/tidy/test/skipped-tests.ts`,
    ];
  });
}

export class SkippedTests implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skips = new Map<string, number>();
    for (const module of modules) {
      // Who asks for tests by name leaves the others out.
      if (module.project.config.testNamePattern !== undefined) return;
      const file = relative(module.project.config.root, module.moduleId);
      const count = [...module.children.allTests("skipped")].length;
      if (count > 0) skips.set(file, count);
    }
    for (const [file, count] of skips)
      console.log(
        `skipped: ${count} of ${file}, without ${EXPECTED.get(file)?.without ?? "reason"}`,
      );
    const unexpected = unexpectedSkips(skips);
    for (const line of unexpected) console.error(line);
    if (unexpected.length > 0) process.exitCode = 1;
  }
}
