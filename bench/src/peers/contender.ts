/** What takes its turn in each round: this project, another system, or the bare program. */

import type { PeerCard } from "./peer-table.ts";
import type { Ground, Outcome, Workload } from "./workload.ts";

export interface Contender {
  /** As the table has it. */
  readonly name: string;
  /** Whether it is measured by that. */
  readonly takes: (workload: Workload) => boolean;
  /** @param parent - Where its temporary folder is made. */
  readonly start: (parent: string) => Promise<RunningContender>;
}

export interface RunningContender {
  readonly card: PeerCard;
  /** Code that has just begun to run is slow: everything is measured as it is after some work. */
  readonly warmUp: (timeMs: number) => Promise<void>;
  /** @param workload - One that it takes. */
  readonly measure: (workload: Workload, ground: Ground) => Promise<Outcome>;
  /** Nothing of it runs any more, and its folder is removed. */
  readonly stop: () => Promise<void>;
}
