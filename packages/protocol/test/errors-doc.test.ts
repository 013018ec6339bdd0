// Goal: docs/errors.md has a row for each code, which says of it what the code's traits say.
// Method: read the table, compare.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ERROR_TRAITS } from "../src/operation-error.ts";

const ROW = /^\| `(?<code>[A-Z_]+)` +\|(?<rest>.*)\|$/gmu;

test("every code has its row, with meaning, outcome, advice, and what to do", () => {
  const text = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(ROW)].map(({ groups }) => {
    const [meaning = "", outcome = "", advice = "", action = ""] = (groups?.["rest"] ?? "")
      .split("|")
      .map((cell) => cell.trim());
    expect(Math.min(meaning.length, action.length)).toBeGreaterThan(5);
    return [groups?.["code"], { outcome: unquoted(outcome), advice: unquoted(advice) }];
  });

  const traits = Object.entries(ERROR_TRAITS).map(([code, { outcome, advice }]) => {
    return [code, { outcome, advice }];
  });
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(traits));
  expect(rows).toHaveLength(traits.length);
});

function unquoted(cell: string): string {
  return cell.replaceAll("`", "");
}
