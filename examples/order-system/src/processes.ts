/** Starts processes, and kills them: by their ids, and as a crash would. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";

const STOP_MS = 5_000;
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
  child.once("exit", (code) => {
    if (!running.delete(child)) return;
    console.error(`a process has ended by itself, with code ${code}: see ${log}`);
    process.exit(1);
  });
  return child;
}

/** As kill -9: it says nothing more to anybody. */
export async function kill(child: ChildProcess): Promise<void> {
  const gone = leaving(child);
  child.kill("SIGKILL");
  await gone;
}

/** It hands over what it has, and goes; whoever takes too long is killed. */
async function stop(child: ChildProcess): Promise<void> {
  const gone = leaving(child);
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await gone;
  clearTimeout(force);
}

/** From here on its end is what was asked for. */
async function leaving(child: ChildProcess): Promise<void> {
  running.delete(child);
  await once(child, "exit");
}

/** Whatever still runs. */
export function stopAll(): Promise<unknown> {
  return Promise.all([...running].map(stop));
}
