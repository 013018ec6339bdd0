/**
 * One process per directory, by a file that names its owner.
 *
 * Node.js has no flock. The file is made whole elsewhere and linked to its name, which fails if the
 * name is taken; it counts as long as the process that it names is alive, on the same boot. The
 * file of an owner that died is moved aside first, and only the one who moved it may go on.
 *
 * It does not see processes of another machine, or of a container with process ids of its own.
 */

import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DirectoryLock } from "./file-system.ts";

const NAME = "lock";
const ATTEMPT_COUNT_MAX = 8;

interface Owner {
  readonly pid: number;
  /** When the process was started, in ticks since boot; tells it from a later one of that id. */
  readonly startedAt: string;
  readonly bootId: string;
}

export function lockDirectory(directory: string): DirectoryLock | { readonly heldBy: string } {
  const path = join(directory, NAME);
  const own = JSON.stringify(currentOwner());
  const unique = `${path}.${process.pid}.${Date.now()}`;
  writeFileSync(unique, own, { mode: 0o600, flag: "wx" });
  try {
    for (let attempt = 0; attempt < ATTEMPT_COUNT_MAX; attempt++) {
      if (isLinked(unique, path)) return new OwnedLock(path, own);
      const found = read(path);
      if (found === undefined) continue;
      const owner = parseOwner(found);
      if (owner !== undefined && isAlive(owner)) return { heldBy: `process ${owner.pid}` };
      moveAside(path, `${unique}.stale`, found);
    }
    return { heldBy: "a process that is just starting" };
  } finally {
    rmSync(unique, { force: true });
  }
}

/** Who has the directory, if that process is alive: a look that changes nothing. */
export function ownerOf(directory: string): string | undefined {
  const found = read(join(directory, NAME));
  const owner = found === undefined ? undefined : parseOwner(found);
  return owner !== undefined && isAlive(owner) ? `process ${owner.pid}` : undefined;
}

class OwnedLock implements DirectoryLock {
  readonly #path: string;
  readonly #own: string;
  #isReleased = false;

  constructor(path: string, own: string) {
    this.#path = path;
    this.#own = own;
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    if (read(this.#path) === this.#own) rmSync(this.#path, { force: true });
  }
}

function isLinked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** What was moved has to be what was looked at: else a new owner's lock is put back. */
function moveAside(path: string, aside: string, expected: string): void {
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if (read(aside) !== expected) isLinked(aside, path);
  rmSync(aside, { force: true });
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function parseOwner(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<Owner> | null;
    return typeof owner?.pid === "number" && owner.bootId !== undefined
      ? (owner as Owner)
      : undefined;
  } catch {
    // It was cut short by a crash of the machine: nobody alive has written it.
    return undefined;
  }
}

function currentOwner(): Owner {
  return { pid: process.pid, startedAt: startTime(process.pid), bootId: bootId() };
}

function isAlive(owner: Owner): boolean {
  if (owner.bootId !== bootId()) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // Not permitted to signal it: it is somebody else's, and alive.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return startTime(owner.pid) === owner.startedAt;
}

/** Empty where there is no /proc: the process id alone has to do then. */
function startTime(pid: number): string {
  const stat = readOptional(`/proc/${pid}/stat`);
  // The second field may hold spaces and brackets; the 22nd counts from behind it.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function bootId(): string {
  return readOptional("/proc/sys/kernel/random/boot_id").trim();
}

function readOptional(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Not Linux, or the process has just ended.
    return "";
  }
}
