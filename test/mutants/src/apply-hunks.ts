/**
 * Puts the hunks of a patch into a text, where its lines have moved or changed a little, too.
 *
 * As `patch` does: nearest to where the hunk says, and with up to two lines of context at either
 * end left out of account. Lines that are removed must stand there exactly.
 */

import { type Hunk, type HunkLine, PatchError } from "./patch.ts";

const FUZZ_MAX = 2;

/** @throws {@link PatchError} that says which hunk does not fit. */
export function applyHunks(text: string, hunks: readonly Hunk[]): string {
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  /** By how much what follows has moved, in the text and by the hunks before. */
  let moved = 0;
  /** The end of the last hunk: hunks do not overlap. */
  let floor = 0;
  hunks.forEach((hunk, number) => {
    const place = findPlace(lines, hunk, {
      expected: Math.max(0, hunk.oldStart - 1) + moved,
      floor,
    });
    if (place === undefined) {
      // A line number alone is no place: the lines may have moved since.
      const hasPlace = lines.length === 0 || linesWithout(hunk.lines, "added").length > 0;
      const why = hasPlace ? "does not fit" : "only adds lines, and needs lines of context";
      throw new PatchError(`hunk ${number + 1} ${why}\n${shown(hunk)}`);
    }
    const { at, fitted } = place;
    const fresh = linesWithout(fitted, "removed");
    const removedCount = linesWithout(fitted, "added").length;
    lines.splice(at, removedCount, ...fresh);
    floor = at + fresh.length;
    moved = at - place.trimmed - Math.max(0, hunk.oldStart - 1) + fresh.length - removedCount;
  });
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

interface Place {
  readonly at: number;
  /** The hunk's lines without the context that was left out. */
  readonly fitted: readonly HunkLine[];
  /** How many lines were left out before them. */
  readonly trimmed: number;
}

function findPlace(
  lines: readonly string[],
  hunk: Hunk,
  near: { expected: number; floor: number },
): Place | undefined {
  for (let fuzz = 0; fuzz <= FUZZ_MAX; fuzz++) {
    const head = Math.min(fuzz, contextCount(hunk.lines));
    const tail = Math.min(fuzz, contextCount([...hunk.lines].reverse()));
    if (fuzz > 0 && head < fuzz && tail < fuzz) return undefined;
    const fitted = hunk.lines.slice(head, hunk.lines.length - tail);
    const old = linesWithout(fitted, "added");
    // Lines that are only added, with nothing around them, have a place in an empty file only.
    if (old.length === 0) return lines.length === 0 ? { at: 0, fitted, trimmed: 0 } : undefined;
    const at = nearest(lines, old, { expected: near.expected + head, floor: near.floor });
    if (at !== undefined) return { at, fitted, trimmed: head };
  }
  return undefined;
}

function nearest(
  lines: readonly string[],
  old: readonly string[],
  near: { expected: number; floor: number },
): number | undefined {
  const last = lines.length - old.length;
  const fits = (at: number): boolean =>
    at >= near.floor && at <= last && old.every((line, i) => lines[at + i] === line);
  for (let distance = 0; distance <= lines.length + near.expected; distance++) {
    if (fits(near.expected + distance)) return near.expected + distance;
    if (fits(near.expected - distance)) return near.expected - distance;
  }
  return undefined;
}

function contextCount(lines: readonly HunkLine[]): number {
  const changed = lines.findIndex(({ kind }) => kind !== "context");
  return changed < 0 ? lines.length : changed;
}

function linesWithout(lines: readonly HunkLine[], kind: HunkLine["kind"]): string[] {
  return lines.filter((line) => line.kind !== kind).map(({ text }) => text);
}

function shown(hunk: Hunk): string {
  const signs = { context: " ", removed: "-", added: "+" };
  return hunk.lines.map(({ kind, text }) => `    ${signs[kind]}${text}`).join("\n");
}
