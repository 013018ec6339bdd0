/** What one fetch reads of one queue: rows of the index, of which some become batches. */

import type { OperationError } from "@quorumlog/protocol";
import type { QueuePosition, StoredBatch } from "@quorumlog/protocol/messages";
import type { IndexRow } from "../queue-index/index-row.ts";
import type { QueueKey } from "../state/queue-key.ts";

export interface QueueReadInit {
  readonly position: QueuePosition.$Properties;
  readonly key: QueueKey;
  readonly firstOffset: number;
  readonly endOffset: number;
}

export class QueueRead {
  readonly position: QueuePosition.$Properties;
  readonly key: QueueKey;
  readonly firstOffset: number;
  readonly endOffset: number;
  readonly batches: StoredBatch.$Properties[] = [];
  /** Why there are none. */
  error: OperationError | undefined;
  /** What may be read: consecutive, in the order of the log. */
  rows: readonly IndexRow[] = [];
  #isStopped = false;

  constructor({ position, key, firstOffset, endOffset }: QueueReadInit) {
    this.position = position;
    this.key = key;
    this.firstOffset = firstOffset;
    this.endOffset = endOffset;
  }

  /** The first that is not read; `undefined`: nothing more is read of it. */
  get next(): IndexRow | undefined {
    return this.#isStopped ? undefined : this.rows[this.batches.length];
  }

  /** Behind what was read; `undefined` if nothing was. */
  get nextOffset(): number | undefined {
    return this.rows[this.batches.length - 1]?.endOffset;
  }

  /** What was found at the next row. */
  add(batch: Uint8Array): void {
    const row = this.rows[this.batches.length];
    if (row === undefined) return;
    const { baseOffset, storeTimestamp: storeTimestampMs } = row;
    this.batches.push({ baseOffset, storeTimestampMs, batch });
  }

  /** What comes next cannot be read: with batches before it, it is left to the next fetch. */
  stop(): void {
    this.#isStopped = true;
  }

  /** @param error - In place of whatever was read. */
  fail(error: OperationError): void {
    this.#isStopped = true;
    this.error = error;
  }
}

/**
 * The rows of one read that are left, and between them those of others, in the order of the log:
 * an entry of it may have batches of all of them.
 */
export function rowsAlong(
  lead: QueueRead,
  reads: readonly QueueRead[],
): { readonly read: QueueRead; readonly logOffset: number }[] {
  const low = lead.next?.logOffset ?? Infinity;
  const high = lead.rows.at(-1)?.logOffset ?? -1;
  const along = reads.flatMap((read) => {
    const { next, rows } = read;
    if (next === undefined || next.logOffset < low) return [];
    const left = rows.slice(read.batches.length);
    return left
      .filter(({ logOffset }) => logOffset <= high)
      .map(({ logOffset }) => ({ read, logOffset }));
  });
  return along.sort((a, b) => a.logOffset - b.logOffset);
}
