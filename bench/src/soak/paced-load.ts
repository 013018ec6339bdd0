/**
 * An open loop of appends: so many per second fall due, whatever became of those before, and each
 * one's latency counts from when it was due. It remembers which offset each acknowledged one got,
 * in a fixed amount of memory, for the newest million.
 */

import { createHistogram } from "node:perf_hooks";

export interface LoadSample {
  readonly acked: number;
  readonly failed: number;
  /** Of those that were acknowledged in this second. */
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  readonly ackMaxMs: number;
}

export interface PacedLoadInit {
  /** Tells the offset. */
  readonly append: (bytes: Buffer) => Promise<number>;
  /** Nothing was acknowledged for so long, though something was under way. */
  readonly onGap: (startedAt: number, milliseconds: number) => void;
  readonly onFailure: (error: unknown) => void;
  readonly gapMsMin: number;
}

export const ENTRY_BYTES = 1_024;
const STEP_MS = 2;
/** Of memory that is used again, so that the load itself makes little for the collector. */
const SPARE_COUNT_MAX = 65_536;
const REMEMBERED_MAX = 1_048_576;
const NONE = -1;
const MICROS_MAX = 600_000_000;

export class PacedLoad {
  perSecond = 0;
  readonly #init: PacedLoadInit;
  readonly #spare: Buffer[] = [];
  readonly #latencies = createHistogram({ lowest: 1, highest: MICROS_MAX, figures: 3 });
  /** By offset modulo their length: of the append that has it, and the offset itself. */
  readonly #numbers = new Float64Array(REMEMBERED_MAX).fill(NONE);
  readonly #offsets = new Float64Array(REMEMBERED_MAX).fill(NONE);
  #next = 0;
  #underWay = 0;
  #acked = 0;
  #failed = 0;
  /** Of the last acknowledgement, or of when something was under way again. */
  #progressAt = 0;
  #due = 0;
  #steppedAt = performance.now();

  constructor(init: PacedLoadInit) {
    this.#init = init;
    setInterval(() => {
      this.#step();
    }, STEP_MS);
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Of everything so far; latencies, since the last call. */
  sample(): LoadSample {
    const latencies = this.#latencies;
    const [p50, p99] = [50, 99].map((at) => latencies.percentile(at) / 1_000);
    const isEmpty = latencies.count === 0;
    const sample = {
      acked: this.#acked,
      failed: this.#failed,
      ackP50Ms: isEmpty ? 0 : (p50 as number),
      ackP99Ms: isEmpty ? 0 : (p99 as number),
      ackMaxMs: isEmpty ? 0 : latencies.max / 1_000,
    };
    latencies.reset();
    return sample;
  }

  /** The first offset that it remembers of a log that ends at `nextOffset`. */
  rememberedFrom(nextOffset: number): number {
    return Math.max(0, nextOffset - REMEMBERED_MAX);
  }

  /** Whether what was acknowledged at an offset, if it was from here, is what stands there. */
  isAckedAs(offset: number, bytes: Buffer): boolean {
    const at = offset % REMEMBERED_MAX;
    if (this.#offsets[at] !== offset) return true;
    return bytes.equals(entryOf(this.#numbers[at] as number, Buffer.alloc(ENTRY_BYTES)));
  }

  #step(): void {
    const now = performance.now();
    this.#due += ((now - this.#steppedAt) / 1_000) * this.perSecond;
    this.#steppedAt = now;
    for (; this.#due >= 1; this.#due -= 1)
      // The oldest of what fell due while this process did something else was due long ago.
      this.#append(now - ((this.#due - 1) / this.perSecond) * 1_000);
  }

  #append(dueAt: number): void {
    const number = this.#next;
    this.#next += 1;
    if (this.#underWay === 0) this.#progressAt = performance.now();
    this.#underWay += 1;
    const bytes = entryOf(number, this.#spare.pop() ?? Buffer.allocUnsafeSlow(ENTRY_BYTES));
    this.#init.append(bytes).then(
      (offset) => {
        const now = performance.now();
        this.#lookForGap(now);
        this.#progressAt = now;
        this.#settle(bytes);
        this.#acked += 1;
        this.#latencies.record(Math.max(1, Math.round((now - dueAt) * 1_000)));
        this.#numbers[offset % REMEMBERED_MAX] = number;
        this.#offsets[offset % REMEMBERED_MAX] = offset;
      },
      (error: unknown) => {
        this.#settle(bytes);
        this.#failed += 1;
        this.#init.onFailure(error);
      },
    );
  }

  #settle(bytes: Buffer): void {
    this.#underWay -= 1;
    if (this.#spare.length < SPARE_COUNT_MAX) this.#spare.push(bytes);
  }

  #lookForGap(now: number): void {
    const milliseconds = now - this.#progressAt;
    if (this.#underWay === 0 || milliseconds < this.#init.gapMsMin) return;
    this.#init.onGap(this.#progressAt, milliseconds);
  }
}

/** Bytes that no other number has, and that tell a mixture of two from either. */
function entryOf(number: number, target: Buffer): Buffer {
  target.fill(number % 251);
  target.writeDoubleLE(number, 0);
  target.writeDoubleLE(number, ENTRY_BYTES - 8);
  return target;
}
