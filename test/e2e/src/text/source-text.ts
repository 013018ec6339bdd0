/**
 * Real text in a stable order: the lines of the .js, .ts and .md files below a folder, file by
 * file, and from the beginning again, under other names, until there is enough.
 */

import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface TextFile {
  /** Names its message group: its path, with a suffix when it is read again. */
  readonly path: string;
  /** As `grep -n` prints them: the number of the line from 0, a colon, the line. */
  readonly lines: readonly Buffer[];
}

const NEWLINE = 0x0a;
const ENDINGS = [".js", ".ts", ".md"];

/**
 * @param bytes - Of files, at least.
 * @throws Error if there is no such file below `root`
 */
export function* sourceText(root: string, bytes: number): Generator<TextFile, void, void> {
  const paths = [...pathsBelow(root, "")].toSorted();
  let left = bytes;
  for (let round = 1; left > 0; round++) {
    const before = left;
    for (const path of paths) {
      const text = readFileSync(join(root, path));
      const lines = numberedLines(text);
      if (lines.length === 0) continue;
      left -= text.length;
      yield { path: round === 1 ? path : `${path}#${round}`, lines };
      if (left <= 0) return;
    }
    if (left === before) throw new Error(`there is no text below ${root}`);
  }
}

/** In one piece of memory. */
export function numberedLines(text: Buffer): Buffer[] {
  const ends: number[] = [];
  for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE, end + 1))
    ends.push(end);
  if (text.length > 0 && text[text.length - 1] !== NEWLINE) ends.push(text.length);
  const prefixes = ends.map((_, number) => `${number}:`);
  const size = prefixes.reduce((sum, prefix) => sum + prefix.length, text.length);
  const memory = Buffer.allocUnsafe(size);
  const lines: Buffer[] = [];
  let from = 0;
  let at = 0;
  for (const [number, end] of ends.entries()) {
    const start = at;
    at += memory.write(prefixes[number] ?? "", at, "latin1");
    at += text.copy(memory, at, from, end);
    lines.push(memory.subarray(start, at));
    from = end + 1;
  }
  return lines;
}

/** Links are not followed: they lead back here. */
function* pathsBelow(root: string, folder: string): Generator<string, void, void> {
  const entries: Dirent[] = readdirSync(join(root, folder), { withFileTypes: true });
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* pathsBelow(root, path);
    else if (entry.isFile() && ENDINGS.some((ending) => path.endsWith(ending))) yield path;
  }
}
