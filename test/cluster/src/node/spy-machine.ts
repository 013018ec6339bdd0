/**
 * A state machine that tells what it is given, and what it is: where it stands, and a sum of all
 * bytes so far, with as much ballast as a seed wants in every snapshot.
 */

import type { Machine, RecordBatch, StatePosition } from "@quorumlog/replica/testing";
import { crc32 } from "node:zlib";
import { hold } from "../engine/violation.ts";

const HEAD_BYTES = 16;
const NOTHING: Uint8Array = new Uint8Array(0);
const BALLAST: Buffer = Buffer.alloc(64 * 1024, "ballast ");

export interface SpyMachineInit {
  /** Whether files of its own, if it had any, would go as far as a state before so many records. */
  readonly covers: (nextOffset: number) => boolean;
  /** Of each snapshot. */
  readonly ballastBytes: number;
  /** @param offset - Of the first record. */
  readonly onApply: (offset: number, records: readonly Uint8Array[]) => void;
  readonly onRestore: (nextOffset: number) => void;
}

export class SpyMachine implements Machine {
  readonly #init: SpyMachineInit;
  readonly copiesRecords = true;
  /** Of the record that has to come next. */
  nextOffset = 0;
  /** How many states it was asked of before the node began with one. */
  askedCount = 0;
  #sum = 0;

  constructor(init: SpyMachineInit) {
    this.#init = init;
  }

  apply({ offset, records }: RecordBatch): readonly Uint8Array[] {
    hold(offset === this.nextOffset, "records are applied in order, each once", () => {
      return `offset ${offset} came where ${this.nextOffset} was next`;
    });
    this.#init.onApply(offset, records);
    for (const record of records) this.#sum = crc32(record, this.#sum);
    this.nextOffset += records.length;
    return records.map(() => NOTHING);
  }

  covers({ offset }: StatePosition): boolean {
    this.askedCount += 1;
    return this.#init.covers(offset);
  }

  snapshot(): Iterable<Uint8Array> {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeDoubleLE(this.nextOffset, 0);
    head.writeDoubleLE(this.#sum, 8);
    return chunks(head, this.#init.ballastBytes);
  }

  restore(image: Iterable<Uint8Array>, { offset }: StatePosition): void {
    const bytes = Buffer.concat([...image]);
    this.nextOffset = bytes.length === 0 ? 0 : bytes.readDoubleLE(0);
    hold(offset === this.nextOffset, "a state is restored under its own position", () => {
      return `that of offset ${this.nextOffset} was said to be of ${offset}`;
    });
    this.#sum = bytes.length === 0 ? 0 : bytes.readDoubleLE(8);
    this.#init.onRestore(this.nextOffset);
  }
}

function* chunks(head: Buffer, ballastBytes: number): Generator<Uint8Array> {
  yield head;
  for (let left = ballastBytes; left > 0; left -= BALLAST.length)
    yield BALLAST.subarray(0, Math.min(left, BALLAST.length));
}
