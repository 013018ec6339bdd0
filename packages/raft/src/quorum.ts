/**
 * Arithmetic of majorities: who won a vote, and what a quorum agrees on (paper §5.2, §5.3, §6).
 *
 * While joint, both majorities must agree: a vote needs both, an index is the lower of the two.
 */

import type { Configuration, Member } from "./configuration.ts";
import type { NodeId } from "./ids.ts";

export type VoteResult = "won" | "lost" | "pending";

/** The number of members that decide together: more than half. */
export function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1;
}

/** The state of a vote among one set of members. Nobody outvotes an empty set: it says `won`. */
export function majorityVote(
  members: readonly Member[],
  vote: (id: NodeId) => boolean | undefined,
): VoteResult {
  if (members.length === 0) return "won";
  let granted = 0;
  let missing = 0;
  for (const { id } of members) {
    const answer = vote(id);
    if (answer === true) granted += 1;
    else if (answer === undefined) missing += 1;
  }
  const needed = majorityOf(members.length);
  if (granted >= needed) return "won";
  return granted + missing >= needed ? "pending" : "lost";
}

/** The state of a vote in a configuration, joint or not. */
export function voteResult(
  configuration: Configuration,
  vote: (id: NodeId) => boolean | undefined,
): VoteResult {
  const incoming = majorityVote(configuration.voters, vote);
  const outgoing = majorityVote(configuration.votersOutgoing, vote);
  if (incoming === outgoing) return incoming;
  return incoming === "lost" || outgoing === "lost" ? "lost" : "pending";
}

/**
 * The highest value that a majority of `members` has reached, given what each has.
 *
 * @returns `Infinity` for an empty set, which holds nobody back.
 */
export function majorityIndex(members: readonly Member[], index: (id: NodeId) => number): number {
  if (members.length === 0) return Infinity;
  // Insertion sort, descending: a group has a handful of voters, and this allocates one array.
  const reached: number[] = [];
  for (const { id } of members) {
    const value = index(id);
    let at = reached.length;
    for (; at > 0 && (reached[at - 1] as number) < value; at--)
      reached[at] = reached[at - 1] as number;
    reached[at] = value;
  }
  return reached[majorityOf(members.length) - 1] as number;
}

/** The highest value that all majorities in force have reached; `Infinity` without voters. */
export function quorumIndex(configuration: Configuration, index: (id: NodeId) => number): number {
  return Math.min(
    majorityIndex(configuration.voters, index),
    majorityIndex(configuration.votersOutgoing, index),
  );
}
