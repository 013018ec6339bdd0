/** All workloads, in the order in which they run: those that break a cluster come last. */

import type { Workload } from "./workload.ts";
import { CONSUME } from "./workloads/consume.ts";
import { LATENCY } from "./workloads/latency.ts";
import { PUBLISH } from "./workloads/publish.ts";
import { WRITE_GAP } from "./workloads/write-gap.ts";

export const WORKLOADS: readonly Workload[] = [...PUBLISH, ...LATENCY, CONSUME, WRITE_GAP];
