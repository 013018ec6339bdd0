/**
 * The fingerprint of a run: everything that happens is mixed into a hash of two 32-bit lanes, in
 * the manner of FNV-1a. Two runs of a seed must end with the same one: if they do not, something
 * outside the seed has decided.
 */
export class Fingerprint {
  #high = 0x811c9dc5;
  #low = 0x01000193;

  mix(value: number): void {
    // Numbers above 2^32 (times, contexts) count with both halves.
    const folded = (value | 0) ^ Math.imul(Math.floor(value / 2 ** 32), 0x9e3779b1);
    this.#high = Math.imul(this.#high ^ folded, 0x01000193);
    this.#low = Math.imul((this.#low ^ (this.#high >>> 15) ^ folded) | 0, 0x85ebca6b);
  }

  /** For what has no numbers. */
  mixText(text: string): void {
    for (let i = 0; i < text.length; i++) this.mix(text.charCodeAt(i));
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return hex(this.#high) + hex(this.#low);
  }
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, "0");
}
