/** Where programs are: servers are often in folders that the path of a user does not have. */

import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const MORE_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];
const VERSION_DEADLINE_MS = 60_000;

/** @returns its file, or `undefined` if it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...MORE_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** @throws if it is not installed. */
export function programFile(name: string): string {
  const file = findProgram(name);
  if (file === undefined) throw new Error(`${name} is not installed`);
  return file;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // Not there, or not for us: the same for whoever wants to start it.
    return false;
  }
}

/** The first version number in what a program says of itself. */
export function versionOf(program: string, words: readonly string[]): string {
  const text = execFileSync(program, words, { encoding: "utf8", timeout: VERSION_DEADLINE_MS });
  return /\d+\.\d+\.\d+/u.exec(text)?.[0] ?? "of a version it does not tell";
}
