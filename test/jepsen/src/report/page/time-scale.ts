/** From moments to pixels, and back. */

/** Left of every chart, for names and figures. */
const MARGIN_LEFT = 92;
/** Half of what the last moment takes in words. */
const MARGIN_RIGHT = 26;
/** Pixels between two marks of an axis, at least. */
const TICK_PIXELS = 84;

export class TimeScale {
  readonly beginNs: number;
  readonly endNs: number;
  /** Of the whole chart, in pixels. */
  readonly width: number;

  constructor(window: { readonly beginNs: number; readonly endNs: number }, width: number) {
    this.beginNs = window.beginNs;
    this.endNs = window.endNs;
    this.width = width;
  }

  get left(): number {
    return MARGIN_LEFT;
  }

  get right(): number {
    return Math.max(MARGIN_LEFT + 50, this.width - MARGIN_RIGHT);
  }

  get nsPerPixel(): number {
    return (this.endNs - this.beginNs) / (this.right - this.left);
  }

  x(ns: number): number {
    return this.left + (ns - this.beginNs) / this.nsPerPixel;
  }

  /** Where it is, or the edge that it lies behind. */
  clampedX(ns: number): number {
    return Math.min(this.right, Math.max(this.left, this.x(ns)));
  }

  ns(x: number): number {
    return (
      this.beginNs + (Math.min(this.right, Math.max(this.left, x)) - this.left) * this.nsPerPixel
    );
  }

  /** Round moments, and how far they are apart. */
  ticks(): { readonly stepNs: number; readonly moments: readonly number[] } {
    const least = this.nsPerPixel * TICK_PIXELS;
    const power = 10 ** Math.floor(Math.log10(least));
    const stepNs =
      [1, 2, 5, 10].map((times) => times * power).find((step) => step >= least) ?? least;
    const moments: number[] = [];
    for (let ns = Math.ceil(this.beginNs / stepNs) * stepNs; ns <= this.endNs; ns += stepNs)
      moments.push(ns);
    return { stepNs, moments };
  }
}
