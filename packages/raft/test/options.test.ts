// Goal: options are valid by construction, and whoever has to mend them sees all problems at once.
// Method: every bound from both sides, every relation, every wrong type.
// Style rule 35 (configuration is parsed once, unknown keys rejected).

import { describe, expect, test } from "vitest";
import { parseRaftOptions, type RaftOptions, RaftOptionsError } from "../src/index.ts";

function issues(input: Readonly<Record<string, unknown>>): readonly string[] {
  try {
    parseRaftOptions(input);
    return [];
  } catch (error) {
    if (error instanceof RaftOptionsError) return error.issues;
    throw error;
  }
}

/** Other options that must move along, so that only the bound itself is in question. */
const ROOM: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  heartbeatTicks: { electionTicks: 10_000 },
  electionTicks: { heartbeatTicks: 1, leaseDriftTicks: 0 },
  leaseDriftTicks: { electionTicks: 10_000 },
  appendBytesMax: { inflightBytesMax: 2 ** 50 },
  inflightBytesMax: { appendBytesMax: 0 },
};

const BOUNDS: Readonly<Record<string, readonly [number, number]>> = {
  heartbeatTicks: [1, 1000],
  electionTicks: [2, 10_000],
  electionRank: [0, 16],
  leaseDriftTicks: [0, 1000],
  peerGoneTicksMax: [1, 1000],
  appendBytesMax: [0, 2 ** 40],
  inflightCountMax: [1, 2 ** 31 - 1],
  inflightBytesMax: [0, 2 ** 50],
  uncommittedBytesMax: [1, 2 ** 50],
  applyingBytesMax: [1, 2 ** 50],
  pendingReadCountMax: [1, 2 ** 24],
  parkedCountMax: [0, 2 ** 20],
  parkedBytesMax: [0, 2 ** 40],
};

const FLAGS = [
  "preVote",
  "checkQuorum",
  "stepDownOnRemoval",
  "leaseReads",
  "validateConfigurationChanges",
];

describe.each(Object.entries(BOUNDS))("%s", (key, [min, max]) => {
  test("takes its bounds", () => {
    for (const value of [min, max])
      expect(parseRaftOptions({ ...ROOM[key], [key]: value })).toMatchObject({ [key]: value });
  });

  test.each([min - 1, max + 1, min + 0.5, NaN, Infinity, "10", null, {}, 10n])(
    "refuses %s, naming itself and its bounds",
    (value) => {
      const found = issues({ ...ROOM[key], [key]: value });
      expect(found).toHaveLength(1);
      expect(found[0]).toMatch(new RegExp(`^${key}: .*\\[${min}, ${max}\\]`, "u"));
    },
  );
});

test.each(FLAGS)("%s is a flag", (key) => {
  expect(issues({ checkQuorum: true, [key]: true })).toEqual([]);
  for (const value of ["true", 1, null, {}]) expect(issues({ [key]: value })[0]).toContain(key);
});

test("storageWrites is one of two words", () => {
  expect(parseRaftOptions({ storageWrites: "sync" }).storageWrites).toBe("sync");
  for (const value of ["SYNC", true, null])
    expect(issues({ storageWrites: value })).toHaveLength(1);
});

describe("relations", () => {
  test.each([
    ["electionTicks", { electionTicks: 5, heartbeatTicks: 5, leaseDriftTicks: 0 }],
    ["leaseDriftTicks", { electionTicks: 5, leaseDriftTicks: 5 }],
    ["leaseReads", { leaseReads: true, checkQuorum: false }],
    ["electionRank", { electionRank: 1, preVote: false }],
    ["inflightBytesMax", { appendBytesMax: 100, inflightBytesMax: 99 }],
  ])("%s", (key, input) => {
    const found = issues(input);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(key);
  });
});

test("all problems are in one error: unknown keys, bad values, broken relations", () => {
  const input = {
    heartbeatTick: 1,
    electionTicks: 1,
    preVote: "yes",
    leaseReads: true,
    checkQuorum: false,
    storageWrites: "later",
    parkedCountMax: -1,
  };
  const found = issues(input).join("\n");
  for (const key of [
    "heartbeatTick",
    "electionTicks",
    "preVote",
    "leaseReads",
    "storageWrites",
    "parkedCountMax",
  ])
    expect(found).toContain(`${key}:`);
});

function parseStrangers(): RaftOptions {
  return parseRaftOptions({ a: 1, b: 2 });
}

test("the error reads as a list, and has a code", () => {
  expect(parseStrangers).toThrow("invalid raft options:\n- a: unknown option\n- b: unknown option");
  expect(parseStrangers).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
});

test("nothing given means the documented defaults, and they are safe", () => {
  expect(parseRaftOptions()).toEqual({
    heartbeatTicks: 1,
    electionTicks: 10,
    electionRank: 0,
    preVote: true,
    checkQuorum: true,
    stepDownOnRemoval: true,
    leaseReads: false,
    leaseDriftTicks: 1,
    peerGoneTicksMax: 3,
    appendBytesMax: 2 ** 20,
    inflightCountMax: 256,
    inflightBytesMax: 2 ** 26,
    uncommittedBytesMax: 2 ** 28,
    applyingBytesMax: 2 ** 24,
    pendingReadCountMax: 4096,
    parkedCountMax: 1024,
    parkedBytesMax: 2 ** 26,
    validateConfigurationChanges: true,
    storageWrites: "async",
  });
});

test("an explicit undefined is the default", () => {
  expect(parseRaftOptions({ electionTicks: undefined, preVote: undefined }).electionTicks).toBe(10);
});

test("options cannot be changed afterwards", () => {
  expect(Object.isFrozen(parseRaftOptions())).toBe(true);
});

test("names inherited from Object are no options", () => {
  expect(issues({ toString: 1, constructor: 2 })).toHaveLength(2);
});
