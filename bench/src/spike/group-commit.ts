/** Gathers what arrives while the disk is busy, and writes it as one. */

import type { SegmentFile } from "./segment-file.ts";

export interface GroupCommitInit {
  readonly file: SegmentFile;
  /** Everything up to `index` is on the disk. */
  readonly onSynced: (index: number) => void;
  /** Whether an idle disk waits for the end of the turn, for what else comes in it. */
  readonly gathersTurn: boolean;
}

export class GroupCommit {
  readonly #init: GroupCommitInit;
  #parts: Buffer[] = [];
  #bytes = 0;
  #last = 0;
  #isBusy = false;

  constructor(init: GroupCommitInit) {
    this.#init = init;
  }

  add(parts: readonly Buffer[], index: number): void {
    for (const part of parts) {
      this.#parts.push(part);
      this.#bytes += part.length;
    }
    this.#last = index;
    if (this.#isBusy) return;
    this.#isBusy = true;
    if (this.#init.gathersTurn) setImmediate(() => this.#flush());
    else this.#flush();
  }

  #flush(): void {
    const [parts, bytes, last] = [this.#parts, this.#bytes, this.#last];
    this.#parts = [];
    this.#bytes = 0;
    this.#init.file.append(parts, bytes, () => {
      this.#isBusy = this.#bytes > 0;
      if (this.#isBusy) this.#flush();
      this.#init.onSynced(last);
    });
  }
}
