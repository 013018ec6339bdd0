// Goal: a leader's view of one follower moves between its three states as it should, and sends
// neither into the void nor what it sent already.
// Method: the progress of one follower alone.
// Thesis §3.5, §10.2.1; the state machine is drawn in progress.ts.

import { InvariantViolation } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { Progress } from "../src/progress.ts";
import { fc } from "./kit/properties.ts";

const LIMITS = { inflightCountMax: 3, inflightBytesMax: 1000 };

function probing(nextIndex = 5, matchIndex = 0): Progress {
  const progress = new Progress({ id: 2, incarnation: 0, nextIndex, limits: LIMITS });
  if (matchIndex > 0) progress.maybeUpdate(matchIndex);
  return progress;
}

function replicating(matchIndex: number): Progress {
  const progress = probing(matchIndex + 1, matchIndex);
  progress.becomeReplicate();
  return progress;
}

describe("becoming a probe", () => {
  test("starts at what is known to match, not at what was sent", () => {
    const progress = replicating(4);
    progress.sentEntries(3, 10);
    expect(progress.nextIndex).toBe(8);

    progress.becomeProbe();
    expect([progress.state, progress.nextIndex, progress.matchIndex]).toEqual(["probe", 5, 4]);
    expect(progress.inflights.count).toBe(0);
  });

  test("after a snapshot starts behind the snapshot", () => {
    const progress = probing(5, 1);
    progress.becomeSnapshot(10);
    progress.becomeProbe();
    expect(progress.nextIndex).toBe(11);
    expect(progress.view().pendingSnapshotIndex).toBe(0);
  });

  test("after a snapshot that failed starts where it was", () => {
    const progress = probing(5, 1);
    progress.becomeSnapshot(10);
    progress.forgetPendingSnapshot();
    progress.becomeProbe();
    expect(progress.nextIndex).toBe(2);
  });

  test("after a snapshot that the follower has passed starts behind its match", () => {
    const progress = probing(5, 1);
    progress.becomeSnapshot(10);
    progress.maybeUpdate(12);
    progress.becomeProbe();
    expect(progress.nextIndex).toBe(13);
  });
});

test("becoming replicate starts right behind the match", () => {
  const progress = probing(9, 4);
  progress.becomeReplicate();
  expect([progress.state, progress.nextIndex]).toEqual(["replicate", 5]);
});

describe("becoming a snapshot", () => {
  test("waits, with the next index behind the snapshot", () => {
    const progress = probing(5, 1);
    progress.becomeSnapshot(10);
    expect(progress.view()).toMatchObject({
      state: "snapshot",
      isPaused: true,
      pendingSnapshotIndex: 10,
      nextIndex: 11,
    });
  });

  test("older than the match never sends what matches again", () => {
    const progress = probing(9, 8);
    progress.becomeSnapshot(5);
    expect(progress.nextIndex).toBe(9);
  });

  test("allows no appends", () => {
    const progress = probing();
    progress.becomeSnapshot(10);
    expect(() => progress.sentEntries(1, 1)).toThrow(InvariantViolation);
  });
});

describe("an acknowledgement", () => {
  test.each([
    { index: 2, news: false, match: 3, next: 5 },
    { index: 3, news: false, match: 3, next: 5 },
    { index: 4, news: true, match: 4, next: 5 },
    { index: 5, news: true, match: 5, next: 6 },
    { index: 8, news: true, match: 8, next: 9 },
  ])("of $index over a match of 3: $news", ({ index, news, match, next }) => {
    const progress = probing(5, 3);
    expect(progress.maybeUpdate(index)).toBe(news);
    expect([progress.matchIndex, progress.nextIndex]).toEqual([match, next]);
  });

  test("with news lets a paused probe go on, without news does not", () => {
    const progress = probing(5, 3);
    progress.sentEntries(1, 1);
    progress.maybeUpdate(3);
    expect(progress.isPaused).toBe(true);
    progress.maybeUpdate(4);
    expect(progress.isPaused).toBe(false);
  });
});

