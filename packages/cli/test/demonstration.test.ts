// Goal: the first command of the README ends with a verified count, each time that it is run.
// Method: run it as it is there, twice on the same data.
import { expect, onTestFinished, test } from "vitest";
import { quorumlog, scratch } from "./kit/quorumlog.ts";

test("the demonstration verifies every message, and again on its data", async () => {
  const dataDir = `${scratch(onTestFinished)}/cluster`;
  for (let i = 0; i < 2; i++) {
    const args = ["up", "--demo", "--data", dataDir, "--port", "0"];
    const { code, stdout, stderr } = await quorumlog(args);
    expect(stdout + stderr).toContain(
      "verified: 20000 acknowledged, 20000 consumed, 0 twice, each message group in order",
    );
    expect(stdout).toMatch(/kill -9 of node \d, the leader/u);
    expect(code).toBe(0);
  }
}, 240_000);
