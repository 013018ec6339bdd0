// Goal: the rules of form that neither the compiler, the linter nor the formatter can check.
// Method: look at every hand-written file; report each breach as path:line.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { filesEndingIn, occurrences, only } from "./repository.ts";

const LINES_MAX = 500;
const COLUMNS_MAX = 100;

describe("TypeScript", () => {
  const sources = filesEndingIn(".ts");

  test(`a file has at most ${LINES_MAX} lines`, () => {
    const long = sources
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n").length }))
      .filter(({ lines }) => lines > LINES_MAX);

    expect(long).toEqual([]);
  });

  test(`a line has at most ${COLUMNS_MAX} columns, unless it holds a link`, () => {
    const wide = sources.flatMap(({ path, text }) =>
      text
        .split("\n")
        .map((line, index) => ({ line, at: `${path}:${index + 1}` }))
        .filter(({ line }) => line.length > COLUMNS_MAX && !/https?:\/\//.test(line))
        .map(({ at }) => at),
    );

    expect(wide).toEqual([]);
  });

  test("a file is named for its one concept", () => {
    const nameless = sources
      .map(({ path }) => path)
      .filter((path) => /(?:^|\/)(?:utils?|helpers?|common|misc|types)(?:\/|\.)/.test(path));

    expect(nameless).toEqual([]);
  });

  test.each([
    ["default exports", /\bexport\s+default\b/g],
    ["star exports", /\bexport\s*\*/g],
    ["enums", /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w/gm],
    ["namespaces", /^\s*(?:export\s+)?(?:declare\s+)?(?:namespace|module)\s+[\w.]+\s*\{/gm],
  ])("there are no %s", (_name, pattern) => {
    const found = sources
      // Tools read their configuration from a default export; nothing else may have one.
      .filter(({ path }) => !path.endsWith(".config.ts"))
      .flatMap(({ path, text }) => occurrences(path, only(text, "code"), pattern));

    expect(found).toEqual([]);
  });

  test("a note about work to do names its issue, as in (#12)", () => {
    const found = sources.flatMap(({ path, text }) =>
      occurrences(path, only(text, "comment"), /\b(?:TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))/g),
    );

    expect(found).toEqual([]);
  });
});

describe("Markdown", () => {
  const documents = filesEndingIn(".md").map(({ path, text }) => ({
    path,
    prose: text.replaceAll(/^(?<fence>```|~~~)[\s\S]*?^\k<fence>/gm, blank),
  }));

  test("a document has exactly one title", () => {
    const titles = documents
      .map(({ path, prose }) => ({ path, count: prose.match(/^# /gm)?.length ?? 0 }))
      .filter(({ count }) => count !== 1);

    expect(titles).toEqual([]);
  });

  test("a relative link leads to a file", () => {
    const root = fileURLToPath(new URL("../../../", import.meta.url));

    const broken = documents.flatMap(({ path, prose }) =>
      [...prose.matchAll(/\]\((?<target>[^)\s#]+)[^)]*\)/g)]
        .map((match) => match.groups?.["target"] ?? "")
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => !existsSync(join(root, dirname(path), target)))
        .map((target) => `${path}: ${target}`),
    );

    expect(broken).toEqual([]);
  });
});

function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, " ");
}
