/** Time, as the transport is given it: of the machine, or of a simulator. */

export interface Scheduler {
  /** In milliseconds, from any origin; never goes back. */
  now(): number;
  /** Runs something once, later; what it returns keeps that from happening. */
  after(delayMs: number, run: () => void): () => void;
}

export const nodeScheduler: Scheduler = {
  now: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
};
