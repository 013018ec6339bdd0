/** The bugs to plant, and what their files say of them. */

import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parsePatch, PatchError } from "./patch.ts";

/** What notices bugs, in the order in which it is asked. */
export const STAGES = ["simulator", "conformance", "cluster", "unit"] as const;

export type StageName = (typeof STAGES)[number];

export interface Bug {
  readonly name: string;
  readonly title: string;
  /** Rows of the list of pitfalls, PITFALLS.md; none for an outsider's bug. */
  readonly rows: readonly number[];
  /** What should notice it at the latest; `undefined` for an outsider's bug. */
  readonly expected: StageName | undefined;
  readonly patch: string;
}

/** The last row of the list of pitfalls. */
export const ROW_MAX = 68;

/** Beside `src` and `dist`. */
const BUGS = fileURLToPath(new URL("../bugs/", import.meta.url));

/** The project's own bugs, in the order of their numbers. */
export function plantedBugs(): Bug[] {
  return readdirSync(BUGS)
    .filter((name) => name.endsWith(".patch"))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((name) => plantedBug(name, readFileSync(join(BUGS, name), "utf8")));
}

/**
 * A bug that an outsider brings.
 *
 * @throws {@link PatchError} if the file cannot be read, or is no patch: known before a long build.
 */
export function foreignBug(path: string): Bug {
  const name = basename(path).replace(/\.(?:patch|diff)$/, "");
  const patch = readPatch(path);
  return { name, title: field(patch, "Title") ?? name, rows: [], expected: undefined, patch };
}

/** @throws {@link PatchError} if the head of the file does not say what it has to. */
export function plantedBug(fileName: string, patch: string): Bug {
  const name = fileName.replace(/\.patch$/, "");
  const title = field(patch, "Title");
  const rows = field(patch, "Row")?.split(",").map(Number) ?? [];
  const expected = STAGES.find((stage) => stage === field(patch, "Expect"));
  if (title === undefined) throw new PatchError(`${fileName}: a line "Title: ..." is missing`);
  if (!rows.every((row) => Number.isInteger(row) && row >= 1 && row <= ROW_MAX))
    throw new PatchError(`${fileName}: "Row:" lists rows of the list of pitfalls, 1 to ${ROW_MAX}`);
  if (expected === undefined)
    throw new PatchError(`${fileName}: "Expect:" is one of ${STAGES.join(", ")}`);
  return { name, title, rows, expected, patch };
}

function readPatch(path: string): string {
  try {
    const text = readFileSync(path, "utf8");
    parsePatch(text);
    return text;
  } catch (error) {
    throw new PatchError(`${path}: ${whyUnreadable(error)}`, { cause: error });
  }
}

function whyUnreadable(error: unknown): string {
  if (error instanceof PatchError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file";
  return code === "EISDIR"
    ? "it is a folder, not a patch"
    : `it cannot be read (${code ?? message})`;
}

/** A line `key: value` before the patch itself. */
function field(patch: string, key: string): string | undefined {
  const head = /^[\s\S]*?(?=^(?:--- |diff ))/m.exec(patch)?.[0] ?? "";
  const prefix = `${key}: `;
  const line = head.split("\n").find((each) => each.startsWith(prefix));
  return line?.slice(prefix.length).trim();
}
