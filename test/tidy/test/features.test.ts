// Goal: docs/features.md names each feature with a test that there is, and no test shows nothing.
// Method: read its tables, and the titles of the tests of real processes.

import { expect, test } from "vitest";
import { filesEndingIn } from "./repository.ts";

const TESTS = "test/e2e/test/";
const FEATURES = `${TESTS}features/`;
/** Named in full. */
const OTHERS = ["packages/cli/test/", "packages/broker/test/", "test/fuzz/test/"];

/** As in "`features/topics.test.ts` a topic is made", behind the last bar but one. */
const REFERENCE = /^`(?<file>[^`]+)` (?<title>.+)$/u;

interface Row {
  readonly feature: string;
  readonly about: string;
  /** What it names: a file, and the title of a test in it. */
  readonly reference: string;
}

const rows = rowsOf(filesEndingIn("docs/features.md")[0]?.text ?? "");
const titles = titlesByFile();

function rowsOf(text: string): Row[] {
  return (
    text
      .split("\n")
      .filter((line) => line.startsWith("| ") && !/^\| (?:-+|feature) +\|/u.test(line))
      // A bar of the text itself has a backslash before it.
      .map((line) => line.split(/(?<!\\)\|/u).map((cell) => cell.trim()))
      .map(([, feature = "", about = "", reference = ""]) => ({ feature, about, reference }))
  );
}

function titlesByFile(): Map<string, readonly string[]> {
  const files = filesEndingIn(".test.ts").filter(({ path }) =>
    [TESTS, ...OTHERS].some((folder) => path.startsWith(folder)),
  );
  return new Map(
    files.map(({ path, text }) => [
      path.startsWith(TESTS) ? path.slice(TESTS.length) : path,
      [...text.matchAll(/^\s*test(?:\.each\(.*\))?\(\s*"(?<title>[^"]+)"/gmu)].map(
        ({ groups }) => groups?.["title"] ?? "",
      ),
    ]),
  );
}

test("every row says what it is, and names a test that there is", () => {
  const wrong = rows.filter(({ feature, about, reference }) => {
    const { file = "", title = "" } = REFERENCE.exec(reference)?.groups ?? {};
    return feature === "" || about === "" || titles.get(file)?.includes(title) !== true;
  });

  expect(rows.length).toBeGreaterThan(0);
  expect(wrong).toEqual([]);
});

test("no feature has two rows", () => {
  const names = rows.map(({ feature }) => feature);

  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

test("every test of a feature has a row", () => {
  const named = new Set(rows.map(({ reference }) => reference));

  const orphans = [...titles]
    .filter(([file]) => `${TESTS}${file}`.startsWith(FEATURES))
    .flatMap(([file, all]) => all.map((title) => `\`${file}\` ${title}`))
    .filter((reference) => !named.has(reference));

  expect(orphans).toEqual([]);
});
