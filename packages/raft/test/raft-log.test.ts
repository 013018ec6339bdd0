// Goal: one log out of two parts, with cursors that only move forward.
// Method: the log over a memory storage, with entries on both sides of the border.
// Paper §5.3 (matching, conflicts), §5.4.1 (up-to-date), §5.4.2 (commit), §7 (snapshots).

import { InvariantViolation } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { type Entry, MemoryLogStorage } from "../src/index.ts";
import { RaftLog } from "../src/raft-log.ts";
import { entry, log, positions } from "./kit/entries.ts";
import { configurationOf } from "./kit/members.ts";
import { snapshotAt } from "./kit/messages.ts";
import { fc } from "./kit/properties.ts";

const CONFIGURATION = configurationOf({ voters: [1, 2, 3] });

interface Parts {
  /** The terms of the stable entries. */
  readonly stable?: readonly number[];
  /** The terms of the unstable entries that follow. */
  readonly unstable?: readonly number[];
  /** A snapshot before the stable entries: its index; its term is 1. */
  readonly snapshotIndex?: number;
  readonly applyingBytesMax?: number;
}

function make(parts: Parts): { raftLog: RaftLog; storage: MemoryLogStorage } {
  const { stable = [], unstable = [], snapshotIndex = 0, applyingBytesMax = 1000 } = parts;
  const snapshot = snapshotAt(snapshotIndex, 1, CONFIGURATION);
  const storage = new MemoryLogStorage(snapshotIndex > 0 ? { snapshot } : {});
  storage.append(log(stable, snapshotIndex + 1));
  const raftLog = new RaftLog({ storage, applyingBytesMax, observer: undefined });
  if (unstable.length > 0) raftLog.append(log(unstable, raftLog.lastIndex() + 1));
  return { raftLog, storage };
}

describe("terms", () => {
  test.each([
    [3, undefined],
    [4, 1],
    [5, 1],
    [6, 2],
    [7, 3],
    [8, undefined],
  ])("at index %i: %s", (index, term) => {
    const { raftLog } = make({ snapshotIndex: 4, stable: [1, 2], unstable: [3] });
    expect(raftLog.term(index)).toBe(term);
  });

  test("before the first entry of all it is 0, which is not that of a compacted one", () => {
    expect(make({}).raftLog.term(0)).toBe(0);
    expect(make({ snapshotIndex: 4 }).raftLog.term(0)).toBeUndefined();
  });

  test("follow a truncation below what storage holds", () => {
    const { raftLog } = make({ stable: [1, 1, 1] });
    raftLog.maybeAppend({ index: 1, term: 1 }, log([2], 2), 0);
    expect([raftLog.term(2), raftLog.term(3), raftLog.lastIndex()]).toEqual([2, undefined, 2]);
  });
});

describe("a follower appends", () => {
  const rows = [
    { prev: [3, 3], entries: [], outcome: "matched", last: 3 },
    { prev: [3, 3], entries: [4], outcome: "matched", last: 4 },
    { prev: [1, 1], entries: [2], outcome: "matched", last: 2 },
    { prev: [0, 0], entries: [1, 2, 3, 3], outcome: "matched", last: 4 },
    { prev: [1, 1], entries: [4], outcome: "matched", last: 2 },
    { prev: [3, 2], entries: [4], outcome: "mismatched", last: 0 },
    { prev: [4, 3], entries: [4], outcome: "mismatched", last: 0 },
    { prev: [0, 0], entries: [4], outcome: "contradiction", last: 0 },
  ] as const;

  test.each(rows)("after $prev, terms $entries: $outcome", ({ prev, entries, outcome, last }) => {
    const { raftLog } = make({ stable: [1, 2], unstable: [3] });
    raftLog.commitTo(1);
    const [index, term] = prev;
    const result = raftLog.maybeAppend({ index, term }, log(entries, index + 1), 0);
    expect(result.outcome).toBe(outcome);
    if (result.outcome === "matched") expect(result.lastNewIndex).toBe(last);
  });

  test("nothing in place of what must not change any more", () => {
    const { raftLog } = make({ stable: [1, 2], unstable: [3] });
    const append = (fixed: number): string =>
      raftLog.maybeAppend({ index: 1, term: 1 }, log([4], 2), fixed).outcome;
    expect([append(2), append(1)]).toEqual(["contradiction", "matched"]);
  });

  test("nothing that it has: entries behind the match stay", () => {
    const { raftLog } = make({ stable: [1, 2], unstable: [3] });
    raftLog.maybeAppend({ index: 0, term: 0 }, log([1, 2]), 0);
    expect(raftLog.lastIndex()).toBe(3);
    expect(positions(raftLog.nextUnstableEntries())).toEqual(["3/3"]);
  });

  test("and is left with the leader's prefix, whatever the two logs were (log matching)", () => {
    const terms = fc
      .array(fc.integer({ min: 1, max: 4 }), { maxLength: 8 })
      .map((list) => list.sort((a, b) => a - b));
    fc.assert(
      fc.property(terms, terms, fc.nat(8), fc.nat(8), (own, leader, from, stable) => {
        const cut = Math.min(stable, own.length);
        const { raftLog } = make({ stable: own.slice(0, cut), unstable: own.slice(cut) });
        const prevIndex = Math.min(from, leader.length);
        const prev = { index: prevIndex, term: leader[prevIndex - 1] ?? 0 };
        const result = raftLog.maybeAppend(prev, log(leader.slice(prevIndex), prevIndex + 1), 0);
        const matches = (own[prevIndex - 1] ?? (prevIndex === 0 ? 0 : -1)) === prev.term;
        expect(result.outcome).toBe(matches ? "matched" : "mismatched");
        if (!matches) return;
        for (let i = prevIndex + 1; i <= leader.length; i++)
          expect(raftLog.term(i)).toBe(leader[i - 1]);
        for (let i = 1; i <= prevIndex; i++) expect(raftLog.term(i)).toBe(own[i - 1]);
      }),
    );
  });
});

