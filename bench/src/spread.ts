/** What several measurements of the same come to. */

export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** @returns `undefined` of nothing; of an even number the upper one of the two in the middle. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [lowest] = sorted;
  const median = sorted[Math.floor(sorted.length / 2)];
  const highest = sorted.at(-1);
  if (lowest === undefined || median === undefined || highest === undefined) return undefined;
  return { lowest, median, highest };
}
