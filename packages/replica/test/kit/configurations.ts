/** Configurations, by hand and by chance. */

import { type Configuration, EMPTY_CONFIGURATION, type Member } from "@quorumlog/raft";
import { fc } from "./properties.ts";

/** As large as the core takes a number. */
export const COUNT_MAX: number = 2 ** 52;

export function members(...ids: readonly number[]): Member[] {
  return ids.map((id) => ({ id, incarnation: id * 10 }));
}

export function voting(...ids: readonly number[]): Configuration {
  return { ...EMPTY_CONFIGURATION, voters: members(...ids) };
}

export const JOINT: Configuration = {
  voters: members(1, 2, 4),
  votersOutgoing: members(1, 2, 3),
  learners: members(7),
  learnersNext: members(3),
  autoLeave: true,
};

const count = fc.oneof(fc.nat(9), fc.nat(2 ** 31 - 1), fc.constant(COUNT_MAX));

/** Any sound one with voters, joint or not. */
export const configurations: fc.Arbitrary<Configuration> = fc
  .record({
    list: fc.uniqueArray(
      fc.record({
        id: count.map((id) => Math.max(1, id)),
        incarnation: count,
        roles: fc.nat(6),
      }),
      { minLength: 1, maxLength: 9, selector: ({ id }) => id },
    ),
    isJoint: fc.boolean(),
    autoLeave: fc.boolean(),
  })
  .map(({ list, isJoint, autoLeave }) => {
    const sorted = list.toSorted((a, b) => a.id - b.id);
    const first = sorted[0]?.id;
    const pick = (isIn: (roles: number, id: number) => boolean): Member[] =>
      sorted
        .filter(({ roles, id }) => isIn(roles, id))
        .map(({ id, incarnation }) => ({ id, incarnation }));
    const outgoing = pick((roles, id) => roles === 1 || roles === 3 || id === first);
    return {
      voters: pick((roles, id) => roles < 2 || id === first),
      votersOutgoing: isJoint ? outgoing : [],
      learners: pick((roles, id) => roles > 3 && id !== first),
      learnersNext: isJoint ? pick((roles, id) => roles === 3 && id !== first) : [],
      autoLeave: isJoint && autoLeave,
    };
  });
