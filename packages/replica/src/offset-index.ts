/**
 * Where in the log an offset is: a sample per MiB of entries, and the repetitions, which got none.
 *
 * What lies between two samples is walked. As part of the state it is the same on all replicas, and
 * is there again at once after a restart.
 */

import type { ImageReader, ImageWriter } from "./state-image.ts";

/** Bytes of entries between two samples: what a read has to walk at most, to find its start. */
const SAMPLE_BYTES = 1024 * 1024;

/** `offset` is the next one to be given when the entry at `index` is applied. */
export interface OffsetSample {
  readonly index: number;
  readonly offset: number;
}

export class OffsetIndex {
  #samples: OffsetSample[] = [];
  #bytesSinceSample = SAMPLE_BYTES;
  /** By index, the commands of an entry whose records were not stored. */
  readonly #rejected = new Map<number, number[]>();

  /** Notes an entry that is about to be applied. */
  add(sample: OffsetSample, bytes: number): void {
    if (this.#bytesSinceSample >= SAMPLE_BYTES) {
      this.#samples.push(sample);
      this.#bytesSinceSample = 0;
    }
    this.#bytesSinceSample += bytes;
  }

  /** Notes that the records of a command were not stored, for no reason that it tells itself. */
  reject(index: number, command: number): void {
    const commands = this.#rejected.get(index);
    if (commands === undefined) this.#rejected.set(index, [command]);
    else commands.push(command);
  }

  isRejected(index: number, command: number): boolean {
    return this.#rejected.get(index)?.includes(command) === true;
  }

  /** Where to begin to walk, to find `offset`; `undefined` if it lies before all samples. */
  find(offset: number): OffsetSample | undefined {
    let low = 0;
    let high = this.#samples.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#samples[middle] as OffsetSample).offset <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#samples[low - 1];
  }

  /**
   * @returns an offset that has about so many bytes of entries behind it; 0 if all have no more.
   */
  before(bytes: number): number {
    const behind = bytes - this.#bytesSinceSample;
    if (behind <= 0) return this.#samples.at(-1)?.offset ?? 0;
    return this.#samples.at(-1 - Math.ceil(behind / SAMPLE_BYTES))?.offset ?? 0;
  }

  /** Forgets what lies before `start`, where the log begins now. */
  trim(start: OffsetSample): void {
    const first = this.#samples.findIndex(({ index }) => index > start.index);
    const kept = first === -1 ? [] : this.#samples.slice(first);
    this.#samples = [start, ...kept];
    for (const index of this.#rejected.keys()) {
      if (index >= start.index) break;
      this.#rejected.delete(index);
    }
  }

  write(image: ImageWriter): void {
    image.number(this.#bytesSinceSample);
    image.list(this.#samples, ({ index, offset }) => {
      image.number(index, offset);
    });
    image.list(this.#rejected, ([index, commands]) => {
      image.number(index);
      image.list(commands, (command) => {
        image.number(command);
      });
    });
  }

  read(image: ImageReader): void {
    this.#bytesSinceSample = image.number();
    this.#samples = [];
    image.list(() => this.#samples.push({ index: image.number(), offset: image.number() }));
    this.#rejected.clear();
    image.list(() => {
      const index = image.number();
      const commands: number[] = [];
      image.list(() => commands.push(image.number()));
      this.#rejected.set(index, commands);
    });
  }
}
