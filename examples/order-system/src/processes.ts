/** Starts processes, and kills them: by their ids, and as a crash would. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";

const running = new Set<ChildProcess>();

// Whoever ends this one ends them all.
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

/**
 * @param log - Where what it says goes, behind what others have said there.
 * @param args - A script, and what it is told.
 */
export function start(log: string, args: readonly string[]): ChildProcess {
  const file = openSync(log, "a");
  const child = spawn(process.execPath, [...args], { stdio: ["ignore", file, file] });
  closeSync(file);
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** As kill -9: it says nothing more to anybody. */
export async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

/** It hands over what it has, and goes. */
async function stop(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  await gone;
}

/** Whatever still runs. */
export function stopAll(): Promise<unknown> {
  return Promise.all([...running].map(stop));
}
