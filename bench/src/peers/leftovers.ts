/**
 * Servers that run and folders that they write to: whatever this process ends by, but SIGKILL, they
 * end with it. Servers first, as a folder that is written to cannot be removed.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { isRunning, killTree, processTree } from "./process-usage.ts";

/** Process ids of servers; their children are found by them. */
export const liveServers: Set<number> = new Set();
export const liveFolders: Set<string> = new Set();

const END_MS = 10_000;
const LOOK_MS = 10;

/** A temporary folder, with a name that begins so. @returns its whole path. */
export function makeFolder(parent: string, prefix: string): string {
  const folder = mkdtempSync(join(resolve(parent), prefix));
  liveFolders.add(folder);
  return folder;
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  liveFolders.delete(folder);
}

process.on("exit", () => {
  const pids = liveServers.size === 0 ? [] : processTree([...liveServers]);
  killTree([...liveServers]);
  const deadline = performance.now() + END_MS;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  // Nothing can be awaited any more.
  while (pids.some(isRunning) && performance.now() < deadline) Atomics.wait(sleeper, 0, 0, LOOK_MS);
  for (const folder of liveFolders)
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      console.error(`${folder} is left behind: ${String(error)}`);
    }
});
