/**
 * The repository as the tidy rules see it: its text files, and their text with parts blanked out.
 *
 * Blanking keeps every newline, so that a match's line number is the line number in the file.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export interface SourceFile {
  /** Relative to the repository root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export const ROOT: string = fileURLToPath(new URL("../../../", import.meta.url));

/** Made by tools or by a run, never by hand. */
const GENERATED = new Set([".git", ".turbo", "dist", "generated", "node_modules", "out"]);

/** Every hand-written file whose name ends in `extension`, in path order. */
export function filesEndingIn(extension: string): readonly SourceFile[] {
  return walk(ROOT)
    .filter((path) => path.endsWith(extension))
    .toSorted()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

/** Names of the folders directly under `folder`. */
export function foldersIn(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .toSorted();
}

export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(join(ROOT, path), "utf8"));
}

// In this order, because what opens first wins: a quote in a comment opens no string.
const COMMENT = String.raw`\/\/[^\n]*|\/\*[\s\S]*?\*\/`;
const STRING = String.raw`"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\`(?:\\[\s\S]|[^\`\\])*\``;
// A slash opens a pattern only where a value is expected; elsewhere it divides.
const REGEXP_OPENS = String.raw`(?<=[(,=:[!&|?{};]\s*)\/`;
const REGEXP = String.raw`${REGEXP_OPENS}(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*`;
const TOKEN = new RegExp(`(?<comment>${COMMENT})|(?<literal>${STRING}|${REGEXP})`, "g");

type Kind = "code" | "comment" | "literal";

/** TypeScript text with everything blank except the given kinds. */
export function only(text: string, ...kinds: readonly Kind[]): string {
  let result = "";
  let end = 0;
  const keep = (part: string, kind: Kind): string =>
    kinds.includes(kind) ? part : part.replaceAll(/[^\n]/g, " ");
  for (const match of text.matchAll(TOKEN)) {
    const kind = match.groups?.["comment"] === undefined ? "literal" : "comment";
    result += keep(text.slice(end, match.index), "code") + keep(match[0], kind);
    end = match.index + match[0].length;
  }
  return result + keep(text.slice(end), "code");
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** Every module a TypeScript text imports or re-exports, types included. */
export function importsOf(text: string): readonly Import[] {
  const pattern = /(?:\bfrom\s+|\bimport\s*\(?\s*)"(?<specifier>[^"\n]+)"/g;
  const source = only(text, "code", "literal");
  return [...source.matchAll(pattern)].map((match) => ({
    specifier: match.groups?.["specifier"] ?? "",
    line: lineAt(source, match.index),
  }));
}

/** `path:line: match` for each place where `pattern` (global) occurs. */
export function occurrences(path: string, text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map(
    (match) => `${path}:${lineAt(text, match.index)}: ${match[0].trim()}`,
  );
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

function walk(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (GENERATED.has(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return walk(path);
    return [relative(ROOT, path).split(sep).join("/")];
  });
}
