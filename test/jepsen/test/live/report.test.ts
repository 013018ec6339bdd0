// Goal: a run's report is one file that a browser opens from the disk and shows: verdict, charts,
// anomalies, what repeats the run; and nothing that a history holds is more than a text in it.
// Method: folders of runs drawn by a seed, the command, and a real browser where there is one.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest";
import { findBrowser, NO_BROWSER, openPage, type Page, shootPage } from "../kit/browser.ts";
import { HOSTILE, writeSeededRun } from "../kit/seeded-run.ts";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const browser = findBrowser();
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "quorumlog-report-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function reportOf(name: string, run: Parameters<typeof writeSeededRun>[1]): string {
  const path = join(folder, name);
  writeSeededRun(path, run);
  return execFileSync(process.execPath, [CLI, "--report", path], { encoding: "utf8" }).trim();
}

async function shown(context: TestContext, file: string, view: string = ""): Promise<Page> {
  if (browser === undefined) {
    console.warn(`skipped: ${context.task.name}: ${NO_BROWSER}`);
    context.skip(NO_BROWSER);
    throw new Error("a skipped test goes no further");
  }
  return openPage(browser, file, view);
}

test("the report is one file, in which texts of a history end nothing", () => {
  const html = readFileSync(
    reportOf("hostile", { seed: 1, operations: 600, isValid: false }),
    "utf8",
  );

  expect(html).not.toContain(HOSTILE);
  expect(html).not.toContain("<img");
  expect(html).not.toMatch(/\b(?:src|href)="(?!data:)/u);
  expect(html.match(/<\/script>/gu)).toHaveLength(3);
});

describe("in a browser", { timeout: 300_000 }, () => {
  test("a run that went well says so, and draws its charts", async (context) => {
    const file = reportOf("valid", { seed: 2, operations: 3_000, isValid: true });

    const page = await shown(context, file);

    expect(page.console).toEqual([]);
    expect(page.dom).toContain('data-drawn="yes"');
    expect(page.dom).toContain('class="verdict good"');
    expect(page.dom).toContain("No anomaly: everything that was acknowledged is there");
    for (const drawn of ['class="area ok"', 'class="curve p99"', 'class="node leader"', "<canvas"])
      expect(page.dom).toContain(drawn);
    expect(page.dom).toContain("npm run jepsen -- --seed 2");
    expect(page.dom).toMatch(/class="badge good">\d+ of \d+/u);
  });

  test("a run with anomalies shows them with their operations, as texts", async (context) => {
    const file = reportOf("anomalies", { seed: 3, operations: 3_000, isValid: false });

    const page = await shown(context, file);

    expect(page.console).toEqual([]);
    expect(page.dom).toContain('class="verdict bad"');
    expect(page.dom).toContain("2 anomalies in append");
    expect(page.dom).toContain("stale-read");
    expect(page.dom).toContain("&lt;/script&gt;&lt;img src=x");
    expect(page.dom).not.toContain("<title>broken");
  });

  test("a part of it is shown as its address says", async (context) => {
    const file = reportOf("part", { seed: 5, operations: 3_000, isValid: true });

    const page = await shown(context, file, "#queue:12.5-14");

    expect(page.console).toEqual([]);
    expect(page.dom).toContain('id="workload-queue"');
    expect(page.dom).toContain("12.50 s to 14.00 s: 1.50 s");
    expect(page.dom).toContain(">13.0 s</text>");
  });

  test("120,000 operations of each workload are drawn, too", async (context) => {
    const file = reportOf("large", { seed: 4, operations: 120_000, isValid: false });

    const page = await shown(context, file);
    // For whoever wants to see it: SCREENSHOT=DIR.
    const shots = process.env["SCREENSHOT"];
    if (shots !== undefined && browser !== undefined)
      for (const isDark of [false, true]) {
        const to = join(shots, isDark ? "dark.png" : "light.png");
        await shootPage(browser, file, { to, isDark, height: 2_900 });
      }

    expect(page.console).toEqual([]);
    expect(page.dom).toContain('data-drawn="yes"');
    expect(page.dom).toContain("360,000");
  });
});
