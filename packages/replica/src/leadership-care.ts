/**
 * To whom a leader hands over without being asked: away from a disk that became slow, or has lost
 * what a follower or a new node needs; away from a state that is yet to be made of a long log; and
 * back to the node that is preferred, once it is ready.
 */

import type { ProgressView } from "@quorumlog/raft";
import type { HealthReport } from "./node-health.ts";

/** What a leader knows when it looks around. */
export interface LeaderView {
  readonly nodeId: number;
  readonly commitIndex: number;
  readonly progress: readonly ProgressView[];
  readonly own: HealthReport;
  /** Of the others, as they have said. */
  readonly reports: ReadonlyMap<number, HealthReport>;
}

/** Looks in a row that a node has to be ready for. */
const READY_LOOKS = 5;
/** Looks to sit out after each hand-over that was tried. */
const REST_LOOKS = 30;

export class LeadershipCare {
  /** Best first; those who are missing come last, and are all the same. */
  readonly #preferred: readonly number[];
  #candidate: number | undefined;
  #looks = 0;
  #rest = 0;

  constructor(preferred: readonly number[]) {
    this.#preferred = preferred;
  }

  /**
   * To be called once a second on a leader.
   *
   * @returns whom to hand over to, now.
   */
  look(view: LeaderView): number | undefined {
    if (this.#rest > 0) {
      this.#rest -= 1;
      return undefined;
    }
    const heir = this.#heir(view);
    this.#looks = heir !== undefined && heir === this.#candidate ? this.#looks + 1 : 1;
    this.#candidate = heir;
    // A disk that is not well is reason enough at once; a preference can wait.
    if (heir === undefined || (!isUnfit(view.own) && this.#looks < READY_LOOKS)) return undefined;
    this.#rest = REST_LOOKS;
    this.#looks = 0;
    return heir;
  }

  /** This node does not lead. */
  forget(): void {
    this.#candidate = undefined;
    this.#looks = 0;
    this.#rest = 0;
  }

  #heir(view: LeaderView): number | undefined {
    const ready = view.progress
      .filter((member) => isReady(member, view))
      .sort((a, b) => this.#rank(a.id) - this.#rank(b.id) || b.matchIndex - a.matchIndex);
    const best = ready[0]?.id;
    if (best === undefined) return undefined;
    return isUnfit(view.own) || this.#rank(best) < this.#rank(view.nodeId) ? best : undefined;
  }

  #rank(nodeId: number): number {
    const rank = this.#preferred.indexOf(nodeId);
    return rank === -1 ? this.#preferred.length : rank;
  }
}

/** A voter that is here, up to date, and well. One that is suspect may not lead. */
function isReady(member: ProgressView, { nodeId, commitIndex, reports }: LeaderView): boolean {
  const { id, isLearner, recentActive, isSuspect, state, matchIndex } = member;
  const report = reports.get(id);
  const isWell = report !== undefined && !report.isFull && !isUnfit(report);
  const isThere = id !== nodeId && !isLearner && recentActive && !isSuspect;
  return isThere && isWell && state === "replicate" && matchIndex >= commitIndex;
}

/** To lead: a disk that is full is of no use to any leader, whoever that is. */
function isUnfit({ isSlow, isDamaged, isCatchingUp }: HealthReport): boolean {
  return isSlow || isDamaged || isCatchingUp;
}
