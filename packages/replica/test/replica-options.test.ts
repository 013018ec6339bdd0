// Goal: options that cannot work together are refused before anything is opened, all at once, and
// by their names.
import { expect, test } from "vitest";
import { ReplicaError, type ReplicaTuning } from "../src/index.ts";
import {
  parseRetention,
  parseTuning,
  raftOptions,
  ReplicaOptionsError,
} from "../src/replica-options.ts";
import { startCluster } from "../src/testing/index.ts";

const MIB = 1024 * 1024;

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ReplicaOptionsError);
    return (error as ReplicaOptionsError).problems;
  }
}

test.each<[Partial<ReplicaTuning>, RegExp]>([
  [{ heartbeatMs: 55 }, /^heartbeatMs: not a multiple of 10/u],
  [{ electionMs: 325 }, /^electionMs: not a multiple of 10/u],
  [{ heartbeatMs: 100 }, /^electionMs: is less than four heartbeats/u],
  [{ timeoutMs: 9 }, /^timeoutMs: 9 is not an integer in \[10/u],
  [{ segmentBytes: 65_537 }, /^segmentBytes: not a multiple of 4096/u],
  [
    { segmentBytes: 65_536, callBytesMax: 32_769 },
    /^callBytesMax: more than half of segmentBytes/u,
  ],
  [{ segmentBytes: 65_536, containerBytesMax: 36_864 }, /^containerBytesMax: more than half/u],
  [{ pendingBytesMax: 4 * MIB }, /^pendingBytesMax: less than two calls of callBytesMax/u],
  [{ diskReserveBytes: MIB }, /^diskReserveBytes: less than segmentBytes/u],
])("%o does not fit, and its name is said", (tuning, problem) => {
  const problems = problemsOf(() => parseTuning({ ...tuning }));

  expect(problems).toEqual([expect.stringMatching(problem)]);
});

test("problems are told all at once", () => {
  const tuning = { heartbeatMs: 15, pendingBytesMax: MIB, color: "red" };

  expect(problemsOf(() => parseTuning(tuning))).toHaveLength(3);
});

test("no reserve at all is a choice", () => {
  expect(parseTuning({ diskReserveBytes: 0 })).toMatchObject({
    diskReserveBytes: 0,
    diskFullPercent: 100,
  });
});

test.each([
  [{ bytes: -1 }, [/^retention.bytes: -1 is not an integer above 0/u]],
  [{ bytes: Number.NaN }, [/^retention.bytes: NaN/u]],
  [{ bytes: 32 * MIB }, [/^retention.bytes: less than segmentBytes/u, /snapshotEveryBytes/u]],
  [{ milliseconds: 999 }, [/^retention.milliseconds: less than 1000/u]],
  [{ diskPercent: 100 }, [/^retention.diskPercent: more than 99/u]],
  [{ days: 3 }, [/^retention.days: unknown option/u]],
])("a retention of %o is refused", (retention, expected) => {
  const problems = problemsOf(() => parseRetention(retention, parseTuning()));

  expect(problems).toEqual(expected.map((each): unknown => expect.stringMatching(each)));
});

test("a sound retention is what was said", () => {
  const retention = { bytes: 64 * MIB, milliseconds: 60_000 };

  expect(parseRetention(retention, parseTuning())).toEqual(retention);
  expect(parseRetention(undefined, parseTuning())).toBeUndefined();
});

test("the core takes whatever may wait", () => {
  const tuning = parseTuning({ pendingBytesMax: 1024 * MIB });
  const options = raftOptions({ nodeId: 1, tuning, preferredLeaders: [], leaseReads: false });

  expect(options.uncommittedBytesMax).toBeGreaterThan(tuning.pendingBytesMax);
});

test("a group does not open with them; a session not with less time than a call", async () => {
  await expect(startCluster({ retention: { bytes: 1 } })).rejects.toThrow(/retention.bytes/u);
  await expect(startCluster({ preferredLeaders: [1, 1] })).rejects.toThrow(/preferredLeaders/u);

  await using cluster = await startCluster({ nodes: 1 });
  const leader = await cluster.leader();
  const refused = leader.openSession({ idleMs: 9_999 });
  await expect(refused).rejects.toThrow(ReplicaError);
  await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await leader.openSession({ idleMs: 10_000 });
});
