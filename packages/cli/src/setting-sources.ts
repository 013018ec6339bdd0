/**
 * Where settings come from: the command line, the environment, a file. Each says what it was given
 * under which of the known names, and what it cannot make sense of.
 */

import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { nearestName } from "./nearest-name.ts";
import { environmentName, flagName, type SettingSpec, type SettingSpecs } from "./setting-spec.ts";

/** A value as it was written, and where, in words. */
export interface Given {
  readonly value: unknown;
  readonly where: string;
}

export interface Source {
  readonly values: ReadonlyMap<string, Given>;
  readonly problems: readonly string[];
  /** Of a file: false if there is no telling what it says. */
  readonly isRead?: boolean;
  readonly warnings?: readonly string[];
}

/** Of a file's mode: anybody on the machine may read it. */
const OTHERS_READ = 0o004;

/** @returns with what is no flag, in order. */
export function readLine(
  specs: SettingSpecs,
  args: readonly string[],
): Source & { readonly operands: readonly string[] } {
  const line = new LineReader(specs);
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === "--") {
      line.operands.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith("-") || arg === "-") line.operands.push(arg);
    else if (line.take(arg, args[i + 1])) i += 1;
  }
  return line;
}

class LineReader {
  readonly values = new Map<string, Given>();
  readonly problems: string[] = [];
  readonly operands: string[] = [];
  readonly #specs: SettingSpecs;
  readonly #names = new Map<string, string>();

  constructor(specs: SettingSpecs) {
    this.#specs = specs;
    for (const [name, { alias }] of Object.entries(specs)) {
      this.#names.set(flagName(name), name);
      if (alias !== undefined) this.#names.set(alias, name);
    }
  }

  /** @returns whether the next argument is this one's value. */
  take(arg: string, next: string | undefined): boolean {
    const [, flag = "", text] = /^--?(?<flag>[^=]*)(?:=(?<text>[^]*))?$/u.exec(arg) ?? [];
    const positive = flag.startsWith("no-") ? this.#names.get(flag.slice(3)) : undefined;
    const name = this.#names.get(flag) ?? positive;
    const spec: SettingSpec | undefined = name === undefined ? undefined : this.#specs[name];
    if (name === undefined || spec === undefined || !arg.startsWith("--")) {
      this.problems.push(unknown(arg.split("=")[0] ?? arg, flag, [...this.#names.keys()], "--"));
      // What seems to be its value means nothing by itself.
      return text === undefined && next !== undefined && !next.startsWith("-");
    }
    if (this.values.has(name)) this.problems.push(`--${flag} is given twice`);
    const give = (value: unknown): void => {
      this.values.set(name, { value, where: `--${flag}` });
    };
    if (text !== undefined) give(text);
    else if (spec.type === "flag") give(this.#names.has(flag));
    else if (next !== undefined && !next.startsWith("--")) {
      give(next);
      return true;
    } else this.problems.push(`--${flag} wants a value`);
    return false;
  }
}

/**
 * What is not known at all is left alone, as others put things there, too: Kubernetes does for a
 * service of this name. What is nearly a setting is a mistake.
 *
 * @param allNames - Of the settings of all commands: those of others are not this one's business.
 */
export function readEnvironment(
  specs: SettingSpecs,
  environment: Readonly<Record<string, string | undefined>>,
  allNames: readonly string[],
): Source {
  const values = new Map<string, Given>();
  const known = new Set<string>();
  for (const [name, { isOnLineAlone = false }] of Object.entries(specs)) {
    if (isOnLineAlone) continue;
    const variable = environmentName(name);
    known.add(variable);
    const value = environment[variable];
    if (value !== undefined) values.set(name, { value, where: variable });
  }
  for (const name of allNames) known.add(environmentName(name));
  const problems = Object.keys(environment)
    .filter((variable) => variable.startsWith("QUORUMLOG_") && !known.has(variable))
    .filter((variable) => nearestName(variable, [...known]) !== undefined)
    .map((variable) => unknown(variable, variable, [...known], ""));
  return { values, problems };
}

/** Of JSON: an object whose fields are settings. */
export function readFile(path: string, specs: SettingSpecs): Source {
  const values = new Map<string, Given>();
  const problems: string[] = [];
  try {
    const content: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof content !== "object" || content === null || Array.isArray(content))
      throw new SyntaxError("it is not an object of settings");
    const names = Object.keys(specs).filter((name) => specs[name]?.isOnLineAlone !== true);
    for (const [name, value] of Object.entries(content)) {
      const where = `${path}: ${name}`;
      if (!names.includes(name)) problems.push(unknown(where, name, names, ""));
      else if (specs[name]?.type === "path" && typeof value === "string" && value !== "")
        values.set(name, { value: resolve(dirname(path), value), where });
      else values.set(name, { value, where });
    }
    return { values, problems, warnings: secretWarnings(path, specs, values) };
  } catch (error) {
    const problem = `--config ${path}: ${(error as Error).message}`;
    return { values, problems: [...problems, problem], isRead: false };
  }
}

/** A group may be meant to read it; everybody is not. Windows has other means, and says nothing. */
function secretWarnings(
  path: string,
  specs: SettingSpecs,
  values: ReadonlyMap<string, Given>,
): string[] {
  const secrets = [...values.keys()].filter((name) => specs[name]?.isSecret === true);
  if (secrets.length === 0 || process.platform === "win32") return [];
  if ((statSync(path).mode & OTHERS_READ) === 0) return [];
  return [
    `${path} has a secret (${secrets.join(", ")}), and anybody may read it: chmod 600 ${path}`,
  ];
}

function unknown(shown: string, name: string, names: readonly string[], prefix: string): string {
  const meant = nearestName(name, names);
  if (meant !== undefined) return `${shown} is not known here: did you mean ${prefix}${meant}?`;
  const valid = names.toSorted().map((each) => prefix + each);
  return `${shown} is not known here: there are ${valid.join(", ")}`;
}
