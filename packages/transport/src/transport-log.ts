/** What a transport has to say to people. */

import type { Scheduler } from "./scheduler.ts";

export type LogLevel = "info" | "warn" | "error";

export type LogFields = Readonly<Record<string, string | number>>;

/** @param message - A constant; what varies is in the fields. */
export type Log = (level: LogLevel, message: string, fields: LogFields) => void;

const INTERVAL_MS = 10_000;

/**
 * Lines that strangers can cause: one in ten seconds for each kind, with the count of those that
 * were left out. The kinds are a fixed few, so this does not grow.
 */
export class LimitedLog {
  readonly #log: Log;
  readonly #scheduler: Scheduler;
  readonly #kinds = new Map<string, { at: number; leftOut: number }>();

  constructor(log: Log, scheduler: Scheduler) {
    this.#log = log;
    this.#scheduler = scheduler;
  }

  warn(kind: string, message: string, fields: LogFields): void {
    const now = this.#scheduler.now();
    const last = this.#kinds.get(kind);
    if (last !== undefined && now - last.at < INTERVAL_MS) {
      last.leftOut += 1;
      return;
    }
    this.#kinds.set(kind, { at: now, leftOut: 0 });
    this.#log("warn", message, { ...fields, kind, leftOut: last?.leftOut ?? 0 });
  }
}
