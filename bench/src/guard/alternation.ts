/**
 * Short rounds, bare and the real thing turn about. What is slow for a while is so for both, and a
 * stall is in one round: the median of the rounds' ratios has neither.
 */

import type { GuardPair } from "./guard-part.ts";

export interface AlternationOptions {
  /** Of one side. */
  readonly roundMs: number;
  /** As many if there is time, and {@link ROUNDS_MIN} if there is none. */
  readonly rounds: number;
  readonly isTimeOver: () => boolean;
}

/** With fewer a median is not safe from a machine that stalls twice. */
export const ROUNDS_MIN = 5;
/** Of those that were wanted: in some the bare program may come to nothing. */
const TRIES_MAX = 3;

/**
 * @returns by name, the real thing's speed as a share of the bare one's, round by round.
 * @throws if the bare program did nothing in too many rounds.
 */
export async function alternate(
  pairs: readonly GuardPair[],
  { roundMs, rounds, isTimeOver }: AlternationOptions,
): Promise<Map<string, number[]>> {
  const results = pairs.map((pair) => ({ pair, ratios: [] as number[] }));
  const fewest = (): number => Math.min(...results.map(({ ratios }) => ratios.length));
  for (let round = 0; fewest() < rounds; round++) {
    if (fewest() >= ROUNDS_MIN && isTimeOver()) break;
    if (round === rounds * TRIES_MAX)
      throw new Error(`the bare program of ${pairs[0]?.name} did nothing in most rounds`);
    for (const { pair, ratios } of results) {
      const ratio = await ratioOf(pair, roundMs, round);
      if (ratio !== undefined) ratios.push(ratio);
    }
  }
  return new Map(results.map(({ pair, ratios }) => [pair.name, ratios]));
}

/** @returns `undefined` if the bare program did nothing, as when the machine stood still. */
async function ratioOf(
  { bare, ours }: GuardPair,
  ms: number,
  round: number,
): Promise<number | undefined> {
  // Turn about in who begins, too: the second has the disk as the first one left it.
  const isBareFirst = round % 2 === 0;
  const first = await (isBareFirst ? bare : ours)(ms);
  const second = await (isBareFirst ? ours : bare)(ms);
  const [bareRate, ourRate] = isBareFirst ? [first, second] : [second, first];
  return bareRate > 0 ? ourRate / bareRate : undefined;
}
