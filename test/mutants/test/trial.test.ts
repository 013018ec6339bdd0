// Goal: a process that dies for a reason of its own is told from a test that notices; and a trial
// that goes wrong is the end of that trial only.
// Method: small scripts in place of the stages; a copy that cannot be made.
import { expect, test } from "vitest";
import { runNode } from "../src/command.ts";
import { ending } from "../src/stage.ts";
import { Laboratory } from "../src/trial.ts";
import type { Workspace } from "../src/workspace.ts";

test.each([
  ["process.kill(process.pid, 'SIGKILL')", "killed by SIGKILL"],
  ["for (;;);", "hang"],
  ["throw new RangeError('far')", "RangeError: far"],
  ["process.exit(3)", "exit code 3"],
  ["console.log('last words'); process.exit(3)", "last words"],
])(
  "%s ends as: %s",
  async (program, words) => {
    const result = await runNode(["--eval", `console.log(''); ${program}`], {
      cwd: "/",
      silenceSeconds: 2,
    });

    expect(ending(result)).toBe(words);
  },
  20_000,
);

test("a trial that goes wrong is broken, and the next one goes on", async () => {
  const template = {
    copy: () => {
      throw new Error("ENOSPC: no space left on device");
    },
  } as unknown as Workspace;
  const options = {
    firstSeed: 1,
    seeds: { simulator: { from: 1, to: 2 }, cluster: { from: 1, to: 2 } },
    simulators: 1,
    isSimulatorOnly: true,
    keepsCopies: false,
  };
  const laboratory = new Laboratory({ parent: "/no/such/folder", template, options });
  const bug = { name: "x", title: "x", rows: [], expected: undefined, patch: "" };

  const outcomes = [await laboratory.try(bug), await laboratory.try(bug)];

  for (const outcome of outcomes)
    expect(outcome).toMatchObject({
      verdict: "broken",
      detail: "there was no trial: ENOSPC: no space left on device",
    });
});
