// Goal: a soak is good only if memory and disk stay what they were, memory is bounded, and nothing
// is lost, damaged or refused; what fills at the beginning is no growth.
// Method: series and audits by hand, each with one thing that is not as it should be.

import { expect, test } from "vitest";
import type { BrokerSample } from "../src/soak/broker-soak-group.ts";
import { brokerFindings } from "../src/soak/broker-soak-verdict.ts";
import { trendOf } from "../src/soak/trend.ts";

type Run = Parameters<typeof brokerFindings>[0];

const SECONDS = 600;
const READ = { read: 9, lost: 0, damaged: 0, repeated: 0, unacknowledged: 0 };
const AUDIT = { ...READ, seconds: 1, p50Ms: 1, p99Ms: 1 };
const STRETCH = { at: 0, messages: 9, failed: 0, seconds: 1, p50Ms: 1, p99Ms: 1, gapMs: 1 };
const GOOD: Run = { series: [seriesOf(() => 200)], stretches: [STRETCH], audit: AUDIT };

function seriesOf(memory: (second: number) => number, diskMb = 1_000): BrokerSample[] {
  return Array.from({ length: SECONDS }, (_, second) => {
    return { at: 1_000 * second, anonymousMb: memory(second), diskMb, cpuShare: 0.5 };
  });
}

/** What is not good of a run. */
function faultsOf(run: Partial<Run>): string[] {
  const found = brokerFindings({ ...GOOD, ...run });
  return found.filter(({ isGood }) => !isGood).map(({ what }) => what);
}

test("a steady run is good", () => {
  expect(faultsOf({})).toEqual([]);
});

test("a broker whose memory grows is found, also beside two that are flat", () => {
  const series = [seriesOf(() => 200), seriesOf((second) => 200 + second / 8), seriesOf(() => 99)];

  expect(faultsOf({ series })).toEqual(["memory is flat (anonymous)"]);
});

test("what fills in the first fifth is no growth", () => {
  const filling = seriesOf((second) => Math.min(300, 100 + 2 * second));

  expect(trendOf(filling, ({ anonymousMb }) => anonymousMb).growth).toBeCloseTo(0);
  expect(faultsOf({ series: [filling] })).toEqual([]);
});

test("a short peak of memory is found, though it is flat", () => {
  const series = [seriesOf((second) => (second === 300 ? 401 : 200))];

  expect(faultsOf({ series })).toEqual(["memory is below 400 MB"]);
});

test("a disk that fills is found", () => {
  const series = [seriesOf(() => 200).map((sample) => ({ ...sample, diskMb: sample.at / 500 }))];

  expect(faultsOf({ series })).toEqual(["disk is flat"]);
});

test.each([{ lost: 1 }, { damaged: 1 }, { read: 0 }])("not as it was acknowledged: %o", (wrong) => {
  expect(faultsOf({ audit: { ...AUDIT, ...wrong } })).toEqual(["nothing acknowledged is lost"]);
});

test("what nobody acknowledged is found, and a run in which nothing was", () => {
  const found = ["every message is acknowledged"];

  expect(faultsOf({ audit: { ...AUDIT, unacknowledged: 1 } })).toEqual(found);
  expect(faultsOf({ stretches: [{ ...STRETCH, messages: 0 }] })).toEqual(found);
});
