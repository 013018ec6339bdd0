/** Which files hold scripts, and in which grammar. */

import { FlagError } from "@quorumlog/std";
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Grammar } from "./replay.ts";

export interface ScriptFile {
  readonly path: string;
  readonly grammar: Grammar;
}

/** Of this file, whether it runs from `src` or from `dist`. */
const PROJECT = fileURLToPath(new URL("../../../", import.meta.url));

const SCENARIOS = join(PROJECT, "packages/raft/test/scenarios");

const GRAMMARS: readonly Grammar[] = ["interaction", "confchange", "quorum"];

/**
 * The scripts of the given folders, or of the project if there are none, in path order.
 *
 * A folder's scripts are in its subfolders named for a grammar. Those in the folder itself are
 * interaction scripts, unless the folder is named for another grammar.
 *
 * @throws FlagError if a folder does not exist.
 */
export function findScripts(folders: readonly string[]): ScriptFile[] {
  if (folders.length === 0) return existsSync(SCENARIOS) ? scriptsIn(SCENARIOS) : [];
  return folders.flatMap((folder) => {
    if (!existsSync(folder) || !statSync(folder).isDirectory())
      throw new FlagError([`--dir: ${folder} is not a folder`]);
    const nested = GRAMMARS.flatMap((grammar) => {
      const subfolder = join(folder, grammar);
      return existsSync(subfolder) ? scriptsIn(subfolder, grammar) : [];
    });
    return [...scriptsIn(folder), ...nested];
  });
}

export function readScript(file: ScriptFile): string {
  return readFileSync(file.path, "utf8");
}

/** Whether the file is the project's own, so that it may be written. */
export function isInProject(file: ScriptFile): boolean {
  return realpathSync(file.path).startsWith(realpathSync(PROJECT) + sep);
}

/** The path as it is shown: short where that is possible. */
export function shownPath(file: ScriptFile): string {
  const short = relative(process.cwd(), file.path);
  return short.startsWith("..") ? file.path : short;
}

function scriptsIn(folder: string, grammar: Grammar = grammarOf(folder)): ScriptFile[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".txt"))
    .sort()
    .map((name) => ({ path: join(folder, name), grammar }));
}

function grammarOf(folder: string): Grammar {
  return GRAMMARS.find((grammar) => grammar === basename(folder)) ?? "interaction";
}
