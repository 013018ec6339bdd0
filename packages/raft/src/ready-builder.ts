/** Gathers what the core owes its driver since the last time: see ready.ts for the contract. */

import { assert } from "@quorumlog/std";
import type { CoreState } from "./core-state.ts";
import { type Entry, entryBytes } from "./entry.ts";
import type { Term } from "./ids.ts";
import type {
  AppendDone,
  AppendWork,
  ApplyDone,
  ApplyWork,
  HardState,
  Ready,
  SoftState,
} from "./ready.ts";
import type { Snapshot } from "./snapshot.ts";

export class ReadyBuilder {
  readonly #core: CoreState;
  /** As last handed out. */
  #hardState: HardState;
  #softState: SoftState;

  constructor(core: CoreState) {
    this.#core = core;
    this.#hardState = core.hardState();
    this.#softState = core.softState();
  }

  hasReady(): boolean {
    const core = this.#core;
    return (
      core.messages.length > 0 ||
      core.messagesAfterAppend.length > 0 ||
      core.readStates.length > 0 ||
      core.droppedReads.length > 0 ||
      core.parkedOutcomes.length > 0 ||
      core.isLossNews ||
      core.log.hasNextUnstableEntries() ||
      core.log.hasNextCommitted(this.#allowsUnstable()) ||
      core.log.nextSnapshot() !== undefined ||
      this.#isSoftStateNew() ||
      this.#isHardStateNew()
    );
  }

  /** Hands everything out once: the next call starts from here. */
  build(): Ready {
    const core = this.#core;
    const ready: Ready = {
      softState: this.#takeSoftState(),
      readStates: core.readStates,
      droppedReads: core.droppedReads,
      parked: core.parkedOutcomes,
      loss: core.isLossNews ? core.loss : undefined,
      messages: core.messages,
      append: this.#takeAppend(),
      apply: this.#takeApply(),
    };
    core.readStates = [];
    core.droppedReads = [];
    core.parkedOutcomes = [];
    core.isLossNews = false;
    core.messages = [];
    core.emit({ type: "readyTaken" });
    return ready;
  }

  #takeSoftState(): SoftState | undefined {
    if (!this.#isSoftStateNew()) return undefined;
    this.#softState = this.#core.softState();
    return this.#softState;
  }

  #takeAppend(): AppendWork | undefined {
    const { log } = this.#core;
    const entries = log.nextUnstableEntries();
    const snapshot = log.nextSnapshot();
    const responses = this.#core.messagesAfterAppend;
    const previous = this.#hardState;
    const hardState = this.#isHardStateNew() ? this.#core.hardState() : undefined;
    const isEmpty =
      entries.length === 0 &&
      snapshot === undefined &&
      hardState === undefined &&
      responses.length === 0;
    if (isEmpty) return undefined;

    if (hardState !== undefined) this.#hardState = hardState;
    const done = this.#appendDone(snapshot);
    this.#core.messagesAfterAppend = [];
    log.acceptUnstable();
    const mustSync =
      entries.length > 0 ||
      snapshot !== undefined ||
      (hardState !== undefined && isPromise(previous, hardState));
    return { entries, hardState, snapshot, mustSync, responses, done };
  }

  /**
   * Asks to hear of this work's end while anything is unstable, whether this very work holds it or
   * one before: the answer to that one may have been refused, because the term had changed.
   */
  #appendDone(snapshot: Snapshot | undefined): AppendDone | undefined {
    const { log, currentTerm: term } = this.#core;
    const hasUnstable = log.hasUnstableEntries();
    if (!hasUnstable && snapshot === undefined) return undefined;
    const last = hasUnstable ? log.last() : undefined;
    return { term, last, snapshotIndex: snapshot?.lastIncludedIndex };
  }

  #takeApply(): ApplyWork | undefined {
    const { log } = this.#core;
    const allowsUnstable = this.#allowsUnstable();
    const entries = log.nextCommitted(allowsUnstable);
    const last: Entry | undefined = entries.at(-1);
    if (last === undefined) return undefined;
    const done = applyDone(entries, this.#core.currentTerm);
    log.acceptApplying(last.index, done.bytes, allowsUnstable);
    assert(last.index <= log.commitIndex, "only committed entries are handed out");
    return { entries, done };
  }

  /** A driver that finishes each Ready before the next has written what it applies. */
  #allowsUnstable(): boolean {
    return this.#core.options.storageWrites === "sync";
  }

  #isSoftStateNew(): boolean {
    const { role, leaderId } = this.#softState;
    return role !== this.#core.role.kind || leaderId !== this.#core.leaderId;
  }

  #isHardStateNew(): boolean {
    const { currentTerm, votedFor, commitIndex } = this.#hardState;
    const core = this.#core;
    return (
      currentTerm !== core.currentTerm ||
      votedFor !== core.votedFor ||
      commitIndex !== core.log.commitIndex
    );
  }
}

function applyDone(entries: readonly Entry[], term: Term): ApplyDone {
  let lastConfigurationIndex = 0;
  let bytes = 0;
  let termCommandBytes = 0;
  for (const entry of entries) {
    if (entry.kind === "configuration") lastConfigurationIndex = entry.index;
    bytes += entryBytes(entry);
    if (entry.term === term && entry.data.byteLength > 0) termCommandBytes += entryBytes(entry);
  }
  const lastIndex = entries.at(-1)?.index ?? 0;
  return { lastIndex, lastConfigurationIndex, bytes, term, termCommandBytes };
}

/** Whether the change is one that others may have been, or will be, promised. */
function isPromise(previous: HardState, next: HardState): boolean {
  return previous.currentTerm !== next.currentTerm || previous.votedFor !== next.votedFor;
}
