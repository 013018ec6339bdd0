/**
 * Mounts of this machine, as the kernel tells them.
 *
 * A mount of LazyFS is named after the process that has made it, so that what a killed one has left
 * behind is known as that.
 */

import { readFileSync } from "node:fs";
import { runCommand } from "../links/command.ts";

interface Mount {
  readonly name: string;
  readonly path: string;
}

const PREFIX = "quorumlog-lazyfs-";

/** Of this process. */
export function mountName(): string {
  return `${PREFIX}${process.pid}`;
}

export function isMounted(path: string): boolean {
  return mounts().some((mount) => mount.path === path);
}

/** Unmounts what processes that are gone have left. @returns the folders. */
export async function unmountLeftovers(): Promise<readonly string[]> {
  const left = mounts().filter(({ name }) => {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : NaN;
    return Number.isSafeInteger(pid) && pid > 0 && !isAlive(pid);
  });
  for (const { path } of left) await runCommand(["fusermount3", "-u", "-z", path]);
  return left.map(({ path }) => path);
}

function mounts(): Mount[] {
  const lines = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return lines.map((line) => {
    const [name = "", path = ""] = line.split(" ");
    // Blanks and the like are octal there.
    const plain = path.replaceAll(/\\([0-7]{3})/gu, (_, digits: string) =>
      String.fromCodePoint(Number.parseInt(digits, 8)),
    );
    return { name, path: plain };
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
