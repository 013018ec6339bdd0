/** How long the disk takes, and when it has nothing to do. */

import type { LogStore } from "@quorumlog/log";

/** So long after the last append a log counts as idle. */
const IDLE_MS = 100;

export class DiskWatch {
  readonly #log: LogStore;
  readonly #now: () => number;
  /** Of the oldest append that is not done. */
  #startedAt: number | undefined;
  /** Of the newest append, until the log was marked. */
  #appendedAt: number | undefined;

  constructor(log: LogStore, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /** How long the oldest append that is not done has been under way, in milliseconds. */
  lagMs(): number {
    return this.#startedAt === undefined ? 0 : this.#now() - this.#startedAt;
  }

  onAppend(): void {
    const now = this.#now();
    this.#startedAt ??= now;
    this.#appendedAt = now;
  }

  onDurable(): void {
    this.#startedAt = this.#log.pendingBytes() > 0 ? this.#now() : undefined;
  }

  /**
   * Marks a log that has become idle. Without that, damage to what it wrote last would look like
   * the end of a crash, and be cut.
   */
  tick(): void {
    if (this.#appendedAt === undefined || this.#now() - this.#appendedAt < IDLE_MS) return;
    this.#appendedAt = undefined;
    if (this.#log.isOpen()) this.#log.mark();
  }
}