describe("where two logs may still agree", () => {
  const rows = [
    { at: [5, 3], found: [3, 2] },
    { at: [5, 5], found: [5, 4] },
    { at: [5, 1], found: [1, 1] },
    { at: [5, 0], found: [0, 0] },
    { at: [2, 2], found: [2, 2] },
    { at: [9, 9], found: [9, 0] },
    { at: [0, 3], found: [0, 0] },
  ] as const;

  test.each(rows)("$at in a log of terms 1 2 2 4 4: $found", ({ at, found }) => {
    const { raftLog } = make({ stable: [1, 2, 2], unstable: [4, 4] });
    const [index, term] = at;
    expect(raftLog.findConflictByTerm({ index, term })).toEqual({
      index: found[0],
      term: found[1],
    });
  });

  test("stops where it was compacted, with a term that is not known", () => {
    const { raftLog } = make({ snapshotIndex: 4, stable: [5, 5] });
    expect(raftLog.findConflictByTerm({ index: 6, term: 0 })).toEqual({ index: 3, term: 0 });
    expect(raftLog.findConflictByTerm({ index: 3, term: 4 })).toEqual({ index: 3, term: 0 });
  });
});

test.each([
  [1, 3, true],
  [3, 2, true],
  [4, 2, true],
  [2, 2, false],
  [9, 1, false],
])("a log that ends at index %i, term %i is up-to-date with one at 3/2: %s", (index, term, is) => {
  const { raftLog } = make({ stable: [1, 1], unstable: [2] });
  expect(raftLog.isUpToDate({ index, term })).toBe(is);
});

describe("the commit index", () => {
  test.each([
    [1, 1, true],
    [2, 1, false],
    [2, 2, true],
    [3, 2, false],
    [0, 0, false],
    [Infinity, 2, false],
  ])("moves to %i, of term %i: %s", (index, term, moves) => {
    const { raftLog } = make({ stable: [1, 2] });
    expect(raftLog.maybeCommit({ index, term })).toBe(moves);
  });

  test("does not move back", () => {
    const { raftLog } = make({ stable: [1, 1, 1] });
    raftLog.commitTo(3);
    raftLog.commitTo(1);
    expect(raftLog.commitIndex).toBe(3);
  });

  test("never passes the log", () => {
    expect(() => make({ stable: [1] }).raftLog.commitTo(2)).toThrow(InvariantViolation);
  });

  test.each([3, 7])("stored as %i lies outside a log of 5 and 6", (index) => {
    const { raftLog } = make({ snapshotIndex: 4, stable: [1, 1] });
    expect(() => raftLog.restoreCommit(index)).toThrow(InvariantViolation);
  });
});

