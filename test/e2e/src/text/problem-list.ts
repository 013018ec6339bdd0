/** What went wrong: all of it is counted, the first of it is told. */

const SHOWN_MAX = 20;

export class ProblemList {
  readonly #shown: string[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(problem: string): void {
    this.#count += 1;
    if (this.#shown.length < SHOWN_MAX) this.#shown.push(problem);
  }

  lines(): readonly string[] {
    const hidden = this.#count - this.#shown.length;
    return hidden === 0 ? this.#shown : [...this.#shown, `and ${hidden} more`];
  }
}
