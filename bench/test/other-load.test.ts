// Goal: what other programs have of the processors is told from what is ours.
// Method: texts as the kernel writes them, and this machine's own.

import { expect, test } from "vitest";
import {
  allowedProcessors,
  otherLoad,
  processorTimes,
  readProcessors,
} from "../src/guard/other-load.ts";

const STAT = `cpu  1000 0 0 1000 0 0 0 0 0 0
cpu0 10 20 30 400 50 6 7 8 9 9
cpu1 1 1 1 1 1 1 1 1 1 1
intr 12345 6 7
`;
const TICK = 10_000;

test("idle time and waiting for disks are not busy, what the host took is; guests are in", () => {
  expect(processorTimes(STAT, new Set([0]))).toEqual({ total: 531 * TICK, busy: 81 * TICK });
  expect(processorTimes(STAT, new Set([0, 1]))).toEqual({ total: 539 * TICK, busy: 87 * TICK });
});

test.each([
  ["0", [0]],
  ["0-3", [0, 1, 2, 3]],
  ["1,4-5,8", [1, 4, 5, 8]],
])("a process that may run on %s runs on those", (list, ids) => {
  const status = `Name:\tnode\nCpus_allowed:\tf\nCpus_allowed_list:\t${list}\nMems_allowed:\t1\n`;

  expect([...allowedProcessors(status)]).toEqual(ids);
});

test("others have what is busy and not ours", () => {
  const before = { total: 1_000, busy: 500, own: 100 };

  expect(otherLoad(before, { total: 2_000, busy: 1_100, own: 300 })).toBe(0.4);
  expect(otherLoad(before, { total: 2_000, busy: 700, own: 350 })).toBe(0);
  expect(otherLoad(before, before)).toBe(0);
  expect(otherLoad(undefined, before)).toBe(0);
});

test("this machine tells its processors", () => {
  const reading = readProcessors();

  expect(reading?.total).toBeGreaterThan(reading?.busy ?? 0);
  expect(reading?.busy).toBeGreaterThan(0);
  expect(reading?.own).toBeGreaterThan(0);
});
