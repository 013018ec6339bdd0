/** Timers that are over together: once their owner has stopped, none keeps its process alive. */

import type { Environment } from "./environment.ts";

export class Timers {
  readonly #environment: Pick<Environment, "after">;
  readonly #cancels = new Set<() => void>();
  #isStopped = false;

  constructor(environment: Pick<Environment, "after">) {
    this.#environment = environment;
  }

  /** Runs it later, unless they are stopped before. */
  after(delayMs: number, run: () => void): void {
    if (this.#isStopped) return;
    const cancel = this.#environment.after(delayMs, () => {
      this.#cancels.delete(cancel);
      run();
    });
    this.#cancels.add(cancel);
  }

  stop(): void {
    this.#isStopped = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }
}
