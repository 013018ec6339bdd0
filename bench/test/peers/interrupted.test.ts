// Goal: a run that is ended early leaves what it has measured: in the file, and as a table.
// Method: the built bench as its user starts it, in a folder of the test; it is read while it runs,
// and then ended by a signal.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { PeersResults } from "../../src/drawings/peers-drawing.ts";
import type { Outcome } from "../../src/outcome/outcome.ts";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const WORKLOAD = "publish 1 KB x 10000";
const FLAGS = ["--rounds", "2", "--time", "100", "--only", WORKLOAD, "--systems", "quorumlog"];
const SECOND_ROUND = "round 2/2";
const DEADLINE_MS = 300_000;

test(
  "the first round is there while the second one runs, and after a signal",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "quorumlog-peers-"));
    const bench = spawn(process.execPath, [CLI, "peers", ...FLAGS], { cwd: folder });
    onTestFinished(async () => {
      bench.kill("SIGTERM");
      if (bench.exitCode === null && bench.signalCode === null) await once(bench, "exit");
      rmSync(folder, { recursive: true, force: true });
    });
    const saying = text(bench.stdout);
    const ending = once(bench, "exit");
    const read = (): PeersResults => {
      const json = readFileSync(join(folder, "out", "bench", "peers.json"), "utf8");
      return (JSON.parse(json) as Outcome<PeersResults>).results;
    };
    let told = "";
    for await (const chunk of bench.stderr) {
      told += String(chunk);
      if (told.includes(SECOND_ROUND)) break;
    }

    expect(told).toMatch(/round 1\/2, quorumlog, publish 1 KB x 10000: [\d,.]+ acked\/s\n/u);
    expect(read()).toMatchObject({
      isComplete: false,
      results: expect.arrayContaining([
        expect.objectContaining({ system: "quorumlog", workload: WORKLOAD, round: 0 }),
      ]),
    });

    bench.kill("SIGTERM");
    expect(await ending).toEqual([1, null]);
    const said = await saying;
    expect(said).toContain(`${WORKLOAD}, acked/s\n`);
    expect(said).toMatch(/^quorumlog +[\d,]+ /mu);
    expect(said).toContain("ended by SIGTERM: not complete");
    expect(read().isComplete).toBe(false);
    expect(readdirSync(join(folder, "out", "bench"))).toEqual(["peers.json"]);
  },
  DEADLINE_MS,
);
