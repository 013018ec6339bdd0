/**
 * Appends without entries, held back for a moment: they say that the commit index has moved, and so
 * do the next entries, which under load are on their way already.
 */

import type { AppendEntries } from "@quorumlog/raft";

/** A lone append is followed by its commit index that much later; under load, never. */
const DELAY_MS = 2;

export interface CommitNoticesInit {
  readonly after: (delayMs: number, run: () => void) => void;
  readonly send: (message: AppendEntries) => void;
}

export class CommitNotices {
  readonly #init: CommitNoticesInit;
  /** The newest one, by whom it is for. */
  readonly #held = new Map<number, AppendEntries>();

  constructor(init: CommitNoticesInit) {
    this.#init = init;
  }

  hold(message: AppendEntries): void {
    if (this.#held.size === 0)
      this.#init.after(DELAY_MS, () => {
        const messages = [...this.#held.values()];
        this.#held.clear();
        for (const each of messages) this.#init.send(each);
      });
    this.#held.set(message.to, message);
  }

  /** Entries are sent to it, which say more. */
  drop(to: number): void {
    this.#held.delete(to);
  }
}
