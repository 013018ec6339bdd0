/**
 * Who is in the group, and in what role (paper §6, thesis §4).
 *
 *     voters          decide, with a majority            (C_new while joint)
 *     votersOutgoing  decide too, with their own majority (C_old; empty unless joint)
 *     learners        receive the log and do not decide
 *     learnersNext    voters of C_old that become learners when the joint state is left
 *
 * Invariants ({@link configurationProblem}): nobody is both voter and learner; `learnersNext` is
 * within `votersOutgoing`; an id stands for one incarnation; members are sorted by id.
 */

import { type Incarnation, isCount, type NodeId } from "./ids.ts";

/** A server, in one life of its disk. */
export interface Member {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
}

export interface Configuration {
  readonly voters: readonly Member[];
  readonly votersOutgoing: readonly Member[];
  readonly learners: readonly Member[];
  readonly learnersNext: readonly Member[];
  /** Joint only: the leader proposes to leave as soon as the joint configuration is applied. */
  readonly autoLeave: boolean;
}

export const EMPTY_CONFIGURATION: Configuration = Object.freeze({
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
});

export function isJoint(configuration: Configuration): boolean {
  return configuration.votersOutgoing.length > 0;
}

/** The member called `id`, in whatever role. */
export function findMember(configuration: Configuration, id: NodeId): Member | undefined {
  return (
    memberIn(configuration.voters, id) ??
    memberIn(configuration.votersOutgoing, id) ??
    memberIn(configuration.learners, id)
  );
}

/** Whether `id` decides, in either half of a joint configuration. */
export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return (
    memberIn(configuration.voters, id) !== undefined ||
    memberIn(configuration.votersOutgoing, id) !== undefined
  );
}

export function memberIn(members: readonly Member[], id: NodeId): Member | undefined {
  for (const member of members) if (member.id === id) return member;
  return undefined;
}

/** All members, ascending by id, each once. */
export function allMembers(configuration: Configuration): Member[] {
  return union(union(configuration.voters, configuration.votersOutgoing), configuration.learners);
}

/** All members that decide, ascending by id, each once. */
export function allVoters(configuration: Configuration): Member[] {
  return union(configuration.voters, configuration.votersOutgoing);
}

function union(left: readonly Member[], right: readonly Member[]): Member[] {
  const all = [...left];
  for (const member of right) if (memberIn(left, member.id) === undefined) all.push(member);
  return all.sort((a, b) => a.id - b.id);
}

/** The first broken invariant, as a sentence; `undefined` for a sound configuration. */
export function configurationProblem(configuration: Configuration): string | undefined {
  const { voters, votersOutgoing, learners, learnersNext } = configuration;
  for (const members of [voters, votersOutgoing, learners, learnersNext]) {
    const problem = membersProblem(members);
    if (problem !== undefined) return problem;
  }
  for (const { id } of learners)
    if (isVoter(configuration, id)) return "a member is both voter and learner";
  for (const member of learnersNext) {
    if (memberIn(votersOutgoing, member.id) === undefined)
      return "a staged learner is not an outgoing voter";
    if (memberIn(voters, member.id) !== undefined) return "a staged learner is an incoming voter";
  }
  for (const { id, incarnation } of [...voters, ...learnersNext]) {
    const outgoing = memberIn(votersOutgoing, id);
    if (outgoing !== undefined && outgoing.incarnation !== incarnation)
      return "an id stands for two incarnations";
  }
  if (votersOutgoing.length === 0) {
    if (learnersNext.length > 0) return "a learner is staged outside a joint configuration";
    if (configuration.autoLeave) return "autoLeave is set outside a joint configuration";
  } else if (voters.length === 0) {
    return "a joint configuration has no incoming voters";
  }
  return undefined;
}

function membersProblem(members: readonly Member[]): string | undefined {
  let previous = 0;
  for (const { id, incarnation } of members) {
    if (!isCount(id, 1)) return "a member's id is not a positive integer";
    if (!isCount(incarnation, 0)) return "a member's incarnation is not a count";
    if (id <= previous) return "members are not sorted by id, each once";
    previous = id;
  }
  return undefined;
}

export function configurationsEqual(left: Configuration, right: Configuration): boolean {
  return (
    left.autoLeave === right.autoLeave &&
    membersEqual(left.voters, right.voters) &&
    membersEqual(left.votersOutgoing, right.votersOutgoing) &&
    membersEqual(left.learners, right.learners) &&
    membersEqual(left.learnersNext, right.learnersNext)
  );
}

function membersEqual(left: readonly Member[], right: readonly Member[]): boolean {
  return (
    left.length === right.length &&
    left.every((member, i) => {
      const other = right[i];
      return other?.id === member.id && other.incarnation === member.incarnation;
    })
  );
}
