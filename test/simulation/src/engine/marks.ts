/** Counts how often each rare path was taken, in the core and in the simulator itself. */

export class Marks {
  readonly #counts = new Map<string, number>();

  hit(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** By name, in alphabetical order. */
  toRecord(): Record<string, number> {
    const names = [...this.#counts.keys()].sort();
    return Object.fromEntries(names.map((name) => [name, this.count(name)]));
  }
}
