// Goal: each build that is to be broken can be: its patch fits the sources as they are now, and it
// is run with workloads and faults that there are. What finds it is the business of the self-test.

import { PatchError, plant } from "@quorumlog/mutants";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { allFaults } from "../src/nemesis/all-faults.ts";
import { brokenBuilds } from "../src/self-test/broken-builds.ts";
import { WORKLOADS } from "../src/workload/all-workloads.ts";

const PROJECT = fileURLToPath(new URL("../../../", import.meta.url));
const BUILD_COUNT_MIN = 20;

const builds = brokenBuilds();

test("there are so many, and none of the patches beside the sources is left out", () => {
  const names = builds.map(({ bug: { name } }) => name);
  const files = readdirSync(new URL("../broken/", import.meta.url));

  expect(names.length).toBeGreaterThanOrEqual(BUILD_COUNT_MIN);
  expect(names).toEqual(expect.arrayContaining(files.map((file) => file.replace(".patch", ""))));
});

test.each(builds)("$bug.name fits the sources", ({ bug }) => {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-broken-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  for (const name of readdirSync(join(PROJECT, "packages"))) {
    const sources = join("packages", name, "src");
    cpSync(join(PROJECT, sources), join(folder, sources), { recursive: true });
  }

  expect(() => plant(bug.patch, folder)).not.toThrow(PatchError);
});

test.each(builds)("$bug.name meets faults that there are", ({ exposure }) => {
  const faults = allFaults().map(({ name }) => name);
  const workloads = WORKLOADS.map(({ name }) => name);

  for (const nemesis of exposure.nemeses) expect(faults).toContain(nemesis);
  for (const workload of exposure.workloads) expect(workloads).toContain(workload);
});
