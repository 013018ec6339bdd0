// Goal: leadership leaves a slow disk at once, goes to whom is preferred, and does not swing.
import type { ProgressView } from "@quorumlog/raft";
import { describe, expect, test } from "vitest";
import { LeadershipCare, type LeaderView } from "../src/leadership-care.ts";
import { type HealthReport, NodeHealth } from "../src/node-health.ts";

const WELL: HealthReport = {
  isFull: false,
  isExhausted: false,
  isCrowded: false,
  isSlow: false,
  isDamaged: false,
  isSuspect: false,
  isCatchingUp: false,
  rulesVersion: 0,
};
const SLOW: HealthReport = { ...WELL, isSlow: true };
const FULL: HealthReport = { ...WELL, isFull: true };
const DAMAGED: HealthReport = { ...WELL, isDamaged: true };
const CATCHING_UP: HealthReport = { ...WELL, isCatchingUp: true };

function member(id: number, more: Partial<ProgressView> = {}): ProgressView {
  return {
    id,
    state: "replicate",
    matchIndex: 10,
    nextIndex: 11,
    isLearner: false,
    isPaused: false,
    pendingSnapshotIndex: 0,
    recentActive: true,
    isSuspect: false,
    lossCount: 0,
    inflightCount: 0,
    inflightFull: false,
    ...more,
  };
}

/** Of node 2, which leads nodes 1 to 3. */
function view(more: Partial<LeaderView> = {}): LeaderView {
  return {
    nodeId: 2,
    commitIndex: 10,
    progress: [member(1), member(2), member(3)],
    own: WELL,
    reports: new Map([
      [1, WELL],
      [3, WELL],
    ]),
    ...more,
  };
}

function looks(care: LeadershipCare, count: number, seen: LeaderView): (number | undefined)[] {
  return Array.from({ length: count }, () => care.look(seen)).filter((id) => id !== undefined);
}

describe("a leader", () => {
  test("keeps leadership if nobody is preferred", () => {
    expect(looks(new LeadershipCare([]), 100, view())).toEqual([]);
    expect(looks(new LeadershipCare([2, 1]), 100, view())).toEqual([]);
  });

  test("gives it away at once while it has yet to apply its log", () => {
    expect(looks(new LeadershipCare([]), 1, view({ own: CATCHING_UP }))).toEqual([1]);
  });

  test("gives it to whom is preferred, after a while of readiness", () => {
    const care = new LeadershipCare([1]);

    expect(looks(care, 4, view())).toEqual([]);
    expect(looks(care, 1, view())).toEqual([1]);
  });

  test("begins to count again when that one was not ready in between", () => {
    const care = new LeadershipCare([1]);
    looks(care, 4, view());
    looks(care, 1, view({ reports: new Map([[1, SLOW]]) }));

    expect(looks(care, 4, view())).toEqual([]);
    expect(looks(care, 1, view())).toEqual([1]);
  });

  test("does not try again at once", () => {
    const care = new LeadershipCare([1]);

    expect(looks(care, 39, view())).toEqual([1]);
    expect(looks(care, 1, view())).toEqual([1]);
  });

  test("on a slow disk hands over at once, to whom is best", () => {
    expect(new LeadershipCare([]).look(view({ own: SLOW }))).toBe(1);
    expect(new LeadershipCare([3]).look(view({ own: SLOW }))).toBe(3);
  });

  test("whose log or base is damaged hands over at once, and to nobody like it", () => {
    const reports = new Map([
      [1, DAMAGED],
      [3, WELL],
    ]);
    expect(new LeadershipCare([1]).look(view({ own: DAMAGED, reports }))).toBe(3);
    expect(looks(new LeadershipCare([1]), 20, view({ reports }))).toEqual([]);
  });

  test.each([
    ["is behind", [member(1, { matchIndex: 9 })], WELL],
    ["is a learner", [member(1, { isLearner: true })], WELL],
    ["was not heard of", [member(1, { recentActive: false })], WELL],
    ["is suspect", [member(1, { isSuspect: true })], WELL],
    ["gets a snapshot", [member(1, { state: "snapshot" as const })], WELL],
    ["has a full disk", [member(1)], FULL],
    ["has a slow disk", [member(1)], SLOW],
    ["has a damaged log", [member(1)], DAMAGED],
    ["has yet to apply its log", [member(1)], CATCHING_UP],
    ["has said nothing of itself", [member(1)], undefined],
  ])("hands over to nobody who %s", (_name, progress, report) => {
    const reports = new Map(report === undefined ? [] : [[1, report] as const]);

    expect(looks(new LeadershipCare([1]), 20, view({ own: SLOW, progress, reports }))).toEqual([]);
  });
});

