/**
 * What must not outlive this process, however it ends: child processes, and folders of files.
 *
 * A test runner ends its workers by a signal, without a word to what they have begun.
 */

import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";

const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const children = new Set<ChildProcess>();
const folders = new Set<string>();
let isWatching = false;

export function ownChild(child: ChildProcess): void {
  watch();
  children.add(child);
  child.once("exit", () => children.delete(child));
}

export function ownFolder(folder: string): void {
  watch();
  folders.add(folder);
}

/** With everything in it. Idempotent. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  folders.delete(folder);
}

function watch(): void {
  if (isWatching) return;
  isWatching = true;
  process.on("exit", endAll);
  for (const signal of ENDING_SIGNALS)
    process.once(signal, () => {
      endAll();
      // As if nobody had listened, unless somebody else does: then it is theirs to decide.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
}

function endAll(): void {
  // Also a process that stands still ends by this.
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) removeFolder(folder);
}