describe("a rejection", () => {
  test.each([
    // Replicating: only what lies above the match can have been refused just now.
    { state: "replicate", match: 5, next: 10, rejected: 5, hint: 5, changed: false, to: 10 },
    { state: "replicate", match: 5, next: 10, rejected: 4, hint: 4, changed: false, to: 10 },
    { state: "replicate", match: 5, next: 10, rejected: 9, hint: 9, changed: true, to: 6 },
    { state: "replicate", match: 5, next: 10, rejected: 9, hint: 2, changed: true, to: 6 },
    // Probing: only the one question that was asked counts.
    { state: "probe", match: 0, next: 10, rejected: 8, hint: 2, changed: false, to: 10 },
    { state: "probe", match: 0, next: 10, rejected: 10, hint: 2, changed: false, to: 10 },
    { state: "probe", match: 0, next: 10, rejected: 9, hint: 2, changed: true, to: 3 },
    { state: "probe", match: 0, next: 10, rejected: 9, hint: 20, changed: true, to: 9 },
    { state: "probe", match: 0, next: 10, rejected: 9, hint: 0, changed: true, to: 1 },
    { state: "probe", match: 0, next: 2, rejected: 1, hint: 0, changed: true, to: 1 },
    { state: "probe", match: 4, next: 10, rejected: 9, hint: 1, changed: true, to: 5 },
  ])("$state, match $match, next $next, rejected $rejected, hint $hint", (row) => {
    const progress = probing(row.next, row.match);
    if (row.state === "replicate") {
      progress.becomeReplicate();
      progress.sentEntries(row.next - row.match - 1, 1);
    }
    expect(progress.maybeDecrease(row.rejected, row.hint)).toBe(row.changed);
    expect(progress.nextIndex).toBe(row.to);
  });
});

describe("flow", () => {
  test("a probe sends one append with entries, then waits", () => {
    const progress = probing();
    progress.sentEntries(2, 1);
    expect(progress.isPaused).toBe(true);
    expect(progress.nextIndex).toBe(5);
  });

  test("replication goes on until the window is full", () => {
    const progress = replicating(1);
    for (let i = 0; i < 3; i++) {
      expect(progress.isPaused).toBe(false);
      progress.sentEntries(1, 1);
    }
    expect(progress.isPaused).toBe(true);
    expect(progress.nextIndex).toBe(5);
    expect(progress.view()).toMatchObject({ inflightCount: 3, inflightFull: true });
  });

  test("a heartbeat's answer lets one more message try", () => {
    const progress = probing();
    progress.sentEntries(1, 1);
    progress.resumeFlow();
    expect(progress.isPaused).toBe(false);
  });

  test("but does not end a snapshot", () => {
    const progress = probing();
    progress.becomeSnapshot(9);
    progress.resumeFlow();
    expect(progress.isPaused).toBe(true);
  });
});

describe("the commit index sent", () => {
  test("is worth sending again only if it could move the follower's", () => {
    const progress = replicating(5);
    progress.sentCommit(3);
    expect(progress.canBumpCommit(3)).toBe(false);
    expect(progress.canBumpCommit(4)).toBe(true);
    progress.sentCommit(5);
    expect(progress.canBumpCommit(9)).toBe(false);
  });

  test("counts as lost with whatever else was in flight", () => {
    const progress = replicating(5);
    progress.sentEntries(3, 1);
    progress.sentCommit(8);
    progress.becomeProbe();
    progress.becomeReplicate();
    progress.sentEntries(3, 1);
    expect(progress.canBumpCommit(8)).toBe(true);
  });
});

test("whatever happens, matchIndex stays below nextIndex and never falls", () => {
  const index = fc.integer({ min: 0, max: 12 });
  const step = fc.oneof(
    fc.tuple(fc.constant("update"), index, index),
    fc.tuple(fc.constant("decrease"), index, index),
    fc.tuple(fc.constant("send"), fc.integer({ min: 0, max: 3 }), index),
    fc.tuple(fc.constantFrom("probe", "replicate", "snapshot", "forget", "resume"), index, index),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const progress = probing(3);
      let match = 0;
      for (const [kind, a, b] of steps) {
        if (kind === "update") progress.maybeUpdate(a);
        if (kind === "decrease") progress.maybeDecrease(a, b);
        if (kind === "send" && !progress.isPaused && !progress.inflights.isFull())
          progress.sentEntries(a, b);
        if (kind === "probe") progress.becomeProbe();
        if (kind === "replicate") progress.becomeReplicate();
        if (kind === "snapshot") progress.becomeSnapshot(a);
        if (kind === "forget" && progress.state === "snapshot") progress.forgetPendingSnapshot();
        if (kind === "resume") progress.resumeFlow();
        progress.checkInvariants();
        expect(progress.matchIndex).toBeGreaterThanOrEqual(match);
        match = progress.matchIndex;
      }
    }),
  );
});
