/** Short ways to say who is in a group. */

import type {
  Configuration,
  ConfigurationChange,
  Member,
  MemberOperation,
} from "../../src/index.ts";

/** Members in their first life, ascending by id. */
export function members(...list: readonly number[]): Member[] {
  return list.map((id) => ({ id, incarnation: 0 }));
}

export interface Roles {
  readonly voters: readonly number[];
  readonly votersOutgoing?: readonly number[];
  readonly learners?: readonly number[];
  readonly learnersNext?: readonly number[];
  readonly autoLeave?: boolean;
}

export function configurationOf(roles: Roles): Configuration {
  return {
    voters: members(...roles.voters),
    votersOutgoing: members(...(roles.votersOutgoing ?? [])),
    learners: members(...(roles.learners ?? [])),
    learnersNext: members(...(roles.learnersNext ?? [])),
    autoLeave: roles.autoLeave ?? false,
  };
}

export function ids(list: readonly Member[]): number[] {
  return list.map(({ id }) => id);
}

/** The short form of one change. */
export function singleChange(
  operation: MemberOperation,
  id: number,
  incarnation = 0,
): ConfigurationChange {
  return {
    form: "single",
    transition: "auto",
    changes: [{ operation, member: { id, incarnation } }],
  };
}

/** A set of changes, written as `["addVoter", 4], ["remove", 1]`. */
export function changeSet(
  transition: ConfigurationChange["transition"],
  ...changes: readonly (readonly [MemberOperation, number])[]
): ConfigurationChange {
  return {
    form: "set",
    transition,
    changes: changes.map(([operation, id]) => ({ operation, member: { id, incarnation: 0 } })),
  };
}
