/** Plants a bug: applies a patch to a copy of the core's sources. */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { applyHunks } from "./apply-hunks.ts";
import { type FilePatch, parsePatch, PatchError } from "./patch.ts";

const SOURCES = "packages/raft/src/";

/**
 * @param folder - The copy of `packages/raft/src`.
 * @throws {@link PatchError} that names the file; the copy is then of no use.
 */
export function plant(patch: string, folder: string): void {
  for (const file of parsePatch(patch)) {
    const source = file.oldPath === undefined ? undefined : target(file.oldPath, folder);
    const destination = file.newPath === undefined ? undefined : target(file.newPath, folder);
    const shown = source ?? destination ?? "";
    if (source !== undefined && !existsSync(join(folder, source)))
      throw new PatchError(`${SOURCES}${source}: there is no such file`);
    if (source === undefined && existsSync(join(folder, shown)))
      throw new PatchError(`${SOURCES}${shown}: exists already`);
    const text = source === undefined ? "" : readFileSync(join(folder, source), "utf8");
    const changed = changedText(text, file, shown);
    if (source !== undefined && source !== destination) rmSync(join(folder, source));
    if (destination === undefined) continue;
    mkdirSync(dirname(join(folder, destination)), { recursive: true });
    writeFileSync(join(folder, destination), changed);
  }
}

function changedText(text: string, file: FilePatch, shown: string): string {
  try {
    return applyHunks(text, file.hunks);
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    throw new PatchError(`${SOURCES}${shown}: ${error.message}`, { cause: error });
  }
}

/**
 * The path within the core's sources. A patch may name it from the root of the repository or from
 * that folder, with or without the `a/` and `b/` of git.
 */
function target(path: string, folder: string): string {
  if (path.split("/").includes("..")) throw outside(path);
  const at = path.indexOf(SOURCES);
  if (at >= 0) return path.slice(at + SOURCES.length);
  const stripped = path.replace(/^(?:\.|[^/]*)\//, "");
  const names = [path, stripped].map((name) => name.replace(/^(?:raft\/)?src\//, ""));
  const known = names.find((name) => existsSync(join(folder, name)));
  if (known !== undefined) return known;
  const fresh = /^[ab]\//.test(path) ? names[1] : names[0];
  if (fresh === undefined || /^(?:\/|packages\/|test\/)/.test(fresh)) throw outside(path);
  return fresh;
}

function outside(path: string): PatchError {
  return new PatchError(`${path} is not in ${SOURCES}`);
}
