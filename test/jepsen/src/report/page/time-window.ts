/** The part of the run that is looked at; all charts of the page show the same. */

/** Where a window ends to be one: nothing happens within less. */
const LENGTH_NS_MIN = 10e3;

export class TimeWindow {
  readonly wholeNs: number;
  readonly #listeners: (() => void)[] = [];
  #beginNs = 0;
  #endNs: number;

  constructor(wholeNs: number) {
    this.wholeNs = Math.max(wholeNs, LENGTH_NS_MIN);
    this.#endNs = this.wholeNs;
  }

  get beginNs(): number {
    return this.#beginNs;
  }

  get endNs(): number {
    return this.#endNs;
  }

  get lengthNs(): number {
    return this.#endNs - this.#beginNs;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** As much of it as lies within the run. */
  show(fromNs: number, toNs: number): void {
    const lengthNs = Math.min(Math.max(Math.abs(toNs - fromNs), LENGTH_NS_MIN), this.wholeNs);
    const latestNs = this.wholeNs - lengthNs;
    this.#beginNs = Math.min(Math.max(0, Math.min(fromNs, toNs)), latestNs);
    this.#endNs = this.#beginNs + lengthNs;
    for (const listener of this.#listeners) listener();
  }

  showAll(): void {
    this.show(0, this.wholeNs);
  }

  /** With some room at both sides. */
  showAround(fromNs: number, toNs: number): void {
    const roomNs = Math.max(0.3 * (toNs - fromNs), 5e6);
    this.show(fromNs - roomNs, toNs + roomNs);
  }

  /** @param factor - Below 1: closer. What is at `aboutNs` stays where it is. */
  zoom(factor: number, aboutNs: number = this.#beginNs + this.lengthNs / 2): void {
    this.show(
      aboutNs - (aboutNs - this.#beginNs) * factor,
      aboutNs + (this.#endNs - aboutNs) * factor,
    );
  }

  /** @param share - Of its length; below 0: earlier. */
  pan(share: number): void {
    const byNs = share * this.lengthNs;
    const beginNs = Math.min(Math.max(0, this.#beginNs + byNs), this.wholeNs - this.lengthNs);
    this.show(beginNs, beginNs + this.lengthNs);
  }
}
