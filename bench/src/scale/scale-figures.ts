/** What is measured of a step beside the small case, and what comes of it. */

import { type Spread, spreadOf } from "../spread.ts";
import type { AuditFigures } from "./stored-audit.ts";

/** One measurement of one case. */
export interface CaseWindow {
  /** Acknowledged messages. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of processor time per acknowledged message: of the client, all brokers, and all groups. */
  readonly clientMicros: number;
  readonly brokerMicros: number;
  readonly groupsMicros: number;
  /** Of one core: what the other case's cluster has used meanwhile, doing nothing. */
  readonly idleShare: number;
}

export interface Restart {
  /** Until each node serves. */
  readonly openSeconds: number;
  /** Until a message is acknowledged. */
  readonly publishSeconds: number;
}

/** What is measured of one case. */
export interface CaseFigures {
  /** Round by round, in the order of the other case's. */
  readonly windows: readonly CaseWindow[];
  /** Of each broker, leaders first. */
  readonly anonymousMb: readonly number[];
  readonly restart: Restart | undefined;
  readonly audit: AuditFigures;
}

export interface StepResult {
  readonly dimension: string;
  readonly step: number;
  readonly big: CaseFigures;
  readonly small: CaseFigures;
  /** Messages per second of filling, million by million; empty if nothing was filled. */
  readonly fillRates: readonly number[];
}

/** Of what a step has cost beside the small case: each round's ratio, as noise is of its time. */
export function ratioOf(
  { big, small }: Pick<StepResult, "big" | "small">,
  figureOf: (window: CaseWindow) => number,
): Spread | undefined {
  const ratios = big.windows.flatMap((window, round) => {
    const beside = small.windows[round];
    return beside === undefined ? [] : [figureOf(window) / figureOf(beside)];
  });
  return spreadOf(ratios);
}

/** @returns what is wrong with what was stored; empty if nothing is. */
export function faultsOf({ audit }: CaseFigures): string[] {
  const { acked, repeated, lost, strange, wrongBlocks } = audit;
  const faults: string[] = [];
  if (lost > 0) faults.push(`${lost} of ${acked} acknowledged messages are lost`);
  if (repeated > 0) faults.push(`${repeated} offsets were acknowledged twice`);
  if (strange > 0) faults.push(`${strange} messages are stored that nobody was told of`);
  if (wrongBlocks > 0) faults.push(`${wrongBlocks} blocks were not read as they were acknowledged`);
  return faults;
}
