/** A state that was kept has rows of a table that there is not: no row of it is taken. */
export class StateVersionError extends RangeError {
  override readonly name = "StateVersionError";
  readonly code = "STATE_VERSION";
}
