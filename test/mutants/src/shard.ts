/** Splits the bugs among machines. */

export interface Shard {
  /** From 1 to `count`. */
  readonly number: number;
  readonly count: number;
}

/** Reads `1/4`; `undefined` if that is not what it says. */
export function parseShard(text: string): Shard | undefined {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  const number = Number(match?.[1]);
  const count = Number(match?.[2]);
  if (match === null || number < 1 || number > count) return undefined;
  return { number, count };
}

/** Every item is in exactly one shard, and neighbours are in different ones. */
export function inShard<T>(items: readonly T[], shard: Shard): T[] {
  return items.filter((_, at) => at % shard.count === shard.number - 1);
}
