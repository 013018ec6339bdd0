/**
 * The work that everything does before it is measured, the same for all: V8 compiles what has run
 * often, and other programs have caches, too.
 */

import { KB } from "./workload.ts";

export interface WarmUp {
  readonly inFlight: number;
  readonly ms: number;
  /** It ends when so many are acknowledged, if that is sooner. */
  readonly messagesMax: number;
}

export const WARM_UP_BODY_BYTES: number = KB;
/** One at a time is the slowest way to have run often, and what is measured first. */
const SERIAL: WarmUp = { inFlight: 1, ms: 8_000, messagesMax: 10_000 };
const FULL = { inFlight: 1_000, messagesMax: 100_000 };
/** Of the time that a load is measured, and what it runs for at least. */
const OWN_SHARE = 0.5;
const OWN_MS_MIN = 500;

/** Before the first workload of a round, one after the other. */
export function warmUpsOf(timeMs: number): readonly WarmUp[] {
  return [{ ...FULL, ms: timeMs }, SERIAL];
}

/** How long a load that is measured for `timeMs` runs before. */
export function ownWarmUpMs(timeMs: number): number {
  return Math.max(OWN_MS_MIN, timeMs * OWN_SHARE);
}
