/** All workloads, in the order in which they run: those that break a cluster come last. */

import type { Workload } from "./workload.ts";
import { PUBLISH } from "./workloads/publish.ts";

export const WORKLOADS: readonly Workload[] = [...PUBLISH];
