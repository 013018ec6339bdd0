import type { Scheduler } from "@quorumlog/transport";

/** Time of the process itself. */
export const processScheduler: Scheduler = {
  now: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
};