describe("entries to send", () => {
  test.each([
    [1, 1000, ["1/1", "1/2", "2/3", "2/4"]],
    [3, 1000, ["2/3", "2/4"]],
    [4, 1000, ["2/4"]],
    [5, 1000, []],
    [2, 64, ["1/2", "2/3"]],
    [1, 0, ["1/1"]],
    [3, 0, ["2/3"]],
  ])("from %i, up to %i bytes: %s", (low, bytesMax, found) => {
    const { raftLog } = make({ stable: [1, 1], unstable: [2, 2] });
    expect(positions(raftLog.entries(low, bytesMax) ?? [])).toEqual(found);
  });

  test("that are compacted are none, not fewer", () => {
    const { raftLog } = make({ snapshotIndex: 4, stable: [1] });
    expect(raftLog.entries(4, 1000)).toBeUndefined();
    expect(raftLog.entries(5, 1000)).toHaveLength(1);
  });
});

function handOut(raftLog: RaftLog): string[] {
  const entries = raftLog.nextCommitted(false);
  const last = entries.at(-1);
  if (last !== undefined) raftLog.acceptApplying(last.index, entries.length * 32, false);
  return positions(entries);
}

describe("entries to apply", () => {
  test("are committed and stable, each handed out once", () => {
    const { raftLog, storage } = make({ stable: [1, 1], unstable: [1] });
    raftLog.commitTo(2);
    expect(handOut(raftLog)).toEqual(["1/1", "1/2"]);
    raftLog.commitTo(3);
    expect(handOut(raftLog)).toEqual([]);
    raftLog.acceptUnstable();
    storage.append(log([1], 3));
    raftLog.stableTo({ index: 3, term: 1 });
    expect(handOut(raftLog)).toEqual(["1/3"]);
  });

  test("may be unstable where the driver writes before it answers", () => {
    const { raftLog } = make({ stable: [1], unstable: [1] });
    raftLog.commitTo(2);
    expect(raftLog.hasNextCommitted(true)).toBe(true);
    expect(positions(raftLog.nextCommitted(true))).toEqual(["1/1", "1/2"]);
  });

  test("wait while too many bytes of them are not applied", () => {
    const { raftLog } = make({ stable: [1, 1, 1, 1], applyingBytesMax: 64 });
    raftLog.commitTo(4);
    expect(handOut(raftLog)).toEqual(["1/1", "1/2"]);
    expect(handOut(raftLog)).toEqual([]);
    raftLog.appliedTo(2, 64);
    expect(handOut(raftLog)).toEqual(["1/3", "1/4"]);
  });

  test("are not handed out before a snapshot that replaces them is in place", () => {
    const { raftLog } = make({ stable: [1, 1] });
    raftLog.commitTo(2);
    raftLog.restore(snapshotAt(9, 2, CONFIGURATION));
    expect(raftLog.hasNextCommitted(true)).toBe(false);
  });

  test("count as applied only up to what is committed, and never less than before", () => {
    const { raftLog } = make({ stable: [1, 1] });
    raftLog.commitTo(1);
    expect(() => raftLog.appliedTo(2, 0)).toThrow(InvariantViolation);
    raftLog.appliedTo(1, 0);
    expect(() => raftLog.appliedTo(0, 0)).toThrow(InvariantViolation);
  });
});

function isChange(each: Entry): boolean {
  return each.kind === "configuration";
}

test("a configuration entry among the unapplied is found, however many pages away", () => {
  const storage = new MemoryLogStorage();
  const change = { term: 1, index: 5, kind: "configuration", data: new Uint8Array(0) } as const;
  storage.append([...log([1, 1, 1, 1]), change, entry(1, 6)]);
  const raftLog = new RaftLog({ storage, applyingBytesMax: 1, observer: undefined });
  raftLog.commitTo(4);
  expect(raftLog.someUnapplied(isChange)).toBe(false);
  raftLog.commitTo(6);
  expect(raftLog.someUnapplied(isChange)).toBe(true);
  raftLog.appliedTo(5, 0);
  expect(raftLog.someUnapplied(isChange)).toBe(false);
});

test("a leader only appends", () => {
  const { raftLog } = make({ stable: [1, 1] });
  expect(() => raftLog.append(log([2], 2))).toThrow(InvariantViolation);
  expect(() => raftLog.append(log([2], 4))).toThrow(InvariantViolation);
  expect(() => raftLog.append([])).toThrow(InvariantViolation);
});

test("storage with a hole between snapshot and entries is refused at the start", () => {
  const storage = new MemoryLogStorage();
  const lying = Object.assign(Object.create(storage) as MemoryLogStorage, {
    firstIndex: () => 5,
    lastIndex: () => 3,
  });
  const open = (): RaftLog =>
    new RaftLog({ storage: lying, applyingBytesMax: 1, observer: undefined });
  expect(open).toThrow(InvariantViolation);
});
