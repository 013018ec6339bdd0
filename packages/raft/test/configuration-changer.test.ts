// Goal: each step between configurations keeps old and new majorities overlapping, or is refused.
// Method: the pure steps by hand, then long random sequences of them (fast-check).
// Paper §6 (joint consensus), thesis §4.1 (one server at a time), §4.3 (arbitrary changes).

import { describe, expect, test } from "vitest";
import {
  applyChange,
  type ChangeOutcome,
  type Configuration,
  configurationProblem,
  enterJoint,
  isJoint,
  leaveJoint,
  majorityOf,
  type MemberChange,
  type MemberOperation,
  ProgressTracker,
  simpleChange,
} from "../src/index.ts";
import { changeSet, configurationOf, ids, members, singleChange } from "./kit/members.ts";
import { fc } from "./kit/properties.ts";

type Short = readonly (readonly [MemberOperation, number])[];

function changes(...list: Short): readonly MemberChange[] {
  return list.map(([operation, id]) => ({ operation, member: { id, incarnation: 0 } }));
}

function done(outcome: ChangeOutcome): Configuration {
  if (!outcome.ok) throw new Error(outcome.problem);
  return outcome.configuration;
}

function fresh(outcome: ChangeOutcome): readonly number[] {
  return outcome.ok ? outcome.fresh : [];
}

function problem(outcome: ChangeOutcome): string | undefined {
  return outcome.ok ? undefined : outcome.problem;
}

const ONE = configurationOf({ voters: [1] });
const THREE = configurationOf({ voters: [1, 2, 3] });

describe("a simple change", () => {
  test("adds a voter, which starts anew", () => {
    const outcome = simpleChange(THREE, changes(["addVoter", 4]));
    expect(done(outcome)).toEqual(configurationOf({ voters: [1, 2, 3, 4] }));
    expect(fresh(outcome)).toEqual([4]);
  });

  test("adds any number of learners", () => {
    const outcome = simpleChange(ONE, changes(["addLearner", 3], ["addLearner", 2]));
    expect(done(outcome)).toEqual(configurationOf({ voters: [1], learners: [2, 3] }));
  });

  test("promotes a learner and demotes a voter, whose progress goes on", () => {
    const start = configurationOf({ voters: [1, 2], learners: [3] });
    const promoted = simpleChange(start, changes(["addVoter", 3]));
    expect(done(promoted)).toEqual(THREE);
    expect(fresh(promoted)).toEqual([]);
    const demoted = simpleChange(THREE, changes(["addLearner", 3]));
    expect(done(demoted)).toEqual(start);
    expect(fresh(demoted)).toEqual([]);
  });

  test("does nothing for what is so already, for strangers, or for an update", () => {
    for (const same of [
      changes(["addVoter", 2]),
      changes(["remove", 9]),
      changes(["update", 2]),
      changes(["addVoter", 0]),
    ])
      expect(done(simpleChange(THREE, same))).toEqual(THREE);
  });

  test.each<[string, Configuration, Short]>([
    [
      "more than one voter changed",
      THREE,
      [
        ["addVoter", 4],
        ["addVoter", 5],
      ],
    ],
    [
      "more than one voter changed",
      THREE,
      [
        ["addVoter", 4],
        ["remove", 1],
      ],
    ],
    [
      "more than one voter changed",
      THREE,
      [
        ["addLearner", 1],
        ["addLearner", 2],
      ],
    ],
    ["removed all voters", ONE, [["remove", 1]]],
    ["removed all voters", ONE, [["addLearner", 1]]],
    ["joint config", configurationOf({ voters: [1], votersOutgoing: [1] }), [["addVoter", 2]]],
  ])("is refused: %s", (words, start, list) => {
    expect(problem(simpleChange(start, changes(...list)))).toContain(words);
  });
});

