// Goal: each peer that is installed can be measured: it starts, takes the load, is read back as a
// whole, loses its leader, and leaves nothing behind. One that is not is skipped, with the reason.
// Method: the built bench as its user starts it, very short, in a folder of the test.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { PeersResults } from "../../src/drawings/peers-drawing.ts";
import type { Outcome } from "../../src/outcome/outcome.ts";
import { wordsOfMissing } from "../../src/peers/choice.ts";
import { missingParts, SYSTEMS } from "../../src/peers/peer-systems.ts";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const DEADLINE_MS = 900_000;
/** There is no flag here: what needs one is not tested. */
const FOLDERS = { kafka: undefined };
/** What a machine that is busy with other tests does to a load at a fixed rate. */
const TOO_BUSY = "not calm";
const OUTCOME = ["peers.json", "peers.png", "peers.svg"];
const FLAGS = ["--rounds", "1", "--time", "200", "--kills", "1"];

const peers = SYSTEMS.slice(1).map((system) => ({
  system,
  missing: missingParts(system, FOLDERS),
}));
for (const { system, missing } of peers)
  if (missing.length > 0) console.warn(`skipped: ${wordsOfMissing(system, missing)}`);

function bench(only: string, system: string): { readonly folder: string; readonly said: string } {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-peers-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const words = [CLI, "peers", ...FLAGS, "--only", only, "--systems", system];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    cwd: folder,
    encoding: "utf8",
    timeout: DEADLINE_MS,
  });
  const report = join(folder, "out", "bench", "peers.json");
  expect({ hasReport: existsSync(report), status, stderr }).toMatchObject({ hasReport: true });
  return { folder: join(folder, "out", "bench"), said: stdout };
}

for (const { system, missing } of peers)
  test.skipIf(missing.length > 0)(
    `${system.name} is measured, and leaves nothing behind`,
    () => {
      for (const only of ["publish 1 KB x 1000", "write gap"]) {
        const { folder, said } = bench(only, system.name);

        const text = readFileSync(join(folder, "peers.json"), "utf8");
        const { results: found } = JSON.parse(text) as Outcome<PeersResults>;
        const { results, failures } = found;
        const systems = new Set(results.map((result) => result.system));
        expect(failures).toEqual([]);
        const bare = only.startsWith("publish") ? ["bare"] : [];
        expect([...systems].toSorted()).toEqual(["quorumlog", system.name, ...bare].toSorted());
        for (const { outcome } of results) {
          expect(outcome.faults.filter((fault) => !fault.startsWith(TOO_BUSY))).toEqual([]);
          expect(outcome.values.every((value) => value > 0)).toBe(true);
        }
        expect(said).toContain(`${system.name} `);
        // Folders of servers are removed, which they were the last to write to.
        expect(readdirSync(folder).toSorted()).toEqual(OUTCOME);
      }
    },
    DEADLINE_MS,
  );

test("the bench is built", () => {
  expect(existsSync(CLI)).toBe(true);
});
