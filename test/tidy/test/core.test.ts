// Goal: the consensus core is synchronous and deterministic, so that a seed replays a run.
// Method: look in its code, comments and strings blanked, for what would make it otherwise.
// The compiler and the linter forbid most of this too; `async` is forbidden only here.
import { expect, test } from "vitest";
import { filesEndingIn, importsOf, occurrences, only } from "./repository.ts";

const FOLDER = "packages/raft/src/";
const core = filesEndingIn(".ts").filter(
  ({ path }) => path.startsWith(FOLDER) && !path.startsWith(`${FOLDER}testing/`),
);

test.each([
  ["promises", /\b(?:async|await|Promise|queueMicrotask)\b/g],
  ["clocks", /\b(?:Date|performance)\b/g],
  ["timers", /\b(?:setTimeout|setInterval|setImmediate)\b/g],
  ["chance of its own", /\bMath\s*\.\s*random\b|\bcrypto\b/g],
  ["output", /\bconsole\b/g],
  ["bigints", /\b(?:bigint|BigInt)\b|\b\d+n\b/g],
])("the core has no %s", (_name, pattern) => {
  const found = core.flatMap(({ path, text }) => occurrences(path, only(text, "code"), pattern));

  expect(found).toEqual([]);
});

test("the core imports nothing of the platform", () => {
  const found = core.flatMap(({ path, text }) =>
    importsOf(text)
      .filter(({ specifier }) => specifier.startsWith("node:"))
      .map(({ specifier, line }) => `${path}:${line}: ${specifier}`),
  );

  expect(found).toEqual([]);
});
