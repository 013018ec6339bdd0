// Goal: a broker that has failed ends so that whoever started it knows whether to start it again.
// Method: processes that are told of a failure.

import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

const MODULE = new URL("../dist/event-log.js", import.meta.url).href;

/** Ends by it: the error has this code, or none. */
function failed(code: string | undefined): {
  readonly status: number | null;
  readonly said: string;
} {
  const script =
    `import { tellEvent } from ${JSON.stringify(MODULE)};\n` +
    `const error = Object.assign(new Error("what it was"), ${JSON.stringify({ code })});\n` +
    'tellEvent({ type: "failed", error });';
  const args = ["--input-type=module", "--eval", script];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return { status, said: stderr };
}

test.each(["RULES_VERSION", "STATE_VERSION"])("%s is no defect, and says what helps", (code) => {
  const { status, said } = failed(code);

  expect(status).toBe(1);
  expect(said).toContain(`quorumlog: ${code}: what it was`);
  expect(said).toContain("docs/operations.md, A new version");
});

test.each(["LOG_CORRUPT", undefined])("of code %s it is to be started again", (code) => {
  const { status, said } = failed(code);

  expect(status).toBe(70);
  expect(said).toContain("what it was");
});
