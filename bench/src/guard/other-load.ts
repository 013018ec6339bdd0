/** How much of the processors other programs have, from /proc: figures beside them are not fair. */

import { readFileSync } from "node:fs";
import { usageOf } from "../peers/process-usage.ts";

/** Since the machine started, in microseconds. */
export interface ProcessorReading {
  /** Of all processors that this process may run on, busy or not. */
  readonly total: number;
  readonly busy: number;
  /** Of this process and its children. */
  readonly own: number;
}

/** The kernel's unit in /proc (USER_HZ). */
const MICROS_PER_TICK = 10_000;
/** Columns of /proc/stat, by proc(5): what comes after `steal` is in the first ones already. */
const TIME_COLUMNS = 8;
const IDLE_COLUMNS = new Set([3, 4]);

/** @returns `undefined` where there is no /proc. */
export function readProcessors(): ProcessorReading | undefined {
  const stat = textOf("/proc/stat");
  const status = textOf("/proc/self/status");
  if (stat === undefined || status === undefined) return undefined;
  const { cpuMicros: own } = usageOf([process.pid]);
  return { ...processorTimes(stat, allowedProcessors(status)), own };
}

/** @param stat - What /proc/stat has. */
export function processorTimes(
  stat: string,
  processors: ReadonlySet<number>,
): Omit<ProcessorReading, "own"> {
  let total = 0;
  let busy = 0;
  for (const [, id, columns = ""] of stat.matchAll(/^cpu(\d+) (.*)$/gmu)) {
    if (!processors.has(Number(id))) continue;
    for (const [at, ticks] of columns.split(" ").slice(0, TIME_COLUMNS).entries()) {
      total += Number(ticks) * MICROS_PER_TICK;
      if (!IDLE_COLUMNS.has(at)) busy += Number(ticks) * MICROS_PER_TICK;
    }
  }
  return { total, busy };
}

/** @param status - What /proc/PID/status has, with a list as in `0-2,5`. */
export function allowedProcessors(status: string): Set<number> {
  const list = /^Cpus_allowed_list:\s*(?<list>.+)$/mu.exec(status)?.groups?.["list"] ?? "";
  return new Set(
    list.split(",").flatMap((range) => {
      const [first = Number.NaN, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, at) => first + at);
    }),
  );
}

/** @returns the share that others had in between, in [0, 1]; 0 where nobody can tell. */
export function otherLoad(
  before: ProcessorReading | undefined,
  after: ProcessorReading | undefined,
): number {
  if (before === undefined || after === undefined || after.total <= before.total) return 0;
  const others = after.busy - before.busy - (after.own - before.own);
  return Math.min(1, Math.max(0, others / (after.total - before.total)));
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // Not Linux.
    return undefined;
  }
}
