/** Whether so many voters are suspect that the group is stuck until an owner decides. */

import { allVoters, type Configuration, voteResult } from "@quorumlog/raft";
import type { HealthReport } from "./node-health.ts";

/** What a node knows when it looks around. */
export interface SuspicionView {
  readonly nodeId: number;
  readonly leaderId: number | undefined;
  readonly configuration: Configuration;
  readonly own: HealthReport;
  /** Of the others that are there, as they have said. */
  readonly reports: ReadonlyMap<number, HealthReport>;
}

export class SuspicionWatch {
  #isTold = false;

  /** @returns who is suspect, once each time that nobody can be elected for it. */
  look(view: SuspicionView): readonly number[] | undefined {
    const { nodeId, leaderId, configuration, own, reports } = view;
    const isSuspect = (id: number): boolean | undefined =>
      (id === nodeId ? own : reports.get(id))?.isSuspect;
    const mayVote = (id: number): boolean | undefined => {
      const answer = isSuspect(id);
      return answer === undefined ? undefined : !answer;
    };
    // A leader that was elected before lets them catch up.
    const isStuck = leaderId === undefined && voteResult(configuration, mayVote) === "lost";
    const isNews = isStuck && !this.#isTold;
    this.#isTold = isStuck;
    if (!isNews) return undefined;
    return allVoters(configuration)
      .map(({ id }) => id)
      .filter((id) => isSuspect(id) === true);
  }
}
