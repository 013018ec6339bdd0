/** Runs a workload against a cluster that is there, and keeps its history. */

import { until } from "@quorumlog/integration/testing";
import { onTestFinished } from "vitest";
import { type RunningClients, startClients } from "../../src/client/running-clients.ts";
import type { Target } from "../../src/cluster/target.ts";
import type { HistoryEvent } from "../../src/history/history-event.ts";
import type { Workload } from "../../src/workload/workload.ts";

export interface RecordedRun {
  readonly clients: RunningClients;
  readonly events: HistoryEvent[];
  /** Waits until so many operations have come back, of any outcome. */
  readonly completed: (count: number) => Promise<void>;
}

const SEED = 7;
const PATIENCE_MS = 60_000;

/** Stopped when the test is over. */
export async function beginRun(
  workload: Workload,
  target: Target,
  rate?: number,
): Promise<RecordedRun> {
  const events: HistoryEvent[] = [];
  let completedCount = 0;
  const options = rate === undefined ? { seed: SEED } : { seed: SEED, rate };
  const clients = await startClients(workload, target, options, (batch) => {
    events.push(...batch);
    completedCount += batch.filter(({ type }) => type !== "invoke").length;
  });
  onTestFinished(() => clients.stop());
  return {
    clients,
    events,
    completed: async (count) => {
      const what = `${count} operations of ${workload.name} are over`;
      const look = (): true | undefined => (completedCount >= count ? true : undefined);
      await Promise.race([until(what, PATIENCE_MS, look), clients.failed]);
    },
  };
}
