/** Runs work in the turns of the event loop, with a pause behind what has taken long. */

import { Pace } from "./pace.ts";

/** Timers are no finer. */
const TIMER_MS_MIN = 1;

export class TimeShare {
  readonly #pace: Pace;
  readonly #run: () => void;
  #isDue = false;

  /**
   * @param parts - At most one part in so many of the time.
   * @param run - Does some of the work, and says by `onSpent` how long it took.
   */
  constructor(parts: number, run: () => void) {
    this.#pace = new Pace(parts);
    this.#run = run;
  }

  /** There is no pause now. */
  get isOpen(): boolean {
    return this.#pace.waitMs(performance.now()) === 0;
  }

  /** There is work: it runs in the next turn, or behind the pause. */
  schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    const run = (): void => {
      this.#isDue = false;
      this.#run();
    };
    const waitMs = this.#pace.waitMs(performance.now());
    if (waitMs < TIMER_MS_MIN) setImmediate(run);
    else setTimeout(run, waitMs);
  }

  /** Times are milliseconds by `performance.now()`. */
  onSpent(startedAt: number, endedAt: number): void {
    this.#pace.onSpent(startedAt, endedAt);
  }
}
