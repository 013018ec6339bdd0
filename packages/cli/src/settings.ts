/**
 * Settings of a command, from the command line, the environment and a file: the same names in all.
 *
 *     --data-dir ./data     QUORUMLOG_DATA_DIR=./data     { "dataDir": "./data" }
 *
 * The command line goes before the environment, and that before the file. Whatever does not fit is
 * told all at once.
 */

import { flagName, readValue, type SettingSpec, type SettingSpecs } from "./setting-spec.ts";
import type { SettingValue } from "./setting-spec.ts";
import { readEnvironment, readFile, readLine, type Source } from "./setting-sources.ts";

/** What was asked for cannot be: told to the user, without a stack. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

export interface SettingSources {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Of the settings of all commands. */
  readonly allNames: readonly string[];
}

export type Settings = Readonly<Record<string, SettingValue | undefined>>;

export interface ReadSettings {
  readonly settings: Settings;
  /** What is no flag. */
  readonly operands: readonly string[];
  readonly problems: readonly string[];
  /** What is taken as it is, and should not be so. */
  readonly warnings: readonly string[];
  /** Of settings that were given, and are nothing that can be taken. */
  readonly unreadNames: readonly string[];
}

/** Known to each command. */
export const CONFIG: SettingSpec = {
  type: "path",
  about: "a JSON file with any of these settings",
};

/** Settings that do not fit are left out of what is read, and are among the problems. */
export function readSettings(specs: SettingSpecs, sources: SettingSources): ReadSettings {
  const known: SettingSpecs = { ...specs, config: CONFIG };
  const line = readLine(known, sources.args);
  const environment = readEnvironment(known, sources.environment, sources.allNames);
  const file = (line.values.get("config") ?? environment.values.get("config"))?.value;
  const ofFile: Source =
    typeof file === "string" ? readFile(file, specs) : { values: new Map(), problems: [] };
  const order = [line, environment, ofFile];
  const problems = order.flatMap((source) => source.problems);
  const settings: Record<string, SettingValue | undefined> = {};
  // What a file that cannot be read might say is not missing.
  const isFileRead = ofFile.isRead !== false;
  const unreadNames: string[] = isFileRead ? [] : Object.keys(specs);
  for (const [name, spec] of Object.entries(specs)) {
    const source = order.find(({ values }) => values.has(name));
    const given = source?.values.get(name);
    if (given === undefined) {
      if (spec.isRequired === true && isFileRead)
        problems.push(`--${flagName(name)} is required: ${spec.about}`);
      settings[name] = spec.type === "flag" ? (spec.fallback ?? false) : spec.fallback;
      continue;
    }
    const read = readValue(spec, given.value);
    if ("problem" in read) {
      problems.push(`${given.where}: ${read.problem}`);
      unreadNames.push(name);
    } else settings[name] = read.value;
  }
  const { warnings = [] } = ofFile;
  return { settings, operands: line.operands, problems, warnings, unreadNames };
}
