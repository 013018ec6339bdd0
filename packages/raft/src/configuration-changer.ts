/**
 * Pure steps from one configuration to the next (paper §6, thesis §4).
 *
 *     C_old ── enterJoint ──> C_old,new ── leaveJoint ──> C_new
 *     C     ── simpleChange (at most one voter differs) ──> C'
 *
 * Every step takes a sound configuration and returns a sound one, or the problem in words. The same
 * input gives the same output on every member, so a step that fails fails everywhere.
 */

import { assert } from "@quorumlog/std";
import {
  type Configuration,
  configurationProblem,
  isJoint,
  type Member,
  memberIn,
} from "./configuration.ts";
import {
  type ConfigurationChange,
  isLeaveJoint,
  jointTransition,
  type MemberChange,
} from "./configuration-change.ts";
import type { NodeId } from "./ids.ts";

export interface ChangedConfiguration {
  readonly configuration: Configuration;
  /** Members whose replication progress starts anew: they joined, or left and joined again. */
  readonly fresh: readonly NodeId[];
}

export type ChangeOutcome =
  | ({ readonly ok: true } & ChangedConfiguration)
  | { readonly ok: false; readonly problem: string };

/** Applies `change` by the transition that it asks for. */
export function applyChange(
  configuration: Configuration,
  change: ConfigurationChange,
): ChangeOutcome {
  if (isLeaveJoint(change) && change.transition === "auto") return leaveJoint(configuration);
  const transition = jointTransition(change);
  if (transition === "none") return simpleChange(configuration, change.changes);
  return enterJoint(configuration, change.changes, transition === "autoLeave");
}

/** Changes that together touch at most one voter, so that old and new majorities overlap (§4.1). */
export function simpleChange(
  configuration: Configuration,
  changes: readonly MemberChange[],
): ChangeOutcome {
  if (isJoint(configuration)) return failed("can't apply simple config change in joint config");
  const draft = new Draft(configuration);
  const problem = draft.change(changes);
  if (problem !== undefined) return failed(problem);
  if (difference(configuration.voters, draft.voters) > 1)
    return failed("more than one voter changed without entering joint config");
  return draft.finish(false);
}

/** From C_old to C_old,new: the outgoing majority stays in force beside the changed one. */
export function enterJoint(
  configuration: Configuration,
  changes: readonly MemberChange[],
  autoLeave: boolean,
): ChangeOutcome {
  if (isJoint(configuration)) return failed("config is already joint");
  if (configuration.voters.length === 0) return failed("can't make a zero-voter config joint");
  const draft = new Draft({ ...configuration, votersOutgoing: configuration.voters });
  const problem = draft.change(changes);
  if (problem !== undefined) return failed(problem);
  return draft.finish(autoLeave);
}

/** From C_old,new to C_new: staged learners become learners, outgoing voters that are not go. */
export function leaveJoint(configuration: Configuration): ChangeOutcome {
  if (!isJoint(configuration)) return failed("can't leave a non-joint config");
  const left = {
    voters: configuration.voters,
    votersOutgoing: [],
    learners: sorted([...configuration.learners, ...configuration.learnersNext]),
    learnersNext: [],
    autoLeave: false,
  };
  assert(configurationProblem(left) === undefined, "leaving a sound joint state stays sound");
  return { ok: true, configuration: left, fresh: [] };
}

/** A configuration under change. */
class Draft {
  voters: readonly Member[];
  readonly #outgoing: readonly Member[];
  #learners: readonly Member[];
  #learnersNext: readonly Member[];
  readonly #fresh = new Set<NodeId>();

  constructor(from: Configuration) {
    this.voters = from.voters;
    this.#outgoing = from.votersOutgoing;
    this.#learners = from.learners;
    this.#learnersNext = from.learnersNext;
  }

  /** @returns the problem, if there is one; the draft is then of no use. */
  change(changes: readonly MemberChange[]): string | undefined {
    for (const { operation, member } of changes) {
      // Id 0 stands for a change that was withdrawn after it was proposed.
      if (member.id === 0) continue;
      const known = this.#find(member.id);
      const isOther = known !== undefined && known.incarnation !== member.incarnation;
      // A removal that is tried again must not hit the life that came after.
      if (isOther && operation === "remove")
        return `member ${member.id} has incarnation ${known.incarnation}`;
      if (isOther && operation !== "update")
        return `member ${member.id} has incarnation ${known.incarnation}; remove it first`;
      if (operation === "addVoter") this.#addVoter(member);
      else if (operation === "addLearner") this.#addLearner(member);
      else if (operation === "remove") this.#remove(member.id);
    }
    return this.voters.length === 0 ? "removed all voters" : undefined;
  }

  finish(autoLeave: boolean): ChangeOutcome {
    const configuration: Configuration = {
      voters: this.voters,
      votersOutgoing: this.#outgoing,
      learners: this.#learners,
      learnersNext: this.#learnersNext,
      autoLeave,
    };
    assert(configurationProblem(configuration) === undefined, "a change keeps a sound state sound");
    return { ok: true, configuration, fresh: [...this.#fresh].sort((a, b) => a - b) };
  }

  #find(id: NodeId): Member | undefined {
    return (
      memberIn(this.voters, id) ?? memberIn(this.#outgoing, id) ?? memberIn(this.#learners, id)
    );
  }

  #addVoter(member: Member): void {
    if (this.#find(member.id) === undefined) this.#fresh.add(member.id);
    this.#learners = without(this.#learners, member.id);
    this.#learnersNext = without(this.#learnersNext, member.id);
    this.voters = withMember(this.voters, member);
  }

  #addLearner(member: Member): void {
    if (memberIn(this.#learners, member.id) !== undefined) return;
    if (this.#find(member.id) === undefined) this.#fresh.add(member.id);
    this.voters = without(this.voters, member.id);
    // While its old vote still counts it cannot be a learner: it becomes one on leaving.
    if (memberIn(this.#outgoing, member.id) !== undefined)
      this.#learnersNext = withMember(this.#learnersNext, member);
    else this.#learners = withMember(this.#learners, member);
  }

  #remove(id: NodeId): void {
    this.voters = without(this.voters, id);
    this.#learners = without(this.#learners, id);
    this.#learnersNext = without(this.#learnersNext, id);
    if (this.#find(id) === undefined) this.#fresh.delete(id);
  }
}

function failed(problem: string): ChangeOutcome {
  return { ok: false, problem };
}

function sorted(members: Member[]): Member[] {
  return members.sort((a, b) => a.id - b.id);
}

function without(members: readonly Member[], id: NodeId): readonly Member[] {
  return members.filter((member) => member.id !== id);
}

function withMember(members: readonly Member[], member: Member): readonly Member[] {
  return sorted([...without(members, member.id), member]);
}

/** How many members are in one set and not in the other. */
function difference(left: readonly Member[], right: readonly Member[]): number {
  const gone = left.filter((member) => !holds(right, member));
  const come = right.filter((member) => !holds(left, member));
  return gone.length + come.length;
}

function holds(members: readonly Member[], { id, incarnation }: Member): boolean {
  return memberIn(members, id)?.incarnation === incarnation;
}
