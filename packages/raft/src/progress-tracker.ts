/** The leader's view of every member's progress, and what quorums of them have reached. */

import { assert } from "@quorumlog/std";
import { allMembers, type Configuration, EMPTY_CONFIGURATION, memberIn } from "./configuration.ts";
import type { ChangedConfiguration } from "./configuration-changer.ts";
import type { LogIndex, NodeId } from "./ids.ts";
import type { InflightLimits } from "./inflights.ts";
import { Progress, type ProgressView } from "./progress.ts";
import { quorumIndex, voteResult } from "./quorum.ts";

export class ProgressTracker {
  readonly #limits: InflightLimits;
  #configuration: Configuration = EMPTY_CONFIGURATION;
  readonly #byId = new Map<NodeId, Progress>();
  /** Ascending by id, so that every run visits members in the same order. */
  #ascending: readonly Progress[] = [];

  constructor(limits: InflightLimits) {
    this.#limits = limits;
  }

  /**
   * Follows a change of configuration. A member in `fresh` starts in `probe` at `lastIndex`, a good
   * guess for a new one, and counts as active, so that check-quorum gives it time to speak.
   */
  reconcile(changed: ChangedConfiguration, lastIndex: LogIndex): void {
    this.#configuration = changed.configuration;
    const ascending: Progress[] = [];
    const members = allMembers(changed.configuration);
    for (const member of members) {
      let progress = this.#byId.get(member.id);
      if (progress === undefined || changed.fresh.includes(member.id)) {
        const nextIndex = Math.max(lastIndex, 1);
        progress = new Progress({ ...member, nextIndex, limits: this.#limits });
        progress.recentActive = true;
        this.#byId.set(member.id, progress);
      }
      progress.incarnation = member.incarnation;
      progress.isLearner = memberIn(changed.configuration.learners, member.id) !== undefined;
      ascending.push(progress);
    }
    for (const id of this.#byId.keys())
      if (memberIn(members, id) === undefined) this.#byId.delete(id);
    this.#ascending = ascending;
    assert(this.#byId.size === ascending.length, "each member has one progress");
  }

  /** Starts a new leader's view: nothing is known of anyone, and everyone is probed at the end. */
  startTerm(configuration: Configuration, lastIndex: LogIndex): void {
    this.#byId.clear();
    this.reconcile({ configuration, fresh: [] }, lastIndex + 1);
    for (const progress of this.#ascending) progress.recentActive = false;
  }

  get(id: NodeId): Progress | undefined {
    return this.#byId.get(id);
  }

  all(): readonly Progress[] {
    return this.#ascending;
  }

  views(): ProgressView[] {
    return this.#ascending.map((progress) => progress.view());
  }

  /** The highest index that a quorum holds durably. Says nothing of its term: see maybeCommit. */
  committedIndex(): LogIndex {
    return quorumIndex(this.#configuration, this.#countedIndex);
  }

  /** The highest heartbeat round that a quorum answered. */
  ackedRound(): number {
    return quorumIndex(this.#configuration, this.#ackedRound);
  }

  /**
   * Whether a quorum was heard from since this was last asked; starts the next period. Who is
   * suspect is heard, too: it keeps its term, so it proves that nobody else was elected, and a
   * leader that left it for that would leave it without anybody to catch up with.
   */
  takeQuorumActive(self: NodeId): boolean {
    const active = (id: NodeId): boolean => this.#byId.get(id)?.recentActive === true;
    const isActive = voteResult(this.#configuration, active) === "won";
    for (const progress of this.#ascending) progress.recentActive = progress.id === self;
    return isActive;
  }

  readonly #countedIndex = (id: NodeId): LogIndex => this.#byId.get(id)?.countedIndex ?? 0;
  readonly #ackedRound = (id: NodeId): number => this.#byId.get(id)?.ackedRound ?? 0;
}
