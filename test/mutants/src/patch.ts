/**
 * Unified diffs, as `diff -u` and `git diff` write them.
 *
 * An own parser, so that a bug can be planted where neither git nor patch is installed, and so that
 * a patch that no longer fits is refused in words instead of being half applied.
 */

/** A patch that cannot be read, or does not fit the sources. */
export class PatchError extends Error {
  override readonly name = "PatchError";
}

export interface HunkLine {
  readonly kind: "context" | "removed" | "added";
  readonly text: string;
}

export interface Hunk {
  /** Where the old lines are thought to start, from 1; 0 for a file that does not exist yet. */
  readonly oldStart: number;
  readonly lines: readonly HunkLine[];
}

export interface FilePatch {
  /** As written in the patch; `undefined` for a new file. */
  readonly oldPath: string | undefined;
  /** `undefined` for a file that is removed. */
  readonly newPath: string | undefined;
  readonly hunks: readonly Hunk[];
}

const HUNK_HEADER = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@/;

/**
 * The files that a patch changes. Text before, between and after them is skipped, as `patch` does.
 *
 * @throws {@link PatchError} if nothing is changed, or in a way that a unified diff of text cannot
 *   say.
 */
export function parsePatch(text: string): FilePatch[] {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const files: FilePatch[] = [];
  let rename: { from?: string; to?: string } = {};
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] as string;
    at += 1;
    if (line.startsWith("GIT binary patch") || /^Binary files .* differ$/.test(line))
      throw new PatchError("it changes a binary file");
    if (line.startsWith("diff --git ")) rename = {};
    if (line.startsWith("rename from ")) rename.from = line.slice("rename from ".length);
    if (line.startsWith("rename to ")) {
      rename.to = line.slice("rename to ".length);
      if (!hasHunks(lines, at)) files.push({ oldPath: rename.from, newPath: rename.to, hunks: [] });
    }
    if (!line.startsWith("--- ") || lines[at]?.startsWith("+++ ") !== true) continue;
    const oldPath = pathIn(line);
    const newPath = pathIn(lines[at] as string);
    at += 1;
    const hunks: Hunk[] = [];
    while (HUNK_HEADER.test(lines[at] ?? "")) {
      const [hunk, next] = parseHunk(lines, at);
      hunks.push(hunk);
      at = next;
    }
    if (hunks.length === 0) throw new PatchError(`there are no changes under ${line}`);
    files.push({ oldPath, newPath, hunks });
  }
  if (files.length === 0) throw new PatchError("it is not a unified diff, or changes nothing");
  return files;
}

/** Whether the file whose header is being read goes on to change lines. */
function hasHunks(lines: readonly string[], from: number): boolean {
  for (let at = from; at < lines.length; at++) {
    const line = lines[at] as string;
    if (line.startsWith("diff --git ")) return false;
    if (line.startsWith("--- ")) return true;
  }
  return false;
}

/** Returns the hunk whose header is at `start`, and where the text after it starts. */
function parseHunk(lines: readonly string[], start: number): [Hunk, number] {
  const header = HUNK_HEADER.exec(lines[start] as string);
  if (header === null) throw new PatchError(`line ${start + 1}: not the head of a hunk`);
  let oldLeft = Number(header[2] ?? 1);
  let newLeft = Number(header[3] ?? 1);
  const hunkLines: HunkLine[] = [];
  let at = start + 1;
  while (oldLeft > 0 || newLeft > 0) {
    const line = lines[at];
    if (line === undefined) throw new PatchError(`line ${start + 1}: the hunk is cut short`);
    at += 1;
    // Files end in a newline here, whatever the patch remarks about that.
    if (line.startsWith("\\")) continue;
    const kind = kindOf(line);
    if (kind === undefined) throw new PatchError(`line ${at}: not a line of a hunk`);
    if (kind !== "added") oldLeft -= 1;
    if (kind !== "removed") newLeft -= 1;
    hunkLines.push({ kind, text: line.slice(1) });
  }
  if (oldLeft < 0 || newLeft < 0)
    throw new PatchError(`line ${start + 1}: the hunk is not as long as its head says`);
  return [{ oldStart: Number(header[1]), lines: hunkLines }, at];
}

function kindOf(line: string): HunkLine["kind"] | undefined {
  // An editor may have taken the one blank off an empty line of context.
  if (line === "" || line.startsWith(" ")) return "context";
  if (line.startsWith("-")) return "removed";
  return line.startsWith("+") ? "added" : undefined;
}

/** The path of a `---` or `+++` line, without the time that some tools add. */
function pathIn(line: string): string | undefined {
  const path = line.slice(4).split("\t")[0]?.trim() ?? "";
  const unquoted = path.startsWith('"') && path.endsWith('"') ? path.slice(1, -1) : path;
  if (unquoted === "") throw new PatchError(`there is no path in ${line}`);
  return unquoted === "/dev/null" ? undefined : unquoted;
}
