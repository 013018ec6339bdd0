/** A property that the run has broken. Thrown by every checker, caught by the run of the seed. */
export class Violation extends Error {
  override readonly name = "Violation";
  /** What was broken, in a few constant words. */
  readonly invariant: string;

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

/** Throws unless `condition` holds; `detail` is only built when it does not. */
export function hold(
  condition: boolean,
  invariant: string,
  detail: () => string,
): asserts condition {
  if (!condition) throw new Violation(invariant, detail());
}
