// Goal: what the guard measures is named for its part, once, and really runs.
// Method: the core and the log for a moment each.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { alternate } from "../src/guard/alternation.ts";
import { CORE_CASES, corePairs } from "../src/guard/core-pairs.ts";
import { GUARD_PARTS } from "../src/guard/guard-parts.ts";
import { LOG_PART } from "../src/guard/log-part.ts";
import { spreadOf } from "../src/spread.ts";

const MOMENT = { roundMs: 1, rounds: 5, isTimeOver: () => true };

test("names of cases are all different, and begin with what is measured", () => {
  const names = GUARD_PARTS.flatMap(({ cases }) => cases);

  expect(new Set(names).size).toBe(names.length);
  for (const { bench, cases } of GUARD_PARTS)
    for (const name of cases) expect(name.split(" ")[0]).toBe(bench.split(" ")[0]);
});

test("the core is measured beside its bare counterparts", async () => {
  const ratios = await alternate(corePairs(), MOMENT);

  expect([...ratios.keys()]).toEqual(CORE_CASES);
  for (const values of ratios.values()) expect(spreadOf(values)?.median).toBeGreaterThan(0);
});

test("the log is measured beside its bare counterpart", async () => {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-guard-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const { pairs, stop } = await LOG_PART.start(folder);

  const ratios = await alternate(pairs, MOMENT);
  await stop();

  expect([...ratios.keys()]).toEqual(LOG_PART.cases);
  for (const values of ratios.values()) expect(spreadOf(values)?.median).toBeGreaterThan(0);
});
