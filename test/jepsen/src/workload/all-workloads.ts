/** All workloads, by name. */

import { APPEND_WORKLOAD } from "./append-workload.ts";
import { KAFKA_WORKLOAD } from "./kafka-workload.ts";
import { OFFSET_WORKLOAD } from "./offset-workload.ts";
import { ORDERED_WORKLOAD } from "./ordered-workload.ts";
import { QUEUE_WORKLOAD } from "./queue-workload.ts";
import { REGISTER_WORKLOAD } from "./register-workload.ts";
import type { Workload } from "./workload.ts";

export const WORKLOADS: readonly Workload[] = [
  REGISTER_WORKLOAD,
  APPEND_WORKLOAD,
  QUEUE_WORKLOAD,
  KAFKA_WORKLOAD,
  ORDERED_WORKLOAD,
  OFFSET_WORKLOAD,
];

/** @throws RangeError which names those that there are. */
export function workloadNamed(name: string): Workload {
  const found = WORKLOADS.find((workload) => workload.name === name);
  if (found !== undefined) return found;
  const names = WORKLOADS.map((workload) => workload.name).join(", ");
  throw new RangeError(`there is no workload "${name}", but ${names}`);
}
