// Goal: the version of V8 that runs this knows the flag, and the process ends by itself.
// Method: a real process, which V8 tells on stderr what it does not know.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const MODULE = new URL("../dist/heap-headroom.js", import.meta.url).href;

test("headroom is given without a complaint, and keeps no process", async () => {
  const script = `(await import("${MODULE}")).giveHeapHeadroom(); console.log("given");`;
  const args = ["--input-type=module", "--eval", script];

  const { stdout, stderr } = await promisify(execFile)(process.execPath, args);

  expect(stdout).toBe("given\n");
  expect(stderr).toBe("");
});
