/**
 * Applies what is committed: as much in a turn of the event loop as takes little time, so that a
 * long backlog keeps no heartbeat, no answer and no read waiting.
 */

import type { ApplyWork, Entry, RaftCore } from "@quorumlog/raft";
import { required } from "@quorumlog/std";
import type { CommandResult } from "./group-state.ts";
import type { ProposalDesk } from "./proposal-desk.ts";
import type { ReplicaEventListener } from "./replica-event.ts";
import type { StateKeeper } from "./state-keeper.ts";

/** Of a turn; an entry that takes longer by itself is applied all the same. */
const TURN_MS_MAX = 10;

export interface EntryApplierInit {
  readonly core: Pick<RaftCore, "applyConfigurationChange" | "onApplyDone">;
  readonly keeper: Pick<StateKeeper, "applyNormal" | "applyConfiguration" | "hasRoom">;
  readonly proposals: Pick<ProposalDesk, "isAwaited" | "onApplied">;
  readonly now: () => number;
  readonly onEvent: ReplicaEventListener;
}

export class EntryApplier {
  readonly #init: EntryApplierInit;
  #works: ApplyWork[] = [];
  /** Of the first of them. */
  #appliedCount = 0;
  #turnEndsAt = Number.POSITIVE_INFINITY;

  constructor(init: EntryApplierInit) {
    this.#init = init;
  }

  /** Whether there is more than the turns so far had time for. */
  get isBehind(): boolean {
    return this.#works.length > 0;
  }

  /** Whether the next turn will apply some of it: the state's checkpoint may be too far behind. */
  get canGoOn(): boolean {
    return this.isBehind && this.#init.keeper.hasRoom();
  }

  /** Goes on with what the last turn left. */
  beginTurn(): void {
    this.#turnEndsAt = this.#init.now() + TURN_MS_MAX;
    this.#run(this.#turnEndsAt);
  }

  /** Applies in order, in this turn or in later ones. */
  add(work: ApplyWork): void {
    const isNext = this.#works.length === 0;
    this.#works.push(work);
    // The first entry of a turn costs what it costs; after that the time may be over.
    if (isNext && this.#init.now() < this.#turnEndsAt) this.#run(this.#turnEndsAt);
  }

  /** Applies all of it at once: what was handed out before a snapshot comes before it. */
  finish(): void {
    this.#run(Number.POSITIVE_INFINITY);
  }

  #run(endsAt: number): void {
    for (let work = this.#works[0]; work !== undefined; work = this.#works[0]) {
      while (this.#appliedCount < work.entries.length) {
        if (endsAt !== Number.POSITIVE_INFINITY && !this.#init.keeper.hasRoom()) return;
        this.#apply(required(work.entries[this.#appliedCount], "a work's entries are dense"));
        this.#appliedCount += 1;
        const isOver = this.#init.now() >= endsAt;
        if (isOver && this.#appliedCount < work.entries.length) return;
      }
      this.#works.shift();
      this.#appliedCount = 0;
      this.#init.core.onApplyDone(work.done);
      if (this.#init.now() >= endsAt) return;
    }
  }

  #apply(entry: Entry): void {
    const { core, keeper, proposals, onEvent } = this.#init;
    const { index, term } = entry;
    if (entry.kind === "configuration") {
      const configuration = core.applyConfigurationChange(entry);
      keeper.applyConfiguration(entry, configuration);
      onEvent({ type: "configuration", configuration });
      proposals.onApplied(index, term, undefined);
      return;
    }
    const results: CommandResult[] | undefined = proposals.isAwaited(index, term) ? [] : undefined;
    keeper.applyNormal(entry, results);
    proposals.onApplied(index, term, results);
  }
}
