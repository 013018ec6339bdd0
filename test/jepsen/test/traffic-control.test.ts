// Goal: a way comes to a shape by the commands that this takes, and back to what it was; and what
// the kernel has counted is read as what it is of.

import { expect, test } from "vitest";
import {
  countsIn,
  laneCommands,
  OPEN_WAY,
  reshapeCommands,
  type WayShape,
} from "../src/links/traffic-control.ts";

const LANE = { device: "node2", number: 17, source: "198.18.1.2" } as const;

function thereAndBack(shape: Partial<WayShape>): string[][] {
  const after = { ...OPEN_WAY, ...shape };
  return [reshapeCommands(LANE, OPEN_WAY, after), reshapeCommands(LANE, after, OPEN_WAY)];
}

/** As `tc -s class show` prints a class. */
function counted(id: string, bytes: number, packets: number, drops: number): string {
  return [
    `class htb ${id} root leaf 8005: prio 0 rate 10Gbit ceil 10Gbit burst 0b cburst 0b \n`,
    ` Sent ${bytes} bytes ${packets} pkt (dropped ${drops}, overlimits 0 requeues 0) \n`,
    " backlog 0b 0p requeues 0\n",
  ].join("");
}

test("a way that is late is so by netem, and its rate is another matter", () => {
  expect(thereAndBack({ delayMs: 40, bytesPerSecond: 1_000 })).toEqual([
    [
      "qdisc replace dev node2 parent 1:11 netem delay 40ms limit 10000",
      "class change dev node2 parent 1: classid 1:11 htb rate 8000bit quantum 60000",
    ],
    [
      "qdisc replace dev node2 parent 1:11 bfifo limit 4194304",
      "class change dev node2 parent 1: classid 1:11 htb rate 10000000000bit quantum 60000",
    ],
  ]);
});

test("silence takes the queue away, and the ends of connections are counted apart", () => {
  const [there = [], back] = thereAndBack({ isSilent: true });

  expect(there[0]).toBe("qdisc replace dev node2 parent 1:11 blackhole");
  expect(there.slice(1).map((command) => /0x0[0-9] at 33 flowid .*/u.exec(command)?.[0])).toEqual([
    "0x01 at 33 flowid 1:411",
    "0x04 at 33 flowid 1:411",
  ]);
  expect(back).toEqual([
    "qdisc replace dev node2 parent 1:11 bfifo limit 4194304",
    "filter del dev node2 parent 1: protocol ip prio 10017",
  ]);
});

test("silence hides a slow link, which is as slow behind it", () => {
  const slow = { ...OPEN_WAY, bytesPerSecond: 1_000_000, delayMs: 10 };
  const silent = { ...slow, isSilent: true };

  expect(reshapeCommands(LANE, slow, silent)[0]).toContain("blackhole");
  expect(reshapeCommands(LANE, silent, slow)[0]).toContain("netem delay 10ms");
  expect(reshapeCommands(LANE, silent, { ...OPEN_WAY, isSilent: true })).toEqual([
    expect.stringContaining("rate 10000000000bit"),
  ]);
});

test("a share of losses is changed by another filter in its place", () => {
  const [some = "", ...others] = reshapeCommands(
    LANE,
    { ...OPEN_WAY, lossShare: 0.5 },
    { ...OPEN_WAY, lossShare: 0.25 },
  );

  expect(some).toBe("filter del dev node2 parent 1: protocol ip prio 20017");
  expect(others).toEqual([expect.stringMatching(/prio 20017 bpf .*,53 1 0 1073741824,.*1:811$/u)]);
});

test("packets of a way are told by where they come from", () => {
  expect(laneCommands(LANE).at(-1)).toBe(
    "filter add dev node2 parent 1: protocol ip prio 30017 u32 match ip src 198.18.1.2/32 " +
      "flowid 1:11",
  );
});

test("counts are those of the lane's own classes", () => {
  const others = counted("1:1", 1, 1, 1) + counted("1:111", 2, 2, 2);
  const own = counted("1:11", 5_000, 7, 3) + counted("1:411", 0, 0, 2) + counted("1:811", 0, 0, 4);

  expect(countsIn(others + own, LANE)).toEqual({
    sentPackets: 7,
    sentBytes: 5_000,
    droppedPackets: 5,
    droppedEnds: 2,
    lostPackets: 4,
  });
  expect(() => countsIn(others, LANE)).toThrow("tc counts nothing of class 1:11");
});
