/** Says what a test asked for that cannot be. */
export function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new RangeError(message);
}
