/** Which workload is run under which fault: all, but for what is not possible, with the reason. */

import type { Fault } from "../nemesis/fault.ts";
import { type FaultGround, lackOf } from "../nemesis/need.ts";
import type { Workload } from "../workload/workload.ts";

export interface LeftOut {
  readonly workload: string;
  readonly fault: string;
  readonly reason: string;
}

/** Workloads that are run side by side, each on a cluster of its own, under one fault. */
export interface SuiteStep {
  readonly fault: string;
  readonly workloads: readonly string[];
}

export interface SuitePlan {
  readonly faults: readonly string[];
  readonly workloads: readonly string[];
  readonly steps: readonly SuiteStep[];
  readonly leftOut: readonly LeftOut[];
}

/** Of all clusters of a suite. */
export type ClusterTraits = Pick<FaultGround, "linkLacks" | "nodeCount">;

/** More at a time would be a test of the machine. */
const SIDE_BY_SIDE = 3;

export function planSuite(
  workloads: readonly Workload[],
  faults: readonly Fault[],
  clusters: ClusterTraits,
): SuitePlan {
  const leftOut: LeftOut[] = [];
  const steps = faults.flatMap(({ name: fault, needs }) => {
    const possible = workloads.filter(({ name: workload, kind }) => {
      const lack = lackOf(needs, groundOf(kind, clusters));
      if (lack !== undefined) leftOut.push({ workload, fault, reason: `needs ${lack}` });
      return lack === undefined;
    });
    return chunksOf(possible).map((chunk) => {
      return { fault, workloads: chunk.map(({ name }) => name) };
    });
  });
  return {
    faults: faults.map(({ name }) => name),
    workloads: workloads.map(({ name }) => name),
    steps,
    leftOut,
  };
}

/** As a run makes its clusters. */
function groundOf(kind: Workload["kind"], { nodeCount, linkLacks }: ClusterTraits): FaultGround {
  const nameServerCount = kind === "broker" ? 1 : 0;
  return {
    nodeCount,
    nameServerCount,
    forgets: true,
    hasPlainFiles: true,
    hasClients: true,
    linkLacks,
  };
}

function chunksOf<T>(items: readonly T[]): T[][] {
  const count = Math.ceil(items.length / SIDE_BY_SIDE);
  return Array.from({ length: count }, (_, i) =>
    items.slice(i * SIDE_BY_SIDE, (i + 1) * SIDE_BY_SIDE),
  );
}
