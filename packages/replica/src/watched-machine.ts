/** Names the function of the application that keeps everything else waiting. */

import type { Environment } from "./environment.ts";
import type { Machine } from "./machine.ts";
import type { ReplicaEventListener } from "./replica-event.ts";

/** So long nothing else happens, heartbeats neither. */
const SLOW_MS = 100;

export function watchedMachine(
  machine: Machine,
  environment: Environment,
  onEvent: ReplicaEventListener,
): Machine {
  const watch = <T>(name: string, run: () => T): T => {
    const startedAt = environment.now();
    const value = run();
    const milliseconds = Math.round(environment.now() - startedAt);
    if (milliseconds >= SLOW_MS) onEvent({ type: "slowCallback", name, milliseconds });
    return value;
  };
  return {
    ...(machine.copiesRecords === true ? { copiesRecords: true } : {}),
    apply: (batch) => watch("apply", () => machine.apply(batch)),
    snapshot: () => watch("snapshot", () => machine.snapshot()),
    restore: (chunks) => {
      watch("restore", () => {
        machine.restore(chunks);
      });
    },
  };
}
