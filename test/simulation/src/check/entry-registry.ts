/**
 * Log Matching (paper figure 3), checked as logs grow.
 *
 * "If two logs contain an entry with the same index and term, they are identical up to it" follows
 * by induction from: an (index, term) names one entry, with one term before it. So it is enough to
 * look at each entry once, when it is written anywhere.
 */

import type { Entry, Term } from "@quorumlog/raft";
import { Violation } from "../engine/violation.ts";
import { sameEntry } from "./ledger.ts";

interface Registered {
  readonly entry: Entry;
  readonly previousTerm: Term;
}

export class EntryRegistry {
  readonly #byIndex: Registered[][] = [];

  /** @throws Violation if another entry goes by this index and term. */
  check(nodeId: number, entry: Entry, previousTerm: Term): void {
    const known = (this.#byIndex[entry.index] ??= []);
    for (const registered of known) {
      if (registered.entry.term !== entry.term) continue;
      const isSame = sameEntry(registered.entry, entry) && registered.previousTerm === previousTerm;
      if (isSame) return;
      throw new Violation(
        "Log Matching",
        [nodeId],
        `two entries at index ${entry.index} of term ${entry.term}, ` +
          `after terms ${registered.previousTerm} and ${previousTerm}`,
      );
    }
    known.push({ entry, previousTerm });
  }
}
