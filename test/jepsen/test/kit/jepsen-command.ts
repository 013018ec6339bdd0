/** `npm run jepsen` as a process, and what belongs to it. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export interface JepsenCommand {
  readonly child: ChildProcess;
  /** All that it has printed. */
  readonly said: () => string;
  readonly exitCode: Promise<number | null>;
}

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

/**
 * Ends with the test.
 *
 * @param out - Where its folder is made.
 * @param environment - Beside this process's own.
 */
export function beginCommand(
  out: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): JepsenCommand {
  const child = spawn(process.execPath, [CLI, "--out", out, ...args], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
  const exitCode = once(child, "close").then(([code]) => code as number | null);
  return { child, said: () => text, exitCode };
}

/** Whoever has the folder in its command line: nodes are told where their files are. */
export function processesOf(folder: string): string[] {
  return allProcesses().filter((pid) => {
    try {
      return readFileSync(join("/proc", pid, "cmdline"), "utf8").includes(folder);
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
}

export function allProcesses(): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/u.test(name));
}
