// Goal: long before a disk is full appends are refused, and everything else goes on.
import { afterEach, expect, test } from "vitest";
import { type Environment, nodeEnvironment, ReplicaError } from "../src/index.ts";
import { startCluster, type TestCluster } from "../src/testing/index.ts";

/** Ten times as fast: what takes seconds is over in tenths. */
const FAST: Environment = {
  ...nodeEnvironment,
  now: () => nodeEnvironment.now() * 10,
  after: (delayMs, run) => nodeEnvironment.after(delayMs / 10, run),
};

const clusters: TestCluster[] = [];

afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.close();
});

test("a disk that fills up is noticed, trimmed, and written to again", async () => {
  const events: string[] = [];
  const needed: number[] = [];
  const cluster = await startCluster({
    diskBytes: 4_000_000,
    environment: FAST,
    onEvent: (_nodeId, event) => {
      events.push(event.type);
      if (event.type === "diskFull") needed.push(event.neededBytes);
    },
    tuning: {
      heartbeatMs: 500,
      electionMs: 10_000,
      segmentBytes: 65_536,
      snapshotEveryBytes: 65_536,
      diskReserveBytes: 1_500_000,
    },
  });
  clusters.push(cluster);
  const append = async (): Promise<ReplicaError | undefined> => {
    try {
      await (await cluster.leader()).append(Buffer.alloc(10_000));
      await new Promise((resolve) => setTimeout(resolve, 5));
      return undefined;
    } catch (error) {
      return error as ReplicaError;
    }
  };
  let error: ReplicaError | undefined;
  // A machine that is busy elects anew, now and then.
  for (let i = 0; i < 600 && error?.code !== "DISK_FULL"; i++) error = await append();
  const leader = await cluster.leader();

  expect(error).toMatchObject({ code: "DISK_FULL", outcome: "not-applied" });
  await leader.readBarrier();
  expect(leader.read(0, { maxBytes: 1 }).records).toHaveLength(1);
  await leader.trim(leader.status().nextOffset - 5);

  const deadline = performance.now() + 10_000;
  while ((await append()) !== undefined) {
    expect(performance.now()).toBeLessThan(deadline);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const log of cluster.logs) expect(log.status().logBytes).toBeLessThan(1_000_000);
  expect(events).toContain("diskFull");
  // A quarter more than the reserve, and room for a snapshot.
  expect(Math.min(...needed)).toBeGreaterThanOrEqual(1.25 * 1_500_000);
  expect(events).toContain("diskRelieved");
  expect(events.indexOf("diskRelieved")).toBeGreaterThan(events.indexOf("diskFull"));
}, 30_000);

test.each([1, 20, 400])(
  "a burst between two looks at the disk leaves the reserve alone: %i at a time",
  async (atOnce) => {
    const cluster = await startCluster({
      diskBytes: 4_000_000,
      tuning: {
        electionMs: 3_000,
        segmentBytes: 65_536,
        snapshotEveryBytes: 65_536,
        diskReserveBytes: 1_500_000,
      },
    });
    clusters.push(cluster);
    const leader = await cluster.leader();
    const codes = new Map<string, number>();
    const count = (code: string): void => {
      codes.set(code, (codes.get(code) ?? 0) + 1);
    };
    for (let sent = 0; sent < 400; sent += atOnce)
      await Promise.all(
        Array.from({ length: atOnce }, () =>
          leader.append(Buffer.alloc(10_000)).then(
            () => {
              count("done");
            },
            (error: unknown) => {
              count((error as ReplicaError).code);
            },
          ),
        ),
      );

    expect([...codes.keys()].sort()).toEqual(["DISK_FULL", "done"]);
    expect(codes.get("done")).toBeGreaterThan(100);
    for (const log of cluster.logs) expect(log.status().logBytes).toBeLessThan(2_700_000);
    await leader.trim(leader.status().nextOffset);
  },
  30_000,
);
