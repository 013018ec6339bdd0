/** A state that was kept has other tables than those that it is to fill: no row of it is taken. */
export class StateVersionError extends RangeError {
  override readonly name = "StateVersionError";
  readonly code = "STATE_VERSION";
}
