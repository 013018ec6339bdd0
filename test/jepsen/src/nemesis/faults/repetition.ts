/** Something that is done again and again while a fault lasts. */

export class Repetition {
  readonly #work: Promise<void>;
  #isOver = false;

  /** Begins at once. */
  constructor(once: () => Promise<void>) {
    this.#work = this.#repeat(once);
    // A failure ends it, and is told to whoever stops it.
    this.#work.catch(() => undefined);
  }

  /** @returns once it is over. @throws what it has failed with. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#work;
  }

  async #repeat(once: () => Promise<void>): Promise<void> {
    while (!this.#isOver) await once();
  }
}
