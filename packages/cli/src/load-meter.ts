/** Counts messages, and how long each took. */

export interface Measured {
  readonly messages: number;
  readonly seconds: number;
  readonly messagesPerSecond: number;
  /** Of bodies alone; a megabyte is 1,000,000 bytes. */
  readonly megabytesPerSecond: number;
  /** Of one message, from the call to its answer. */
  readonly latencyMs:
    | { readonly p50: number; readonly p99: number; readonly max: number }
    | undefined;
}

export class LoadMeter {
  readonly #latencies: Float64Array;
  readonly #size: number;
  readonly #startedAt = performance.now();
  #count = 0;

  /** @param timedMax - How many are timed at most; 0: none. */
  constructor(timedMax: number, size: number) {
    this.#latencies = new Float64Array(timedMax);
    this.#size = size;
  }

  get count(): number {
    return this.#count;
  }

  add(latencyMs: number): void {
    this.#latencies[this.#count] = latencyMs;
    this.#count += 1;
  }

  addAll(count: number): void {
    this.#count += count;
  }

  measured(): Measured {
    const seconds = Math.max(0.001, (performance.now() - this.#startedAt) / 1_000);
    const sorted = this.#latencies.subarray(0, this.#count).sort();
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
    const messagesPerSecond = this.#count / seconds;
    return {
      messages: this.#count,
      seconds,
      messagesPerSecond,
      megabytesPerSecond: (messagesPerSecond * this.#size) / 1_000_000,
      latencyMs: sorted.length === 0 ? undefined : { p50: at(0.5), p99: at(0.99), max: at(1) },
    };
  }
}
