/** What a process of clients and whoever has started it say to each other. */

import type { TargetMessage } from "../cluster/target.ts";
import type { HistoryEvent } from "../history/history-event.ts";

/** Everything that a process of clients is started with, as one word of JSON. */
export interface ClientSettings {
  readonly workload: string;
  readonly target: TargetMessage;
  readonly seed: number;
  readonly rate: number;
  readonly life: number;
  readonly clientCount: number;
  /** Its clients, and the process number that each begins with. */
  readonly slots: readonly (readonly [slot: number, process: number])[];
  /** When the run began: nanoseconds of the machine's clock, as text. */
  readonly startedAt: string;
}

/** As it was recorded: where it is among those of other processes is not known yet. */
export type RecordedEvent = Omit<HistoryEvent, "index">;

export type ClientWord =
  /** It runs, and what clients need is there; they begin as soon as they have what they need. */
  | { readonly type: "started" }
  /** What comes later was recorded at `until` or later. */
  | { readonly type: "events"; readonly events: readonly RecordedEvent[]; readonly until: number }
  /** After `finish`: no client has an operation under way. */
  | { readonly type: "finished" }
  /** After `drain`: every client has seen everything. */
  | { readonly type: "drained" }
  | { readonly type: "failed"; readonly error: string };

export type HarnessWord =
  | { readonly type: "target"; readonly target: TargetMessage }
  /** Nothing is asked for any more but final reads. */
  | { readonly type: "finish" }
  | { readonly type: "drain" };
