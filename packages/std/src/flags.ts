/**
 * Flags of a command line, from a table of what there is.
 *
 *     --name value    --name=value    --name, for a switch
 *
 * Whatever does not fit is told at once. Of a flag that is given twice the last one counts.
 */

export type FlagSpec =
  | { readonly type: "switch" }
  /** May be given more than once. */
  | { readonly type: "texts" }
  | { readonly type: "text"; readonly oneOf?: readonly string[] }
  | (NumberRange & { readonly type: "integer" | "number" });

interface NumberRange {
  readonly min: number;
  readonly max: number;
  /** What is taken if nothing is said. */
  readonly fallback?: number;
}

export type FlagSpecs = Readonly<Record<string, FlagSpec>>;

type FlagValue = boolean | number | string | readonly string[] | undefined;

type ValueOf<Spec extends FlagSpec> = Spec extends { readonly type: "switch" }
  ? boolean
  : Spec extends { readonly type: "texts" }
    ? readonly string[]
    : Spec extends NumberRange
      ? Spec extends { readonly fallback: number }
        ? number
        : number | undefined
      : Spec extends { readonly oneOf: readonly (infer Choice)[] }
        ? Choice | undefined
        : string | undefined;

export type FlagsOf<Specs extends FlagSpecs> = {
  readonly [Name in keyof Specs]: ValueOf<Specs[Name]>;
};

export interface ReadFlags<Specs extends FlagSpecs> {
  /** Those that are wrong are as if they had not been given. */
  readonly flags: FlagsOf<Specs>;
  /** Names of flags that were given, whatever their values. */
  readonly given: ReadonlySet<keyof Specs & string>;
  /** What is neither a flag nor the value of one. */
  readonly words: readonly string[];
  /** What is wrong, in words that name the flag; a caller adds what does not go together. */
  readonly problems: string[];
}

/** The command line makes no sense: its message has a line for each thing that is wrong. */
export class FlagError extends Error {
  override readonly name = "FlagError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** @throws {@link FlagError} if there are problems */
export function refuseFlags(problems: readonly string[]): void {
  if (problems.length > 0) throw new FlagError(problems);
}

/** What a process ends with whose command line makes no sense. */
const WRONG_FLAG_EXIT_CODE = 2;

/**
 * Runs a command, and tells what is wrong with its flags, if that is why it fails.
 *
 * @returns the exit code of the process.
 * @throws whatever else goes wrong in it
 */
export async function exitCodeOf(
  command: () => number | Promise<number>,
  complain: (line: string) => void,
): Promise<number> {
  try {
    return await command();
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    for (const problem of error.problems) complain(problem);
    complain("--help tells what there is");
    return WRONG_FLAG_EXIT_CODE;
  }
}

/** @param wordsMax - Of words that are neither flags nor values; more are problems. */
export function readFlags<const Specs extends FlagSpecs>(
  specs: Specs,
  argv: readonly string[],
  wordsMax: number = 0,
): ReadFlags<Specs> {
  const texts = new Map<string, (string | undefined)[]>();
  const words: string[] = [];
  const problems: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] as string;
    const [, name = "", inline] = /^--(?<name>[^=]+)(?:=(?<inline>[^]*))?$/u.exec(arg) ?? [];
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (!arg.startsWith("-")) words.push(arg);
    else if (spec === undefined) problems.push(`there is no flag ${arg.split("=")[0]}`);
    else {
      const isNext = spec.type !== "switch" && inline === undefined && !isFlag(argv[i + 1]);
      if (isNext) i += 1;
      texts.set(name, [...(texts.get(name) ?? []), isNext ? argv[i] : inline]);
    }
  }
  for (const word of words.splice(wordsMax)) problems.push(`"${word}" is not a flag`);
  const flags: Record<string, FlagValue> = {};
  for (const [name, spec] of Object.entries(specs)) {
    const given = texts.get(name);
    flags[name] = valueWithout(spec);
    if (given === undefined) continue;
    const read = readValue(spec, given);
    if ("problem" in read) problems.push(`--${name}${read.problem}`);
    else flags[name] = read.value;
  }
  return { flags: flags as FlagsOf<Specs>, given: new Set(texts.keys()), words, problems };
}

/** Of the next argument: a number below zero is none, and is refused as a value. */
function isFlag(arg: string | undefined): boolean {
  return arg?.startsWith("--") ?? true;
}

function valueWithout(spec: FlagSpec): FlagValue {
  if (spec.type === "switch") return false;
  if (spec.type === "texts") return [];
  return spec.type === "text" ? undefined : spec.fallback;
}

type Read = { readonly value: FlagValue } | { readonly problem: string };

/** @param given - In order; `undefined` where a flag stood alone. */
function readValue(spec: FlagSpec, given: readonly (string | undefined)[]): Read {
  const text = given.at(-1);
  if (spec.type === "switch")
    return text === undefined ? { value: true } : { problem: " takes no value" };
  const texts = given.filter((each) => each !== undefined && each !== "");
  if (text === undefined || texts.length < given.length) return { problem: " wants a value" };
  if (spec.type === "texts") return { value: texts as string[] };
  if (spec.type !== "text") return readNumber(spec, text);
  const { oneOf } = spec;
  return oneOf === undefined || oneOf.includes(text)
    ? { value: text }
    : { problem: `: "${text}" is none of ${oneOf.join(", ")}` };
}

function readNumber(
  { type, min, max }: NumberRange & { readonly type: "integer" | "number" },
  text: string,
): Read {
  const isNumber = type === "integer" ? /^\d+$/u.test(text) : /^\d+(?:\.\d+)?$/u.test(text);
  const value = isNumber ? Number(text) : Number.NaN;
  // Not a number is in no range.
  if (value >= min && value <= max) return { value };
  const kind = type === "integer" ? "an integer" : "a number";
  return { problem: `: "${text}" is not ${kind} from ${min} to ${max}` };
}
