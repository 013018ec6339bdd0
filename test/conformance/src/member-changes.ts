/**
 * The short form of changes of membership, in scripts and in their output: `v3 l4 r5 u2` makes 3 a
 * voter and 4 a learner, removes 5, and updates 2.
 */

import type { MemberChange, MemberOperation } from "@quorumlog/raft";
import { CommandError } from "./arguments.ts";

/** The scripts know of one life of each node's disk. */
export const INCARNATION = 1;

const LETTERS: Readonly<Record<MemberOperation, string>> = {
  addVoter: "v",
  addLearner: "l",
  remove: "r",
  update: "u",
};

/** @throws {@link CommandError} that names the first part that cannot be read. */
export function parseMemberChanges(text: string): MemberChange[] {
  const parts = text.split(/\s+/).filter((part) => part !== "");
  return parts.map((part) => {
    const match = /^([a-z])(\d+)$/.exec(part);
    const letter = match?.[1];
    const operations = Object.keys(LETTERS) as MemberOperation[];
    const operation = operations.find((candidate) => LETTERS[candidate] === letter);
    if (match === null || operation === undefined) throw new CommandError(`unknown input: ${part}`);
    return { operation, member: { id: Number(match[2]), incarnation: INCARNATION } };
  });
}

export function describeMemberChanges(changes: readonly MemberChange[]): string {
  return changes.map(({ operation, member }) => `${LETTERS[operation]}${member.id}`).join(" ");
}
