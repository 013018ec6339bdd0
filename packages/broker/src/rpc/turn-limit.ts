/** How much of one turn of the event loop some kind of work may have: all else waits for it. */

export class TurnLimit {
  readonly #ms: number;
  #spentMs = 0;

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** There may be more of it in this turn. */
  get isOpen(): boolean {
    return this.#spentMs < this.#ms;
  }

  onSpent(ms: number): void {
    if (this.#spentMs === 0)
      setImmediate(() => {
        this.#spentMs = 0;
      });
    this.#spentMs += ms;
  }
}
