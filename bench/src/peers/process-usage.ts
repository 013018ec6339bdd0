/** What processes and their children have used, from /proc: also of programs that are not ours. */

import { readdirSync, readFileSync } from "node:fs";

export interface ProcessUsage {
  /** Of all threads, of children that have ended, too; in steps of 10 ms. */
  readonly cpuMicros: number;
  /** Memory that is no file's. */
  readonly anonymousMb: number;
}

/** The kernel's unit in /proc (USER_HZ), which is 100 on every architecture that Node.js is for. */
const MICROS_PER_TICK = 10_000;
const KB_PER_MB = 1_024;

/** @returns `roots` and all that descends from them, as far as it is alive. */
export function processTree(roots: readonly number[]): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/u.test(name)) continue;
    const parent = statOf(Number(name))?.parent;
    if (parent === undefined) continue;
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found = new Set<number>(roots);
  // A set is walked in the order of insertion, and what is added meanwhile is walked, too.
  for (const pid of found) for (const child of children.get(pid) ?? []) found.add(child);
  return [...found];
}

/** Of `roots` and all that descends from them. */
export function usageOf(roots: readonly number[]): ProcessUsage {
  let cpuMicros = 0;
  let anonymousMb = 0;
  for (const pid of processTree(roots)) {
    cpuMicros += statOf(pid)?.cpuMicros ?? 0;
    const found = /^RssAnon:\s+(?<kb>\d+) kB$/mu.exec(textOf(`/proc/${pid}/status`) ?? "");
    anonymousMb += Number(found?.groups?.["kb"] ?? 0) / KB_PER_MB;
  }
  return { cpuMicros, anonymousMb };
}

/** Ends `roots` and all that descends from them, at once. */
export function killTree(roots: readonly number[]): void {
  for (const pid of processTree(roots))
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      // It has ended by itself.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
}

/** Not of what has ended, and waits for its parent to take note of it. */
export function isRunning(pid: number): boolean {
  const text = textOf(`/proc/${pid}/stat`);
  return text !== undefined && text[text.lastIndexOf(")") + 2] !== "Z";
}

function statOf(pid: number): { readonly parent: number; readonly cpuMicros: number } | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name of the program, in brackets, may have anything in it; proc(5) counts the fields.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { parent: Number(fields[1]), cpuMicros: ticks * MICROS_PER_TICK };
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // The process has ended meanwhile.
    return undefined;
  }
}
