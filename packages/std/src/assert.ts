/**
 * Assertions that stay on in production.
 *
 * A failed assertion is a bug, not an operating error: state may be wrong, so the node must stop
 * rather than spread it. Nothing a client or a peer sends may reach one.
 */

/** A broken invariant. Only `main` may catch it, to log it and exit. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
}

/**
 * Throws unless `condition` holds.
 *
 * @param message - A constant: a template string would be built even when the assertion holds.
 * @throws {@link InvariantViolation} when `condition` is false.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantViolation(message);
}

/**
 * Returns `value`, which the caller knows to be present.
 *
 * @throws {@link InvariantViolation} when it is `undefined`.
 */
export function required<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new InvariantViolation(message);
  return value;
}

/** Ends an exhaustive `switch`: does not compile while a case is missing. */
export function unreachable(value: never): never {
  throw new InvariantViolation(`unreachable: ${JSON.stringify(value)}`);
}
