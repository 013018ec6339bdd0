/**
 * A state machine with files of its own: a line follows from each record, and the disk holds those
 * that a test says. Whatever it is given that does not follow from what it has, it throws at.
 */

import type { Machine, RecordBatch, StatePosition } from "../../src/machine.ts";

interface Lines {
  /** The offset of the first one. */
  readonly begin: number;
  readonly texts: readonly string[];
}

const NOTHING: Lines = { begin: 0, texts: [] };

export class FiledMachine implements Machine {
  /** Since the process began: the states that it was asked of, and the records it was given. */
  asked: StatePosition[] = [];
  applied: number[] = [];
  #lines: Lines = NOTHING;
  #synced: Lines = NOTHING;
  /** Where the state stands that the node starts from; `undefined` once something followed. */
  #start: number | undefined;
  readonly #inner: Machine;

  /** @param inner - Holds the state itself. */
  constructor(inner: Machine) {
    this.#inner = inner;
  }

  /** What its files hold, from the first offset on. */
  get lines(): readonly string[] {
    return this.#lines.texts;
  }

  get begin(): number {
    return this.#lines.begin;
  }

  /** All lines are on the disk. */
  sync(): void {
    this.#synced = this.#lines;
  }

  /** The process ends. */
  crash(): void {
    this.#lines = this.#synced;
    this.#start = undefined;
    this.asked = [];
    this.applied = [];
  }

  /** The files are lost while nothing runs. */
  lose(): void {
    this.#synced = NOTHING;
  }

  covers(position: StatePosition): boolean {
    this.asked.push(position);
    this.#start = position.offset;
    return this.#holds(position.offset);
  }

  apply(batch: RecordBatch): readonly Uint8Array[] {
    const { offset, records } = batch;
    this.#goOnFrom(this.#start ?? offset);
    this.#start = undefined;
    const { begin, texts } = this.#lines;
    if (offset !== begin + texts.length)
      throw new Error(`offset ${offset} does not follow ${begin + texts.length}`);
    this.applied.push(...records.map((_record, i) => offset + i));
    const more = records.map((record) => Buffer.from(record).toString());
    this.#lines = { begin, texts: [...texts, ...more] };
    return this.#inner.apply(batch);
  }

  snapshot(): Iterable<Uint8Array> {
    return this.#inner.snapshot();
  }

  restore(chunks: Iterable<Uint8Array>, position: StatePosition): void {
    this.#inner.restore(chunks, position);
    this.#start = undefined;
    const isAnew = !this.#holds(position.offset);
    this.#goOnFrom(position.offset);
    // What the disk has is given up first.
    if (isAnew) this.sync();
  }

  #holds(offset: number): boolean {
    const { begin, texts } = this.#lines;
    return begin <= offset && offset <= begin + texts.length;
  }

  #goOnFrom(offset: number): void {
    const { begin, texts } = this.#lines;
    this.#lines = this.#holds(offset)
      ? { begin, texts: texts.slice(0, offset - begin) }
      : { begin: offset, texts: [] };
  }
}
