/**
 * Settings of a command, from the command line, the environment and a file: the same names in all.
 *
 *     --data-dir ./data     QUORUMLOG_DATA_DIR=./data     { "dataDir": "./data" }
 *
 * The command line goes before the environment, and that before the file. Whatever does not fit is
 * told all at once.
 */

import { readFileSync } from "node:fs";

export interface SettingSpec {
  readonly type: "text" | "integer" | "flag" | "list";
  /** One line, for the help. */
  readonly about: string;
  readonly fallback?: string | number | boolean | readonly string[];
  readonly min?: number;
  readonly max?: number;
  /** Of a text: these and no other. */
  readonly oneOf?: readonly string[];
  readonly isRequired?: boolean;
}

export type SettingSpecs = Readonly<Record<string, SettingSpec>>;

export type Settings = Readonly<Record<string, string | number | boolean | readonly string[]>>;

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
}

const CONFIG: SettingSpec = { type: "text", about: "a JSON file with any of these settings" };

/** @throws UsageError */
export function readSettings(
  specs: SettingSpecs,
  { args, environment }: SettingSources,
): { readonly settings: Settings; readonly operands: readonly string[] } {
  const known: SettingSpecs = { ...specs, config: CONFIG };
  const problems: string[] = [];
  const line = readLine(known, args, problems);
  const fromEnvironment = new Map<string, unknown>();
  for (const name of Object.keys(known)) {
    const value = environment[environmentName(name)];
    if (value !== undefined) fromEnvironment.set(name, value);
  }
  const file = line.values.get("config") ?? fromEnvironment.get("config");
  const fromFile = typeof file === "string" ? readFile(file, known, problems) : new Map();
  const settings: Record<string, string | number | boolean | readonly string[]> = {};
  for (const [name, spec] of Object.entries(known)) {
    const given = [line.values, fromEnvironment, fromFile].find((source) => source.has(name));
    if (given !== undefined) {
      const value = parsed(name, spec, given.get(name));
      if (typeof value === "object" && "problem" in value) problems.push(value.problem);
      else settings[name] = value;
    } else if (spec.fallback !== undefined) settings[name] = spec.fallback;
    else if (spec.isRequired === true) problems.push(`--${flagName(name)} is required`);
  }
  if (problems.length > 0) throw new UsageError(problems);
  return { settings, operands: line.operands };
}

/** Of a setting's name. */
export function flagName(name: string): string {
  return name.replaceAll(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`);
}

function environmentName(name: string): string {
  return `QUORUMLOG_${flagName(name).replaceAll("-", "_").toUpperCase()}`;
}

function readLine(
  specs: SettingSpecs,
  args: readonly string[],
  problems: string[],
): { readonly values: Map<string, unknown>; readonly operands: readonly string[] } {
  const names = new Map(Object.keys(specs).map((name) => [flagName(name), name]));
  const values = new Map<string, unknown>();
  const operands: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === "--") {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith("--")) {
      operands.push(arg);
      continue;
    }
    const [flag = "", ...rest] = arg.slice(2).split("=");
    const name = names.get(flag) ?? (flag.startsWith("no-") ? names.get(flag.slice(3)) : undefined);
    if (name === undefined) {
      problems.push(`--${flag} is not known here`);
      continue;
    }
    const isFlag = specs[name]?.type === "flag";
    if (rest.length > 0) values.set(name, rest.join("="));
    else if (isFlag) values.set(name, !flag.startsWith("no-") || names.has(flag));
    else if (i + 1 < args.length) {
      i += 1;
      values.set(name, args[i]);
    } else problems.push(`--${flag} wants a value`);
  }
  return { values, operands };
}

function readFile(path: string, specs: SettingSpecs, problems: string[]): Map<string, unknown> {
  const values = new Map<string, unknown>();
  try {
    const content: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof content !== "object" || content === null || Array.isArray(content))
      throw new SyntaxError("it is no object");
    for (const [name, value] of Object.entries(content)) {
      if (Object.hasOwn(specs, name)) values.set(name, value);
      else problems.push(`${path}: "${name}" is not known here`);
    }
  } catch (error) {
    problems.push(`--config ${path}: ${(error as Error).message}`);
  }
  return values;
}

type Parsed = string | number | boolean | readonly string[] | { readonly problem: string };

function parsed(name: string, spec: SettingSpec, value: unknown): Parsed {
  const flag = `--${flagName(name)}`;
  switch (spec.type) {
    case "integer":
      return parsedInteger(flag, spec, Number(value));
    case "flag":
      if (value === true || value === "true" || value === "1") return true;
      if (value === false || value === "false" || value === "0") return false;
      return { problem: `${flag}: "${String(value)}" is neither true nor false` };
    case "list": {
      const list = Array.isArray(value) ? value.map(String) : String(value).split(",");
      return list.map((each) => each.trim()).filter((each) => each !== "");
    }
    default: {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      if (spec.oneOf === undefined || spec.oneOf.includes(text)) return text;
      return { problem: `${flag}: "${text}" is none of ${spec.oneOf.join(", ")}` };
    }
  }
}

function parsedInteger(flag: string, spec: SettingSpec, value: number): Parsed {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = spec;
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  return { problem: `${flag}: ${value} is not an integer in [${min}, ${max}]` };
}
