/** Failovers as a picture: every gap in acknowledgements, by what was done to the leader. */

import type { Drawing } from "../plot/chart.ts";
import { figure } from "../plot/figure.ts";

export const FAULTS = ["kill", "pause", "partition", "transfer"] as const;

export type Fault = (typeof FAULTS)[number];

export const FAULT_NAMES: Readonly<Record<Fault, string>> = {
  kill: "kill -9 of the leader",
  pause: "pause of the leader (SIGSTOP)",
  partition: "silent partition of the leader",
  transfer: "planned transfer",
};

export interface FailoverRow {
  readonly fault: Fault;
  readonly perSecond: number;
  readonly gapsMs: readonly number[];
}

export interface FailoverResults {
  /** Faults of each kind. */
  readonly times: number;
  readonly rows: readonly FailoverRow[];
}

const GAP = "a gap";

export function drawFailover({ times, rows }: FailoverResults): Drawing {
  const rates = rows.map(({ perSecond }) => `${figure(perSecond)}/s`);
  return {
    title: "When the leader is lost",
    lead:
      `How long nothing is acknowledged, ${times} times each, in a group of three replicas at ` +
      "half of the load that it can take.",
    panels: [
      {
        kind: "dots",
        title: "Without an acknowledgement",
        unit: "ms, log scale",
        scale: "log",
        rows: rows.map(({ fault, gapsMs }) => ({
          name: FAULT_NAMES[fault],
          series: GAP,
          values: gapsMs,
        })),
      },
    ],
    notes: [
      `A dot is a fault, the line the median. Load, row by row: ${[...new Set(rates)].join(", ")}.`,
    ],
  };
}