describe("a node", () => {
  const limits = { reserveBytes: 1_000, fullPercent: 90, slowMs: 500 };
  const signs = {
    freeBytes: 2_000,
    totalBytes: 10_000,
    excessBytes: 0,
    lagMs: 0,
    snapshotBytes: 0,
    hasBaseSnapshot: true,
    isLogDamaged: false,
    isSuspect: false,
    isCatchingUp: false,
    rulesVersion: 0,
  };

  test("is full below its reserve, and has to have some more room to be well again", () => {
    const health = new NodeHealth(limits);

    const full = [1_000, 999, 1_100, 1_249, 1_250, 1_100].map((freeBytes) => {
      return health.check(0, { ...signs, freeBytes }).isFull;
    });

    expect(full).toEqual([false, true, true, true, false, false]);
  });

  test("is full, too, when more of its disk is used than it may, unless that is plenty", () => {
    const gib = 1024 * 1024 * 1024;
    const full = [
      [9_999, 100_000],
      [10_000, 100_000],
      [17 * gib, 1_000 * gib],
      [15 * gib, 1_000 * gib],
    ].map(([freeBytes = 0, totalBytes = 0]) => {
      return new NodeHealth(limits).check(0, { ...signs, freeBytes, totalBytes }).isFull;
    });

    expect(full).toEqual([true, false, false, true]);
  });

  test("leaves half of its reserve to whoever may use that", () => {
    const health = new NodeHealth(limits);

    expect(health.check(0, { ...signs, freeBytes: 700 })).toMatchObject({
      isFull: true,
      isExhausted: false,
    });
    expect(health.hadRoomFor(0)).toBe(false);
    expect(health.hadReserveFor(200)).toBe(true);
    expect(health.hadReserveFor(201)).toBe(false);
    expect(health.check(0, { ...signs, freeBytes: 499 }).isExhausted).toBe(true);
  });

  test("keeps room for its next snapshot besides, and knows how much it had", () => {
    const health = new NodeHealth(limits);

    expect(health.check(0, { ...signs, snapshotBytes: 1_001 }).isFull).toBe(true);
    expect(health.check(0, { ...signs, snapshotBytes: 100 }).isFull).toBe(false);
    expect(health.check(0, { ...signs, snapshotBytes: 100 }).isFull).toBe(false);
    expect(health.hadRoomFor(900)).toBe(true);
    expect(health.hadRoomFor(901)).toBe(false);
  });

  test("is damaged without the snapshot that its log begins behind", () => {
    const health = new NodeHealth(limits);

    expect(health.check(0, { ...signs, hasBaseSnapshot: false }).isDamaged).toBe(true);
    expect(health.check(1, signs).isDamaged).toBe(false);
  });

  test("is slow while a write takes too long, and for a minute after", () => {
    const health = new NodeHealth(limits);

    const slow = [
      [0, 499],
      [1_000, 500],
      [2_000, 0],
      [60_999, 0],
      [61_000, 0],
    ].map(([now = 0, lagMs = 0]) => health.check(now, { ...signs, lagMs }).isSlow);

    expect(slow).toEqual([false, true, true, true, false]);
  });
});