describe("a joint change", () => {
  test("keeps the old majority in force beside the new one", () => {
    const joint = enterJoint(THREE, changes(["addVoter", 4], ["remove", 1]), true);
    const expected = { voters: [2, 3, 4], votersOutgoing: [1, 2, 3], autoLeave: true };
    expect(done(joint)).toEqual(configurationOf(expected));
  });

  test("stages a voter that becomes a learner until the old majority is gone", () => {
    const joint = done(enterJoint(THREE, changes(["addLearner", 1]), false));
    const expected = { voters: [2, 3], votersOutgoing: [1, 2, 3], learnersNext: [1] };
    expect(joint).toEqual(configurationOf(expected));
    expect(done(leaveJoint(joint))).toEqual(configurationOf({ voters: [2, 3], learners: [1] }));
  });

  test("drops outgoing voters on leaving", () => {
    const joint = done(enterJoint(THREE, changes(["remove", 1], ["remove", 2]), false));
    expect(done(leaveJoint(joint))).toEqual(configurationOf({ voters: [3] }));
  });

  test("takes the last word about a member that is changed twice", () => {
    const twice = changes(["addLearner", 4], ["addVoter", 4], ["addLearner", 1], ["addVoter", 1]);
    const joint = done(enterJoint(THREE, twice, false));
    expect(ids(joint.voters)).toEqual([1, 2, 3, 4]);
    expect(joint.learners).toEqual([]);
    expect(joint.learnersNext).toEqual([]);
  });

  test("of a member that joins and leaves at once leaves no trace", () => {
    const outcome = enterJoint(THREE, changes(["addVoter", 4], ["remove", 4]), false);
    expect(ids(done(outcome).voters)).toEqual([1, 2, 3]);
    expect(fresh(outcome)).toEqual([]);
  });

  test("is refused where it cannot be", () => {
    const joint = done(enterJoint(THREE, changes(["addVoter", 4]), false));
    expect(problem(enterJoint(joint, changes(), false))).toBe("config is already joint");
    expect(problem(leaveJoint(THREE))).toBe("can't leave a non-joint config");
    const empty = configurationOf({ voters: [] });
    expect(problem(enterJoint(empty, changes(["addVoter", 1]), false))).toContain("zero-voter");
    const all = changes(["remove", 1], ["remove", 2], ["remove", 3]);
    expect(problem(enterJoint(THREE, all, false))).toBe("removed all voters");
  });
});

describe("the transition that is asked for", () => {
  test.each([
    ["auto, one change: at once", changeSet("auto", ["addVoter", 4]), false, false],
    ["single: at once", singleChange("remove", 3), false, false],
    [
      "auto, two: joint, left by itself",
      changeSet("auto", ["addVoter", 4], ["remove", 1]),
      true,
      true,
    ],
    ["implicit, one: joint, left by itself", changeSet("implicit", ["addVoter", 4]), true, true],
    ["explicit, one: joint, stays", changeSet("explicit", ["addVoter", 4]), true, false],
    ["explicit, none: joint, stays", changeSet("explicit"), true, false],
  ])("%s", (_, change, joint, autoLeave) => {
    const configuration = done(applyChange(THREE, change));
    expect([isJoint(configuration), configuration.autoLeave]).toEqual([joint, autoLeave]);
  });

  test("an empty change leaves the joint configuration", () => {
    const joint = done(applyChange(THREE, changeSet("explicit", ["remove", 1])));
    expect(done(applyChange(joint, changeSet("auto")))).toEqual(
      configurationOf({ voters: [2, 3] }),
    );
  });
});

describe("incarnations", () => {
  const returned: MemberChange = { operation: "addVoter", member: { id: 3, incarnation: 1 } };

  test("a member that lost its disk must be removed before it is added", () => {
    expect(problem(simpleChange(THREE, [returned]))).toContain("remove it first");
    const without = done(simpleChange(THREE, changes(["remove", 3])));
    const outcome = simpleChange(without, [returned]);
    expect(done(outcome).voters).toEqual([...members(1, 2), { id: 3, incarnation: 1 }]);
    expect(fresh(outcome)).toEqual([3]);
  });

  test("while its former life still votes in the old majority it cannot come back", () => {
    const joint = enterJoint(THREE, [...changes(["remove", 3]), returned], false);
    expect(problem(joint)).toContain("remove it first");
  });

  test("two voters on new disks are two changes, though their ids stay", () => {
    const swap = [2, 3].flatMap((id): MemberChange[] => [
      { operation: "remove", member: { id, incarnation: 0 } },
      { operation: "addVoter", member: { id, incarnation: 1 } },
    ]);
    expect(problem(simpleChange(THREE, swap))).toContain("more than one voter");
  });
});

