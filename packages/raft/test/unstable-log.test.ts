// Goal: the end of the log that is not durable yet never forgets, repeats or mixes up entries.
// Method: the structure alone, by hand.
// Thesis §10.2.1; etcd's ABA race on asynchronous writes (raft.md §5, no. 8).

import { InvariantViolation } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import type { RaftEvent } from "../src/index.ts";
import { UnstableLog } from "../src/unstable-log.ts";
import { log, positions } from "./kit/entries.ts";
import { configurationOf } from "./kit/members.ts";
import { snapshotAt } from "./kit/messages.ts";

/** Entries 5/5, 5/6 and 5/7 are unstable. */
function unstable(events: RaftEvent[] = []): UnstableLog {
  const made = new UnstableLog(5, (event) => events.push(event));
  made.truncateAndAppend(log([5, 5, 5], 5));
  return made;
}

const SNAPSHOT = snapshotAt(9, 6, configurationOf({ voters: [1] }));

function next(made: UnstableLog): string[] {
  return positions(made.nextEntries());
}

describe("handing out", () => {
  test("gives every entry once", () => {
    const made = unstable();
    expect(next(made)).toEqual(["5/5", "5/6", "5/7"]);
    made.acceptInProgress();
    expect(made.hasNextEntries()).toBe(false);
    made.truncateAndAppend(log([5], 8));
    expect(next(made)).toEqual(["5/8"]);
  });

  test("leaves entries in place while they are written", () => {
    const made = unstable();
    made.acceptInProgress();
    expect(made.lastIndex()).toBe(7);
    expect(made.term(6)).toBe(5);
    expect(made.offset).toBe(5);
  });
});

describe("becoming stable", () => {
  test.each([
    { index: 4, term: 5, offset: 5 },
    { index: 5, term: 5, offset: 6 },
    { index: 7, term: 5, offset: 8 },
    { index: 8, term: 5, offset: 5 },
    { index: 6, term: 4, offset: 5 },
    { index: 6, term: 6, offset: 5 },
  ])("up to $term/$index moves the offset to $offset", ({ index, term, offset }) => {
    const made = unstable();
    made.acceptInProgress();
    made.stableTo({ index, term });
    expect(made.offset).toBe(offset);
    made.checkInvariants();
  });

  test("of an older version does not count for the one that replaced it", () => {
    const events: RaftEvent[] = [];
    const made = unstable(events);
    made.acceptInProgress();
    made.truncateAndAppend(log([6], 6));
    made.stableTo({ index: 6, term: 5 });
    expect(made.offset).toBe(5);
    expect(events.at(-1)).toMatchObject({ type: "stableEntryMismatched", unstableTerm: 6 });
  });

  test("twice is once", () => {
    const made = unstable();
    made.acceptInProgress();
    made.stableTo({ index: 7, term: 5 });
    made.stableTo({ index: 6, term: 5 });
    expect(made.offset).toBe(8);
    expect(made.count).toBe(0);
  });
});

describe("new entries", () => {
  const rows = [
    { from: 8, offset: 5, all: ["5/5", "5/6", "5/7", "6/8"], toWrite: ["6/8"] },
    { from: 7, offset: 5, all: ["5/5", "5/6", "6/7"], toWrite: ["6/7"] },
    { from: 5, offset: 5, all: ["6/5"], toWrite: ["6/5"] },
    { from: 3, offset: 3, all: ["6/3"], toWrite: ["6/3"] },
  ];

  test.each(rows)("from $from while all are being written", ({ from, offset, all, toWrite }) => {
    const made = unstable();
    made.acceptInProgress();
    made.truncateAndAppend(log([6], from));
    expect(made.offset).toBe(offset);
    expect(positions(made.slice(offset, from + 1))).toEqual(all);
    expect(next(made)).toEqual(toWrite);
    made.checkInvariants();
  });

  test("that leave a gap are a bug", () => {
    expect(() => unstable().truncateAndAppend(log([5], 9))).toThrow(InvariantViolation);
  });

  test("do not change what was handed out before", () => {
    const made = unstable();
    const handedOut = made.nextEntries();
    made.acceptInProgress();
    made.truncateAndAppend(log([6], 6));
    expect(positions(handedOut)).toEqual(["5/5", "5/6", "5/7"]);
  });
});

describe("a snapshot", () => {
  test("replaces every entry, and is handed out once", () => {
    const made = unstable();
    made.restore(SNAPSHOT);
    expect([made.offset, made.count, made.lastIndex()]).toEqual([10, 0, 9]);
    expect([made.term(9), made.term(7)]).toEqual([6, undefined]);
    expect(made.nextSnapshot()).toBe(SNAPSHOT);
    made.acceptInProgress();
    expect(made.nextSnapshot()).toBeUndefined();
    expect(made.snapshot).toBe(SNAPSHOT);
  });

  test("is gone once it is stable, and only by its own index", () => {
    const made = unstable();
    made.restore(SNAPSHOT);
    made.acceptInProgress();
    made.stableSnapshotTo(8);
    expect(made.snapshot).toBe(SNAPSHOT);
    made.stableSnapshotTo(9);
    expect(made.snapshot).toBeUndefined();
  });

  test("is followed by entries", () => {
    const made = unstable();
    made.restore(SNAPSHOT);
    made.truncateAndAppend(log([6, 6], 10));
    expect([made.lastIndex(), made.term(11)]).toEqual([11, 6]);
    made.checkInvariants();
  });

  test("that is newer takes the place of one being written", () => {
    const made = unstable();
    made.restore(SNAPSHOT);
    made.acceptInProgress();
    const newer = snapshotAt(20, 7, SNAPSHOT.configuration);
    made.restore(newer);
    made.stableSnapshotTo(9);
    expect(made.nextSnapshot()).toBe(newer);
  });
});

test.each([
  [4, 6],
  [6, 9],
  [7, 6],
])("a slice [%i, %i) that is not all here is a bug", (low, high) => {
  expect(() => unstable().slice(low, high)).toThrow(InvariantViolation);
});
