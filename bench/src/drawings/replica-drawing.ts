/** Three replicas as a picture: rate, latency and processor time beside those of a bare program. */

import type { BarPanel, Drawing } from "../plot/chart.ts";
import { figure } from "../plot/figure.ts";
import type { LoadResult } from "../replica/append-load.ts";
import { measuredBar, wordsOfRounds } from "./measured.ts";

export interface ReplicaRow extends LoadResult {
  readonly perSecond: number;
  /** Of each process, per entry; node 1, which also makes the load, last. */
  readonly cpuMicros: readonly number[];
  readonly anonymousMb: readonly number[];
}

export interface ReplicaResults {
  readonly timeMs: number;
  readonly rounds: number;
  readonly cases: readonly {
    readonly name: string;
    readonly entryBytes: number;
    readonly inFlight: number;
    readonly bare: readonly ReplicaRow[];
    readonly log: readonly ReplicaRow[];
  }[];
  readonly idleShareOfCore: readonly number[];
}

interface Quantity {
  readonly title: string;
  readonly unit: string;
  readonly valueOf: (row: ReplicaRow) => number;
}

const LOG = "replicated log";
const BARE = "bare program";
const QUANTITIES: readonly Quantity[] = [
  {
    title: "Appends",
    unit: "entries/s, log scale",
    valueOf: ({ perSecond }) => perSecond,
  },
  {
    title: "Processor time, all nodes",
    unit: "µs per entry, log scale",
    valueOf: ({ cpuMicros }) => cpuMicros.reduce((sum, micros) => sum + micros, 0),
  },
  { title: "Answered within, p50", unit: "ms, log scale", valueOf: ({ p50Ms }) => p50Ms },
  { title: "Answered within, p99", unit: "ms, log scale", valueOf: ({ p99Ms }) => p99Ms },
];

export function drawReplica({ cases, rounds, idleShareOfCore }: ReplicaResults): Drawing {
  const idle = idleShareOfCore.map((share) => `${figure(share * 100)} %`).join(", ");
  return {
    title: "A replicated log of three nodes",
    lead:
      "Each node a process, each entry synced on a majority; the bare program moves the same " +
      `bytes over the same hops. ${capital(wordsOfRounds(rounds))}.`,
    series: [
      { name: LOG, tone: "ours" },
      { name: BARE, tone: "bare" },
    ],
    columns: 2,
    panels: QUANTITIES.map(({ title, unit, valueOf }): BarPanel => ({
      kind: "bars",
      title,
      unit,
      scale: "log",
      groups: cases.map(({ name, log, bare }) => ({
        name,
        bars: [measuredBar(LOG, log.map(valueOf)), measuredBar(BARE, bare.map(valueOf))],
      })),
    })),
    notes: [
      "1 KB x 256: entries of 1 KB, 256 of them under way. Node 1 makes the load, too.",
      `Idle nodes take ${idle} of a core.`,
    ],
  };
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
