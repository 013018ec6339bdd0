/** What a command may be told, and how it is checked. */

export interface SettingSpec {
  /** A `path` that a configuration file names is taken from the folder of that file. */
  readonly type: "text" | "path" | "integer" | "flag" | "list";
  /** One line, for the help. */
  readonly about: string;
  /** What is taken if nothing is said. A flag is false then. */
  readonly fallback?: string | number | boolean | readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly multipleOf?: number;
  /** Of a text: these and no other. */
  readonly oneOf?: readonly string[];
  readonly isRequired?: boolean;
  /** Of a text: what is wrong with it is told without it. */
  readonly isSecret?: boolean;
  /** Another name of the flag. */
  readonly alias?: string;
  /** Only the command line says it: elsewhere its name means something else. */
  readonly isOnLineAlone?: boolean;
  /** Of a text, or of each item of a list. @returns what is wrong with it */
  readonly check?: (text: string) => string | undefined;
}

export type SettingSpecs = Readonly<Record<string, SettingSpec>>;

/** Settings that several commands share are of one of these. */
export type FlagSetting = SettingSpec & { readonly type: "flag" };
export type PathSetting = SettingSpec & { readonly type: "path" };
export type TextSetting = SettingSpec & { readonly type: "text" };
export type ListSetting = SettingSpec & {
  readonly type: "list";
  readonly fallback: readonly string[];
};

export type SettingValue = string | number | boolean | readonly string[];

type ValueOf<Spec extends SettingSpec> = Spec["type"] extends "integer"
  ? number
  : Spec["type"] extends "flag"
    ? boolean
    : Spec["type"] extends "list"
      ? readonly string[]
      : Spec extends { readonly oneOf: readonly (infer Choice)[] }
        ? Choice
        : string;

type IsGiven<Spec> = Spec extends { readonly type: "flag" }
  ? true
  : Spec extends { readonly fallback: SettingValue }
    ? true
    : Spec extends { readonly isRequired: true }
      ? true
      : false;

/** What a command reads its settings as: `undefined` only where nothing has to be said. */
export type SettingsOf<Specs extends SettingSpecs> = {
  readonly [Name in keyof Specs]: IsGiven<Specs[Name]> extends true
    ? ValueOf<Specs[Name]>
    : ValueOf<Specs[Name]> | undefined;
};

/** As `dataDir` is typed: `data-dir`. */
export function flagName(name: string): string {
  return name.replaceAll(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`);
}

/** As `dataDir` is exported: `QUORUMLOG_DATA_DIR`. */
export function environmentName(name: string): string {
  return `QUORUMLOG_${flagName(name).replaceAll("-", "_").toUpperCase()}`;
}

/** @returns what is wrong with an address. */
export function addressProblem(text: string): string | undefined {
  const [, port = ""] = /^(?:[^:\s]+|\[[^\]\s]+\]):(?<port>\d{1,5})$/u.exec(text) ?? [];
  return port !== "" && Number(port) <= 65_535
    ? undefined
    : "is not host:port, as in 10.0.0.1:7100";
}

type Read = { readonly value: SettingValue } | { readonly problem: string };

/** @param given - Text, or of a configuration file, any value of JSON. */
export function readValue(spec: SettingSpec, given: unknown): Read {
  switch (spec.type) {
    case "integer":
      return readInteger(spec, given);
    case "flag":
      if (given === true || given === "true" || given === "1") return { value: true };
      if (given === false || given === "false" || given === "0") return { value: false };
      return { problem: `${said(given)} is neither true nor false` };
    case "list":
      return readList(spec, given);
    default:
      return readText(spec, given);
  }
}

function readInteger({ min = 0, max, multipleOf = 1 }: SettingSpec, given: unknown): Read {
  const isNumber = typeof given === "string" ? /^-?\d+$/u.test(given) : typeof given === "number";
  const value = isNumber ? Number(given) : Number.NaN;
  const bounds = max === undefined ? `of ${min} or more` : `in [${min}, ${max}]`;
  if (!Number.isSafeInteger(value) || value < min || value > (max ?? Number.MAX_SAFE_INTEGER))
    return { problem: `${said(given)} is not an integer ${bounds}` };
  if (value % multipleOf !== 0)
    return { problem: `${said(given)} is not a multiple of ${multipleOf}` };
  return { value };
}

function readList({ check }: SettingSpec, given: unknown): Read {
  const items: unknown[] = typeof given === "string" ? given.split(",") : [];
  if (Array.isArray(given)) items.push(...(given as unknown[]));
  else if (typeof given !== "string") return { problem: `${said(given)} is not a list of texts` };
  const texts: string[] = [];
  for (const item of items) {
    if (typeof item !== "string") return { problem: `${said(item)} is not a text` };
    const text = item.trim();
    if (text === "") continue;
    const problem = check?.(text);
    if (problem !== undefined) return { problem: `${said(text)} ${problem}` };
    texts.push(text);
  }
  return { value: texts };
}

function readText({ oneOf, check, isSecret = false }: SettingSpec, given: unknown): Read {
  if (isSecret && typeof given !== "string") return { problem: "it is not a text" };
  if (typeof given !== "string" || given === "") return { problem: `${said(given)} is not a text` };
  if (oneOf !== undefined && !oneOf.includes(given))
    return { problem: `${said(given)} is none of ${oneOf.join(", ")}` };
  const problem = check?.(given);
  if (problem === undefined) return { value: given };
  return { problem: `${isSecret ? "it" : said(given)} ${problem}` };
}

/** Of text, or of a value of JSON. */
function said(given: unknown): string {
  return JSON.stringify(given);
}
