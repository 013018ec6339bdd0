// Goal: one clock that is far ahead moves nobody's time; clocks that agree are left alone.
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { expect, test } from "vitest";
import {
  type Environment,
  nodeEnvironment,
  type ReplicaEvent,
  ReplicatedLog,
} from "../src/index.ts";
import { GroupClock } from "../src/group-clock.ts";
import { startCluster } from "../src/testing/index.ts";

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

/** This node's clocks, to be set. */
class Clocks {
  now = 500;
  wallTime = 1_000_000;
  readonly environment: Environment = {
    ...nodeEnvironment,
    now: () => this.now,
    wallTime: () => this.wallTime,
  };

  pass(ms: number): void {
    this.now += ms;
    this.wallTime += ms;
  }
}

function clock(clocks: Clocks, ...others: readonly number[]): GroupClock {
  const group = new GroupClock(clocks.environment);
  others.forEach((wallTime, i) => {
    group.onPeer(i + 2, wallTime);
  });
  return group;
}

test.each([
  ["nobody was heard of", []],
  ["one other was", [1_000_000 - YEAR_MS]],
  ["others are ahead", [1_000_000 + HOUR_MS, 1_000_000 + YEAR_MS]],
  ["others are a little behind", [1_000_000 - 9_000, 1_000_000 - 9_999]],
  ["one of them is far behind", [1_000_000 - YEAR_MS, 1_000_000]],
  ["two of four are", [1_000_000 - YEAR_MS, 1_000_000 - HOUR_MS, 1_000_000, 1_000_100]],
])("the clock on the wall counts if %s", (_name, others) => {
  const group = clock(new Clocks(), ...others);

  expect(group.time()).toBe(1_000_000);
  expect(group.aheadMs()).toBe(0);
});

test("a clock far ahead of most others is held back, and goes on at its pace", () => {
  const clocks = new Clocks();
  const group = clock(clocks, 1_000_000 - HOUR_MS, 1_000_000 - YEAR_MS);
  const allowed = 1_000_000 - HOUR_MS + 10_000;

  expect(group.time()).toBe(allowed);
  expect(group.aheadMs()).toBe(HOUR_MS - 10_000);
  clocks.pass(700);
  expect(group.time()).toBe(allowed + 700);
  group.forget(3);
  expect(group.time()).toBe(1_000_700);
});

test("a leader whose clock is a year ahead stamps by the others', and says so", async () => {
  const network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
  const events: ReplicaEvent[] = [];
  const transports = [1, 2, 3].map((nodeId) => network.transport({ nodeId, incarnation: 1 }));
  const logs = await Promise.all(
    transports.map((transport, i) =>
      ReplicatedLog.open({
        directory: "/node",
        clusterId: "c",
        nodeId: i + 1,
        peers: { 1: "a:1", 2: "b:1", 3: "c:1" },
        transport,
        fileSystem: new MemoryFileSystem({ prng: new Prng(i) }),
        ifMissing: "found",
        environment: {
          ...nodeEnvironment,
          wallTime: () => Date.now() + (i === 0 ? YEAR_MS : 0),
        },
        tuning: { segmentBytes: 65_536, electionMs: 3_000 },
        onEvent: (event) => {
          if (i === 0) events.push(event);
        },
      }),
    ),
  );
  const first = logs[0] as ReplicatedLog;
  if ((await first.leader()) !== 1) await first.transferLeadership(1);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await first.append(Buffer.from("now"));

  const [record] = first.read(0).records;
  expect(Math.abs((record?.timestamp ?? 0) - Date.now())).toBeLessThan(60_000);
  expect(first.status().time).toBe(record?.timestamp);
  const told = events.find(({ type }) => type === "clockAhead");
  expect(told).toMatchObject({ type: "clockAhead" });
  for (const log of logs) await log.close({ handOver: false });
  for (const transport of transports)
    await new Promise<void>((resolve) => {
      transport.close(resolve);
    });
}, 30_000);

test("a leader whose clock is behind the log's time says so, once", async () => {
  let aheadMs = HOUR_MS;
  const events: ReplicaEvent[] = [];
  await using cluster = await startCluster({
    nodes: 1,
    environment: { ...nodeEnvironment, wallTime: () => Date.now() + aheadMs },
    onEvent: (_nodeId, event) => events.push(event),
  });
  const leader = await cluster.leader();
  await leader.append(Buffer.from("an hour ahead"));
  const { time } = leader.status();
  aheadMs = 0;
  await new Promise((resolve) => setTimeout(resolve, 2_300));
  await leader.append(Buffer.from("the clock was set"));

  expect(leader.status().time).toBe(time);
  const told = events.filter(({ type }) => type === "logTimeAhead");
  expect(told).toEqual([{ type: "logTimeAhead", milliseconds: expect.any(Number) as number }]);
}, 30_000);
