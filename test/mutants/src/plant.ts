/** Plants a bug: applies a patch to a copy of the project's sources. */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { applyHunks } from "./apply-hunks.ts";
import { type FilePatch, parsePatch, PatchError } from "./patch.ts";
import { type Place, PLACES, sourcesOf } from "./place.ts";

/** A file that a patch changes. */
interface Target {
  readonly place: Place;
  /** From the root of the repository. */
  readonly path: string;
}

/**
 * @param folder - The copy of the repository.
 * @returns the packages that have changed.
 * @throws {@link PatchError} that names the file; the copy is then of no use.
 */
export function plant(patch: string, folder: string): Place[] {
  const places = new Set<Place>();
  for (const file of parsePatch(patch)) {
    const source = file.oldPath === undefined ? undefined : targetOf(file.oldPath, folder);
    const destination = file.newPath === undefined ? undefined : targetOf(file.newPath, folder);
    for (const each of [source, destination]) if (each !== undefined) places.add(each.place);
    replace(file, source?.path, destination?.path, folder);
  }
  return PLACES.filter((place) => places.has(place));
}

function replace(
  file: FilePatch,
  source: string | undefined,
  destination: string | undefined,
  folder: string,
): void {
  const shown = source ?? destination ?? "";
  if (source !== undefined && !existsSync(join(folder, source)))
    throw new PatchError(`${source}: there is no such file`);
  if (source === undefined && existsSync(join(folder, shown)))
    throw new PatchError(`${shown}: exists already`);
  const text = source === undefined ? "" : readFileSync(join(folder, source), "utf8");
  const changed = changedText(text, file, shown);
  if (source !== undefined && source !== destination) rmSync(join(folder, source));
  if (destination === undefined) return;
  mkdirSync(dirname(join(folder, destination)), { recursive: true });
  writeFileSync(join(folder, destination), changed);
}

function changedText(text: string, file: FilePatch, shown: string): string {
  try {
    return applyHunks(text, file.hunks);
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    throw new PatchError(`${shown}: ${error.message}`, { cause: error });
  }
}

/**
 * The file that a path means. A patch may name it from the root of the repository, or from the
 * sources of a package if no other package has such a file, with or without the `a/` and `b/` of
 * git.
 */
function targetOf(path: string, folder: string): Target {
  if (path.split("/").includes("..")) throw outside(path);
  for (const place of PLACES) {
    const at = path.indexOf(sourcesOf(place));
    if (at >= 0) return { place, path: path.slice(at) };
  }
  const stripped = path.replace(/^(?:\.|[^/]*)\//, "");
  const names = [path, stripped].map((name) => name.replace(/^(?:raft\/)?src\//, ""));
  for (const name of names) {
    const known = PLACES.map((place) => ({ place, path: sourcesOf(place) + name })).filter((each) =>
      existsSync(join(folder, each.path)),
    );
    const [only, other] = known;
    if (other !== undefined)
      throw new PatchError(`${path} may be ${known.map((each) => each.path).join(" or ")}`);
    if (only !== undefined) return only;
  }
  const fresh = /^[ab]\//.test(path) ? names[1] : names[0];
  if (fresh === undefined || /^(?:\/|packages\/|test\/)/.test(fresh)) throw outside(path);
  return { place: "raft", path: sourcesOf("raft") + fresh };
}

function outside(path: string): PatchError {
  const [first, ...others] = PLACES.map(sourcesOf).toReversed();
  return new PatchError(`${path} is not in ${others.toReversed().join(", ")} or ${first}`);
}
