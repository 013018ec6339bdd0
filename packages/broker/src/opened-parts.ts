/** What a start has opened so far: if the rest of it fails, nothing of that may stay. */

export class OpenedParts {
  readonly #closes: (() => Promise<void> | void)[] = [];

  add(close: () => Promise<void> | void): void {
    this.#closes.push(close);
  }

  /**
   * Closes them, the newest first, and each whatever becomes of the others.
   *
   * @param onFailure - Of a part that does not close; why the start has failed is told elsewhere.
   */
  async close(onFailure: (error: unknown) => void): Promise<void> {
    for (const close of this.#closes.toReversed()) {
      try {
        await close();
      } catch (error) {
        onFailure(error);
      }
    }
  }
}
