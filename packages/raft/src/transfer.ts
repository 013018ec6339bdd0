/** Moving leadership on purpose (thesis §3.10). */

import { sometimes } from "@quorumlog/std";
import { isVoter } from "./configuration.ts";
import type { CoreState } from "./core-state.ts";
import type { NodeId } from "./ids.ts";
import { releaseParked } from "./proposals.ts";
import { maybeSendAppend } from "./replication.ts";
import type { Leader } from "./role.ts";

/**
 * Starts to move leadership to `transferee`: bring it up to date, then have it campaign. Ends when
 * this node hears of a later term, or after one election timeout.
 *
 * @returns false if `transferee` is no voter, or is suspect.
 */
export function startTransfer(core: CoreState, leader: Leader, transferee: NodeId): boolean {
  const progress = leader.tracker.get(transferee);
  if (progress === undefined || !isVoter(core.configuration, transferee)) return false;
  if (progress.isSuspect) return false;
  if (leader.transfer?.transferee === transferee) return true;
  if (leader.transfer !== undefined) abortTransfer(core, leader, "superseded");
  if (transferee === core.id) return true;
  core.emit({ type: "transferStarted", transferee, term: core.currentTerm });
  core.electionElapsed = 0;
  leader.transfer = { transferee, parked: [], parkedBytes: 0 };
  if (progress.matchIndex === core.log.lastIndex())
    sendTimeoutNow(core, leader, { transferee, when: "at-once" });
  else maybeSendAppend(core, progress, "even-if-empty");
  return true;
}

/** The transferee has acknowledged entries; perhaps all of them now. */
export function continueTransfer(core: CoreState, leader: Leader, from: NodeId): void {
  if (leader.transfer?.transferee !== from) return;
  if (leader.tracker.get(from)?.matchIndex !== core.log.lastIndex()) return;
  sendTimeoutNow(core, leader, { transferee: from, when: "caught-up" });
}

/** Gives up; this node leads on, and appends what was parked. */
export function abortTransfer(
  core: CoreState,
  leader: Leader,
  reason: "timeout" | "superseded" | "removed" | "suspect",
): void {
  const { transfer } = leader;
  if (transfer === undefined) return;
  sometimes("transfer aborted");
  leader.transfer = undefined;
  const { transferee } = transfer;
  core.emit({ type: "transferAborted", transferee, term: core.currentTerm, reason });
  releaseParked(core, leader, transfer);
}

function sendTimeoutNow(
  core: CoreState,
  leader: Leader,
  target: { transferee: NodeId; when: "at-once" | "caught-up" },
): void {
  // From now on somebody may be elected although followers heard from this node a moment ago, and
  // the message may take its time: the lease is over for the rest of the term (openraft #1747).
  leader.reads.voidLease();
  sometimes("transfer told to campaign");
  core.emit({ type: "timeoutNowSent", ...target });
  core.send({
    type: "TimeoutNow",
    from: core.id,
    to: target.transferee,
    fromIncarnation: core.incarnation,
    toIncarnation: core.incarnationOf(target.transferee),
    term: core.currentTerm,
  });
}
