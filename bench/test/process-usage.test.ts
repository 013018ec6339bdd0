// Goal: what a server's children use is counted with it, and all of them end with it.
// Method: a shell with a child that computes; both are real processes.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished, expect, test } from "vitest";
import { isRunning, killTree, processTree, usageOf } from "../src/peers/process-usage.ts";

const PATIENCE = { timeout: 20_000 };

test("a tree has its children, their work counts, and they end with it", async () => {
  // The shell stays, as it has something to do afterwards.
  const loop = `"${process.execPath}" -e 'for (;;);'; exit 0`;
  const shell = spawn("sh", ["-c", loop], { stdio: "ignore" });
  const { pid = 0 } = shell;
  onTestFinished(() => {
    killTree([pid]);
  });
  await expect.poll(() => processTree([pid]).length, PATIENCE).toBe(2);
  const [, child = 0] = processTree([pid]);
  const before = usageOf([pid]);
  await expect.poll(() => usageOf([pid]).cpuMicros, PATIENCE).toBeGreaterThan(before.cpuMicros);
  expect(usageOf([pid]).anonymousMb).toBeGreaterThan(0);

  const ended = once(shell, "exit");
  killTree([pid]);
  await ended;

  await expect.poll(() => processTree([child, pid]).filter(isRunning), PATIENCE).toEqual([]);
});