function take(
  from: Configuration,
  {
    kind,
    changes: list,
    autoLeave,
  }: {
    kind: string;
    changes: readonly MemberChange[];
    autoLeave: boolean;
  },
): ChangeOutcome {
  if (kind === "simple") return simpleChange(from, list);
  return kind === "enter" ? enterJoint(from, list, autoLeave) : leaveJoint(from);
}

/** The sets that each decide by majority. */
function halves({ voters, votersOutgoing }: Configuration): number[][] {
  return [voters, votersOutgoing].filter((list) => list.length > 0).map((list) => ids(list));
}

/** Whether two majorities cannot miss each other: there is no room for both. */
function meet(a: readonly number[], b: readonly number[]): boolean {
  const union = new Set([...a, ...b]).size;
  return majorityOf(a.length) + majorityOf(b.length) > union;
}

/** Whether no quorum of the one can decide without a member of every quorum of the other. */
function overlap(configuration: Configuration, next: Configuration): boolean {
  return halves(configuration).some((a) => halves(next).some((b) => meet(a, b)));
}

describe("along any sequence of steps", () => {
  const operation = fc.constantFrom("addVoter", "addLearner", "remove", "update");
  const memberChange: fc.Arbitrary<MemberChange> = fc.record({
    operation,
    member: fc.record({
      id: fc.integer({ min: 0, max: 6 }),
      incarnation: fc.integer({ min: 0, max: 1 }),
    }),
  });
  const step = fc.record({
    kind: fc.constantFrom("simple", "enter", "leave"),
    changes: fc.array(memberChange, { maxLength: 4 }),
    autoLeave: fc.boolean(),
  });

  test("configurations stay sound, majorities overlap, and progress follows the members", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        let configuration = THREE;
        const tracker = new ProgressTracker({ inflightCountMax: 1, inflightBytesMax: 1 });
        tracker.startTerm(configuration, 10);
        for (const each of steps) {
          const outcome = take(configuration, each);
          if (!outcome.ok) continue;
          expect(configurationProblem(outcome.configuration)).toBeUndefined();
          expect(overlap(configuration, outcome.configuration)).toBe(true);
          configuration = outcome.configuration;
          tracker.reconcile(outcome, 10);
          const { voters, votersOutgoing, learners } = configuration;
          const all = new Set([...ids(voters), ...ids(votersOutgoing), ...ids(learners)]);
          expect(tracker.views().map(({ id }) => id)).toEqual([...all].sort((a, b) => a - b));
        }
      }),
      { numRuns: 500 },
    );
  });

  test("a change through the joint configuration ends where one step would", () => {
    fc.assert(
      fc.property(fc.array(memberChange, { maxLength: 1 }), (list) => {
        const direct = simpleChange(THREE, list);
        const joint = enterJoint(THREE, list, false);
        if (!direct.ok || !joint.ok) return;
        expect(done(leaveJoint(joint.configuration))).toEqual(direct.configuration);
      }),
    );
  });

  test("the outcome depends on nothing else", () => {
    fc.assert(
      fc.property(step, (each) => {
        expect(take(THREE, each)).toEqual(take(structuredClone(THREE), structuredClone(each)));
      }),
    );
  });
});

describe("a change that names another life of a member's disk is refused", () => {
  const configuration = configurationOf({ voters: [1, 2, 3] });
  test.each(["addVoter", "addLearner", "remove"] as const)("%s", (operation) => {
    const change = { operation, member: { id: 2, incarnation: 1 } };
    expect(simpleChange(configuration, [change])).toMatchObject({ ok: false });
  });
});
