// Goal: a change reads back as it was written, and bytes of any other origin read as nothing.
// Method: round trips of arbitrary well-formed changes; arbitrary and damaged bytes.
// The byte layout is drawn in configuration-change.ts.

import { describe, expect, test } from "vitest";
import {
  type ConfigurationChange,
  decodeConfigurationChange,
  encodeConfigurationChange,
  LEAVE_JOINT,
} from "../src/index.ts";
import { changeProblem, MEMBER_CHANGE_COUNT_MAX } from "../src/configuration-change.ts";
import { changeSet, singleChange } from "./kit/members.ts";
import { fc } from "./kit/properties.ts";

const count = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 52 }));
const memberChange = fc.record({
  operation: fc.constantFrom("addVoter", "addLearner", "remove", "update"),
  member: fc.record({ id: count, incarnation: count }),
});
const change: fc.Arbitrary<ConfigurationChange> = fc.oneof(
  memberChange.map((only): ConfigurationChange => {
    return { form: "single", transition: "auto", changes: [only] };
  }),
  fc.record({
    form: fc.constant("set" as const),
    transition: fc.constantFrom("auto", "implicit", "explicit"),
    changes: fc.array(memberChange, { maxLength: MEMBER_CHANGE_COUNT_MAX }),
  }),
);

describe("round trip", () => {
  test("every well-formed change reads back as it was", () => {
    fc.assert(
      fc.property(change, (value) => {
        expect(decodeConfigurationChange(encodeConfigurationChange(value))).toEqual(value);
      }),
    );
  });

  test("leaving the joint configuration takes no bytes at all, and no bytes mean that", () => {
    expect(encodeConfigurationChange(LEAVE_JOINT)).toHaveLength(0);
    expect(decodeConfigurationChange(new Uint8Array(0))).toEqual(LEAVE_JOINT);
  });

  test("the bytes are those of the layout", () => {
    const bytes = encodeConfigurationChange(singleChange("addLearner", 300, 2));
    expect([...bytes]).toEqual([1, 0, 1, 1, 0xac, 0x02, 2]);
  });
});

describe("what is not a change reads as nothing", () => {
  test("arbitrary bytes never throw, and read as a well-formed change if at all", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const read = decodeConfigurationChange(bytes);
        if (read !== undefined) expect(changeProblem(read)).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  test("a change that was cut off, or has something behind it", () => {
    fc.assert(
      fc.property(change, fc.nat(), (value, cut) => {
        const bytes = encodeConfigurationChange(value);
        if (bytes.length === 0) return;
        const shorter = bytes.subarray(0, 1 + (cut % bytes.length));
        if (shorter.length < bytes.length)
          expect(decodeConfigurationChange(shorter)).toBeUndefined();
        expect(decodeConfigurationChange(Uint8Array.from([...bytes, 0]))).toBeUndefined();
      }),
    );
  });

  test.each([
    ["an unknown form", [3, 0, 1, 0, 1, 0]],
    ["form 0", [0, 0, 1, 0, 1, 0]],
    ["an unknown transition", [2, 3, 1, 0, 1, 0]],
    ["an unknown operation", [2, 0, 1, 4, 1, 0]],
    ["more changes than allowed", [2, 0, MEMBER_CHANGE_COUNT_MAX + 1]],
    ["a count of changes that would fill memory", [2, 0, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ["an id past exact integers", [1, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0]],
    ["an endless number", [1, 0, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]],
    ["the single form with two changes", [1, 0, 2, 0, 1, 0, 0, 2, 0]],
    ["the single form with a joint transition", [1, 2, 1, 0, 1, 0]],
  ])("%s", (_, bytes) => {
    expect(decodeConfigurationChange(Uint8Array.from(bytes))).toBeUndefined();
  });
});

describe("what is wrong with a change is said in words", () => {
  const many = Array.from({ length: MEMBER_CHANGE_COUNT_MAX + 1 }, (_, i) => {
    return ["addVoter", i + 1] as const;
  });

  test.each<[string, ConfigurationChange]>([
    ["more than 64", changeSet("auto", ...many)],
    ["exactly 1", { form: "single", transition: "auto", changes: [] }],
    ["only auto fits", { ...singleChange("addVoter", 1), transition: "explicit" }],
    ["id", singleChange("addVoter", -1)],
    ["id", singleChange("addVoter", 1.5)],
    ["incarnation", singleChange("addVoter", 1, -1)],
    ["operation", singleChange("destroy" as "remove", 1)],
    ["transition", changeSet("sudden" as "auto", ["addVoter", 1])],
    ["form", { ...singleChange("addVoter", 1), form: "double" as "set" }],
  ])("%s", (words, value) => {
    expect(changeProblem(value)).toContain(words);
  });

  test("nothing is wrong with a sound one", () => {
    expect(changeProblem(changeSet("implicit", ["addVoter", 4], ["remove", 1]))).toBeUndefined();
  });
});
