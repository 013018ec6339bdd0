/** The words after `npm run sim --`. */

import { availableParallelism } from "node:os";

export interface Flags {
  readonly from: number;
  readonly count: number;
  /** One seed by itself. */
  readonly seed: number | undefined;
  readonly traceFile: string | undefined;
  readonly tlaFile: string | undefined;
  readonly isJson: boolean;
  readonly jobs: number;
  readonly stopsAtFailure: boolean;
}

export const HELP = `usage: npm run sim -- [options]

--seeds N      how many seeds, in [1, 10000000]; default 200
--from S       the first of them; default 1
--seed X       one seed by itself, run twice
--trace FILE   with --seed: everything that happened, line by line
--tla FILE     with --seed: events for etcd's TLA+ trace specification, as NDJSON
--jobs J       threads; default: as many as there are cores, at most 8
--fail-fast    hand out no more seeds after the first violation
--json         the summary as JSON on standard output, progress on standard error
--help         this text

Exit code 1 on a violation, or if a listed rare path was not reached in 1,000 seeds or more.`;

const NUMBERS = {
  "--seeds": { min: 1, max: 10_000_000 },
  "--from": { min: 0, max: 2 ** 40 },
  "--seed": { min: 0, max: 2 ** 40 },
  "--jobs": { min: 1, max: 64 },
} as const;

type NumberFlag = keyof typeof NUMBERS;
const FILES: readonly string[] = ["--trace", "--tla"];
const SWITCHES: readonly string[] = ["--json", "--fail-fast"];

/** @returns the flags, or what is wrong with them, as a sentence. */
export function parseFlags(words: readonly string[]): Flags | string {
  const values = new Map<string, string>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (SWITCHES.includes(word)) {
      values.set(word, "");
      continue;
    }
    if (!(word in NUMBERS) && !FILES.includes(word)) return `${word}: unknown option`;
    const value = words[i + 1];
    if (value === undefined) return `${word}: a value is missing`;
    const problem = word in NUMBERS ? numberProblem(word as NumberFlag, value) : undefined;
    if (problem !== undefined) return problem;
    values.set(word, value);
    i += 1;
  }
  if (!values.has("--seed") && FILES.some((name) => values.has(name)))
    return "--trace and --tla go with --seed: they tell of one run";
  const number = (name: NumberFlag, fallback: number): number =>
    Number(values.get(name) ?? fallback);
  return {
    from: number("--from", 1),
    count: number("--seeds", 200),
    seed: values.has("--seed") ? number("--seed", 0) : undefined,
    traceFile: values.get("--trace"),
    tlaFile: values.get("--tla"),
    isJson: values.has("--json"),
    jobs: number("--jobs", Math.min(8, availableParallelism())),
    stopsAtFailure: values.has("--fail-fast"),
  };
}

function numberProblem(name: NumberFlag, value: string): string | undefined {
  const { min, max } = NUMBERS[name];
  const number = Number(value);
  const fits = Number.isSafeInteger(number) && number >= min && number <= max && value !== "";
  return fits ? undefined : `${name}: ${value} is not an integer in [${min}, ${max}]`;
}
