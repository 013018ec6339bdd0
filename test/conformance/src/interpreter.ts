/** What runs the directives of one script, in order, and keeps what they act on in between. */

import type { Directive } from "./script.ts";

export interface Interpreter {
  /** @returns the output; a missing newline at its end is added. */
  run(directive: Directive): string;
}
