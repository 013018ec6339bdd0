// Goal: a disk that is more used than the retention allows costs the oldest records, whatever their
// age, until there is room again; and never the newest.
import { afterEach, describe, expect, test } from "vitest";
import { type Environment, nodeEnvironment, type ReplicaError } from "../src/index.ts";
import { GroupState } from "../src/group-state.ts";
import { crowdedTarget, crowdOf } from "../src/leader-duties.ts";
import { startCluster, type TestCluster } from "../src/testing/index.ts";

/** Ten times as fast: what takes seconds is over in tenths. */
const FAST: Environment = {
  ...nodeEnvironment,
  now: () => nodeEnvironment.now() * 10,
  after: (delayMs, run) => nodeEnvironment.after(delayMs / 10, run),
};
const TUNING = {
  heartbeatMs: 500,
  electionMs: 10_000,
  segmentBytes: 65_536,
  snapshotEveryBytes: 65_536,
};

const clusters: TestCluster[] = [];

afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.close();
});

/** With a marker every thousand bytes. */
function state(): GroupState {
  const found = new GroupState(undefined);
  found.logBytes = 10_000;
  found.markers = Array.from({ length: 10 }, (_, i) => {
    return { index: 10 * (i + 1), offset: 100 * (i + 1), logBytes: 1_000 * (i + 1), time: 0 };
  });
  return found;
}

describe("a trim for the sake of a disk", () => {
  test("goes as far as there is too much, and by a stretch at least", () => {
    expect(crowdedTarget(state(), { excessBytes: 1, totalBytes: 20_000 }, 1_000)).toBe(100);
    expect(crowdedTarget(state(), { excessBytes: 2_500, totalBytes: 20_000 }, 1_000)).toBe(300);
  });

  test("leaves a twentieth of the disk, and what a member needs next", () => {
    expect(crowdedTarget(state(), { excessBytes: 1e9, totalBytes: 20_000 }, 1_000)).toBe(900);
    expect(crowdedTarget(state(), { excessBytes: 1e9, totalBytes: 20_000 }, 45)).toBe(400);
    expect(crowdedTarget(state(), { excessBytes: 1e9, totalBytes: 1e9 }, 1_000)).toBeUndefined();
  });

  test("begins behind what was trimmed before", () => {
    const trimmed = state();
    trimmed.startIndex = 40;
    expect(crowdedTarget(trimmed, { excessBytes: 1_500, totalBytes: 20_000 }, 1_000)).toBe(600);
  });

  test("is none without a limit, or below it", () => {
    const space = { freeBytes: 20, totalBytes: 100 };
    const policy = { bytes: undefined, milliseconds: undefined };
    expect(crowdOf({ ...policy, diskPercent: 75 }, space).excessBytes).toBe(5);
    expect(crowdOf({ ...policy, diskPercent: 80 }, space).excessBytes).toBe(0);
    expect(crowdOf(policy, space).excessBytes).toBe(0);
    expect(crowdOf("compact", space).excessBytes).toBe(0);
  });
});

test("on a disk that fills up appends go on, as the oldest records go", async () => {
  const events = new Set<string>();
  const cluster = await startCluster({
    diskBytes: 4_000_000,
    environment: FAST,
    tuning: { ...TUNING, diskReserveBytes: 400_000 },
    retention: { diskPercent: 50, milliseconds: 1_000_000_000 },
    onEvent: (_nodeId, { type }) => events.add(type),
  });
  clusters.push(cluster);
  // Twice what the disk holds.
  for (let done = 0; done < 800;) {
    try {
      await (await cluster.leader()).append(Buffer.alloc(10_000));
      done += 1;
    } catch (error) {
      // Faster than a look a second, it may get there; and a busy machine elects anew.
      expect(["DISK_FULL", "NOT_LEADER", "LEADERSHIP_LOST", "TIMEOUT"]).toContain(
        (error as ReplicaError).code,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  const { firstOffset, nextOffset } = (await cluster.leader()).status();
  expect(firstOffset).toBeGreaterThan(400);
  expect(nextOffset - firstOffset).toBeGreaterThan(15);
  expect(events).toContain("trimmedForRoom");
}, 60_000);

test("on a full disk what is essential is taken, out of what is kept free for it", async () => {
  const cluster = await startCluster({
    diskBytes: 4_000_000,
    tuning: { ...TUNING, electionMs: 3_000, diskReserveBytes: 2_000_000 },
  });
  clusters.push(cluster);
  const leader = await cluster.leader();
  const codeOf = async (usesReserve: boolean): Promise<string | undefined> => {
    try {
      await leader.append(Buffer.alloc(10_000), { usesReserve });
      return undefined;
    } catch (error) {
      return (error as ReplicaError).code;
    }
  };
  while ((await codeOf(false)) === undefined);

  let taken = 0;
  while ((await codeOf(true)) === undefined) taken += 1;

  expect(await codeOf(false)).toBe("DISK_FULL");
  expect(await codeOf(true)).toBe("DISK_FULL");
  expect(taken).toBeGreaterThan(20);
  expect(taken).toBeLessThan(100);
  await leader.trim(leader.status().nextOffset);
}, 60_000);
