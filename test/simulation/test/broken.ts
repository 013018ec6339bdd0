/** For tests that break an invariant on purpose. */

import { Violation } from "../src/engine/violation.ts";

/** The invariant that `run` breaks; `undefined` if it breaks none. */
export function broken(run: () => void): string | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof Violation) return error.invariant;
    throw error;
  }
  return undefined;
}
