/** Says now and then how far a run is, and at once what has happened. */

export interface Progress {
  readonly bytes: number;
  readonly bytesInAll: number;
  readonly acknowledged: number;
  readonly consumed: number;
  /** Read back at the end. */
  readonly stored: number;
}

const EVERY_MS = 5_000;
const MEGABYTE = 1_000_000;

export class ProgressLine {
  readonly #print: (line: string) => void;
  readonly #look: () => Progress;
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt: number = performance.now();
  #before: Progress;
  #lookedAt: number = performance.now();

  constructor(print: (line: string) => void, look: () => Progress) {
    this.#print = print;
    this.#look = look;
    this.#before = look();
    this.#timer = setInterval(() => {
      this.#say();
    }, EVERY_MS);
  }

  tell(line: string): void {
    this.#print(`${this.#time()}  ${line}`);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #say(): void {
    const now = performance.now();
    const progress = this.#look();
    const { bytes, bytesInAll, acknowledged, consumed, stored } = progress;
    const seconds = (now - this.#lookedAt) / 1_000;
    const rate = (name: "acknowledged" | "consumed" | "stored"): number =>
      Math.round((progress[name] - this.#before[name]) / seconds);
    const parts = [
      `${Math.round(bytes / MEGABYTE)} of ${Math.round(bytesInAll / MEGABYTE)} MB`,
      `${acknowledged} acknowledged (${rate("acknowledged")}/s)`,
      `${consumed} consumed (${rate("consumed")}/s)`,
    ];
    if (stored > 0) parts.push(`${stored} read again (${rate("stored")}/s)`);
    this.tell(parts.join(", "));
    this.#before = progress;
    this.#lookedAt = now;
  }

  #time(): string {
    const seconds = Math.round((performance.now() - this.#startedAt) / 1_000);
    return `${String(seconds).padStart(4)} s`;
  }
}
