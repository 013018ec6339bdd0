/** What a node takes for the time of day, which may be wrong, and for the boot of its machine. */

import { type Environment, nodeEnvironment } from "@quorumlog/replica";

export interface NodeClock {
  readonly environment: Environment;
  /** In milliseconds; the clock jumps there. */
  offsetMs: number;
}

export function openNodeClock(bootId: string): NodeClock {
  const clock = {
    offsetMs: 0,
    environment: {
      ...nodeEnvironment,
      wallTime: () => Date.now() + clock.offsetMs,
      bootId: () => bootId,
    },
  };
  return clock;
}
