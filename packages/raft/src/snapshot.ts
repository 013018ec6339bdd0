/** A state machine's state at one position, which replaces the log up to it (paper §7). */

import type { Configuration } from "./configuration.ts";
import type { LogIndex, Term } from "./ids.ts";

export interface Snapshot {
  readonly lastIncludedIndex: LogIndex;
  readonly lastIncludedTerm: Term;
  /** The configuration at `lastIncludedIndex`: never a later, uncommitted one. */
  readonly configuration: Configuration;
  /** Opaque to the core: the state itself, or whatever tells the driver where to fetch it. */
  readonly data: Uint8Array;
}
