/** An append, as client and checkers see it: what was asked for, and what is known of it. */

export type OutcomeKind = "ok" | "not-applied" | "unknown" | "promised";

const ID_BYTES = 12;
const POOL_BYTES = 1 << 16;
/** Records are stretches of it, so that none has to be made. */
const POOL: Buffer = Buffer.alloc(POOL_BYTES);
for (let i = 0, state = 1; i < POOL_BYTES; i++) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  POOL[i] = state >>> 16;
}

export interface OperationInit {
  readonly id: number;
  readonly records: readonly Uint8Array[];
  readonly expectedOffset: number;
  readonly sessionId: number;
  readonly sequence: number;
  /** What was acknowledged before it was asked for: it has to come behind. */
  readonly floor: number;
}

export class Operation {
  readonly id: number;
  readonly records: readonly Uint8Array[];
  readonly expectedOffset: number;
  readonly sessionId: number;
  readonly sequence: number;
  readonly floor: number;
  /** Of the first record, as soon as a replica has applied it. */
  foundAt: number | undefined;
  /** No attempt is under way, and none that was has an unknown end. */
  outcome: OutcomeKind | undefined;
  attempts = 0;
  hadUnknown = false;

  constructor(init: OperationInit) {
    this.id = init.id;
    this.records = init.records;
    this.expectedOffset = init.expectedOffset;
    this.sessionId = init.sessionId;
    this.sequence = init.sequence;
    this.floor = init.floor;
  }

  get endOffset(): number {
    return (this.foundAt ?? 0) + this.records.length;
  }
}

/**
 * Records that no other operation has: the first names it, the others are any bytes.
 *
 * @param lengths - Of the records; the first one is at least as long as an id.
 */
export function makeRecords(id: number, lengths: readonly number[]): Uint8Array[] {
  return lengths.map((length, i) => {
    if (i === 0) {
      const first = Buffer.alloc(Math.max(ID_BYTES, length), POOL.subarray(id % 1_000, 40_000));
      first.writeDoubleLE(id, 0);
      first.writeUInt32LE(lengths.length, 8);
      return first;
    }
    const start = (id * 31 + i * 97) % (POOL_BYTES - length);
    return POOL.subarray(start, start + length);
  });
}

/** Whose first record that is. */
export function operationIdOf(record: Uint8Array): number | undefined {
  if (record.byteLength < ID_BYTES) return undefined;
  return Buffer.from(record.buffer, record.byteOffset, record.byteLength).readDoubleLE(0);
}

export function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.byteLength === right.byteLength && Buffer.compare(left, right) === 0;
}
