/** What an end of a node's process says about the system, whatever was done to the node. */

import { type ErrorReport, isBrokenInvariant } from "@quorumlog/integration/testing";

/**
 * `broken-invariant`: an assertion of the node's did not hold. `unsound-disk`: its files are not
 * what it may have left there, though no fault has damaged them.
 */
export type NodeFinding = "broken-invariant" | "unsound-disk";

const UNSOUND: ReadonlySet<string | undefined> = new Set([
  "DISK_LOST",
  "LOG_CORRUPT",
  "LOG_MISSING",
  "LOG_SEGMENT_MISSING",
  "SNAPSHOT_CORRUPT",
]);

/** @param report - The last words of a node that nobody has damaged, and nobody has ended. */
export function findingOf(report: ErrorReport): NodeFinding | undefined {
  if (isBrokenInvariant(report)) return "broken-invariant";
  return isUnsound(report) ? "unsound-disk" : undefined;
}

function isUnsound({ code, cause }: ErrorReport): boolean {
  // A replica that fails, and not by a call to the disk, misses what its log begins behind.
  if (cause === undefined) return UNSOUND.has(code) || code === "FAILED";
  return UNSOUND.has(code) || isUnsound(cause);
}
