/** What a core hands out to be written: the rules on how a log may grow. */

import type { AppendWork, Entry, LogIndex, LogPosition, Term } from "@quorumlog/raft";
import { hold, Violation } from "../engine/violation.ts";
import type { SimNode } from "../node/sim-node.ts";
import { EntryRegistry } from "./entry-registry.ts";
import type { Ledger } from "./ledger.ts";

/** What is known of the log so far. */
export interface WrittenState {
  readonly commitIndex: LogIndex;
  /** The term last handed out to be written. */
  writtenTerm: Term;
}

export class AppendChecker {
  readonly #ledger: Ledger;
  readonly #registry = new EntryRegistry();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Called before the node's own view, `issued`, has the work. */
  check(node: SimNode, work: AppendWork, state: WrittenState): void {
    const { hardState, entries, snapshot } = work;
    if (hardState !== undefined) {
      hold(
        hardState.currentTerm >= state.writtenTerm,
        "the written term never goes back",
        [node.id],
        () => `${state.writtenTerm} to ${hardState.currentTerm}`,
      );
      state.writtenTerm = hardState.currentTerm;
    }
    if (snapshot !== undefined)
      hold(
        snapshot.lastIncludedIndex > state.commitIndex,
        "a snapshot never goes back",
        [node.id],
        () => `to ${snapshot.lastIncludedIndex}, committed here is ${state.commitIndex}`,
      );
    const first = entries[0];
    if (first === undefined) return;
    this.#checkEntries(node, entries, { state, previous: positionBefore(node, first, snapshot) });
  }

  #checkEntries(
    node: SimNode,
    entries: readonly Entry[],
    context: { state: WrittenState; previous: LogPosition },
  ): void {
    const { state } = context;
    let { previous } = context;
    for (const entry of entries) {
      const { index, term } = entry;
      const last = previous;
      hold(
        index === last.index + 1 && term >= last.term,
        "indices rise by one and terms never fall along a log",
        [node.id],
        () => `index ${index} of term ${term} follows ${last.index} of ${last.term}`,
      );
      this.#registry.check(node.id, entry, last.term);
      if (index <= state.commitIndex && index > this.#ledger.baseIndex)
        hold(
          this.#ledger.term(index) === term,
          "committed entries are immutable",
          [node.id],
          () => `index ${index}, rewritten with term ${term}`,
        );
      if (entry.kind === "configuration") checkAlone(node, entry, entries);
      previous = entry;
    }
    hold(
      previous.term <= state.writtenTerm,
      "no entry is written before its term",
      [node.id],
      () => `an entry of term ${previous.term}, written term ${state.writtenTerm}`,
    );
  }
}

/** What stands before `first` once the snapshot of the same work, if there is one, is installed. */
function positionBefore(
  node: SimNode,
  first: Entry,
  snapshot: AppendWork["snapshot"],
): LogPosition {
  const index = first.index - 1;
  const isAfterSnapshot = snapshot === undefined || snapshot.lastIncludedIndex === index;
  const term = snapshot === undefined ? node.issued.term(index) : snapshot.lastIncludedTerm;
  if (term === undefined || !isAfterSnapshot)
    throw new Violation("a log has no gaps", [node.id], `nothing before index ${first.index}`);
  return { index, term };
}

/** A leader proposes a change only when all former ones are applied (thesis §4.1). */
function checkAlone(node: SimNode, change: Entry, work: readonly Entry[]): void {
  if (!node.options.validateConfigurationChanges) return;
  const { role, currentTerm, appliedIndex } = node.core.status();
  if (role !== "leader" || change.term !== currentTerm) return;
  const start = (work[0] as Entry).index;
  for (let index = appliedIndex + 1; index < change.index; index++) {
    const entry = index < start ? node.issued.entry(index) : work[index - start];
    hold(
      entry?.kind !== "configuration",
      "one configuration change at a time",
      [node.id],
      () => `changes at ${index} and ${change.index}, applied up to ${appliedIndex}`,
    );
  }
}
