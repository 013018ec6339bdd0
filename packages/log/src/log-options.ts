/** The limits of a log: parsed once, with every problem in one error. */

import { integerProblem } from "@quorumlog/std";

export interface LogOptions {
  /** Of each segment file; an entry has to fit into one. In `[64 KiB, 1 GiB]`, default 64 MiB. */
  readonly segmentBytes: number;
  /** The newest entries kept in memory, as `entryBytes` counts. In `[0, 4 GiB]`, default 32 MiB. */
  readonly tailBytesMax: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
}

const BOUNDS: { readonly [K in keyof LogOptions]: Bounds } = {
  segmentBytes: { min: 64 * KIB, max: 1024 * MIB, fallback: 64 * MIB },
  tailBytesMax: { min: 0, max: 4096 * MIB, fallback: 32 * MIB },
};

/** Options that do not fit: `problems` has them all. */
export class LogOptionsError extends Error {
  override readonly name = "LogOptionsError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("; "));
    this.problems = problems;
  }
}

/** @throws LogOptionsError */
export function parseLogOptions(input: Readonly<Record<string, unknown>> = {}): LogOptions {
  const problems = Object.keys(input)
    .filter((key) => !(key in BOUNDS))
    .map((key) => `${key}: unknown option`);
  const read = (key: keyof LogOptions): number => {
    const { fallback } = BOUNDS[key];
    const value = input[key] ?? fallback;
    const problem = integerProblem(value, BOUNDS[key]);
    if (problem === undefined) return Number(value);
    problems.push(`${key}: ${problem}`);
    return fallback;
  };
  const options = { segmentBytes: read("segmentBytes"), tailBytesMax: read("tailBytesMax") };
  if (options.segmentBytes % 4_096 !== 0) problems.push("segmentBytes: not a multiple of 4096");
  if (problems.length > 0) throw new LogOptionsError(problems);
  return Object.freeze(options);
}
