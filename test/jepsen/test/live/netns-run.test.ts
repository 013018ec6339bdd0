// Goal: a run in network namespaces has faults that bit, and nothing of it stays behind, however it
// ends.
// Method: the command, short, on real processes; what the kernel still has of its namespaces. Needs
// root; what is missing is printed.

import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@quorumlog/integration/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RunFolder } from "../../src/run/run-folder.ts";
import { allProcesses, beginCommand, processesOf } from "../kit/jepsen-command.ts";
import { findNamespaces } from "../kit/namespaces.ts";

const PATIENCE_MS = 120_000;
const TEST_MS = 300_000;

const { isPossible, lacks } = await findNamespaces();

let out = "";

beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "quorumlog-jepsen-netns-"));
});

afterEach(() => {
  rmSync(out, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
});

/** What that process, or a descriptor of it, keeps; as `net:[4026531840]`. */
function namespacesOf(pid: string): string[] {
  const links = ["ns/net"];
  try {
    links.push(...readdirSync(`/proc/${pid}/fd`).map((name) => `fd/${name}`));
  } catch {
    // It has ended meanwhile.
  }
  return links.flatMap((link) => {
    try {
      const target = readlinkSync(`/proc/${pid}/${link}`);
      return target.startsWith("net:[") ? [target] : [];
    } catch {
      return [];
    }
  });
}

test.skipIf(!isPossible)("faults bite, and the kernel counts", { timeout: TEST_MS }, async () => {
  const nemesis = ["partition-leader", ...(lacks.loss === undefined ? ["lossy-links"] : [])];
  const args = ["--net", "netns", "--workload", "queue", "--nemesis", nemesis.join(",")];
  const { said, exitCode } = beginCommand(out, [...args, "--time-limit", "8", "--rate", "200"]);

  expect([await exitCode, said()]).toEqual([0, expect.stringContaining("VALID: No anomaly in")]);

  const [name = ""] = readdirSync(out);
  const { record } = new RunFolder(join(out, name));
  expect(record.command).toContain("--net netns");
  const evidence = new Map(record.coverage.map((each) => [each.fault, each.evidence]));
  expect(evidence.get("partition-leader")).toMatch(/dropped packets \d+/u);
  expect(evidence.get("partition-leader")).not.toContain("crossed");
  if (lacks.loss === undefined)
    expect(evidence.get("lossy-links")).toMatch(/lost packets \d+, passed packets \d+/u);
});

test.skipIf(!isPossible).each(["SIGINT", "SIGKILL"] as const)(
  "%s leaves no process and no namespace",
  { timeout: TEST_MS },
  async (signal) => {
    const args = ["--net", "netns", "--workload", "append", "--nemesis", "partition-halves"];
    const { child, said, exitCode } = beginCommand(out, [...args, "--time-limit", "600"]);
    await until("a fault has begun", PATIENCE_MS, () =>
      said().includes("partition-halves begins") ? true : undefined,
    );
    const own = new Set(namespacesOf("self"));
    const made = namespacesOf(String(child.pid)).filter((each) => !own.has(each));
    expect(made.length).toBeGreaterThan(4);

    child.kill(signal);

    await exitCode;
    await until("its processes are gone", PATIENCE_MS, () =>
      processesOf(out).length === 0 ? true : undefined,
    );
    const left = allProcesses().flatMap((pid) => namespacesOf(pid));
    expect(left.filter((each) => made.includes(each))).toEqual([]);
  },
);

test("what is missing is said, and nothing is started", { timeout: TEST_MS }, async () => {
  const { said, exitCode } = beginCommand(out, ["--net", "netns"], { PATH: "/nowhere" });

  expect(await exitCode).toBe(2);
  expect(said()).toContain("--net netns: ");
  expect(said()).toMatch(/apt-get install util-linux iproute2|of Linux/u);
  expect(readdirSync(out)).toEqual([]);
});
