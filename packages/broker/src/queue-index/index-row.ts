/** What the index knows of one stored batch. */

export interface IndexRow {
  /** Of its first message, in the queue. */
  readonly baseOffset: number;
  /** Behind its last one. */
  readonly endOffset: number;
  /** Of the record that it is, in the log. */
  readonly logOffset: number;
  /** Milliseconds since 1970, never going back along the log. */
  readonly storeTimestamp: number;
  readonly bytes: number;
}

/** Rows of one queue, ordered by everything: their offsets, the log's offsets, and time. */
export interface RowView {
  readonly count: number;
  /** @param at - In `[0, count)`. */
  row(at: number): IndexRow;
  endOffset(at: number): number;
  logOffset(at: number): number;
  storeTimestamp(at: number): number;
}

/** @returns the first of `[0, count)` for which it is so, which it is from there on; or `count`. */
export function firstWhere(count: number, isSo: (at: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isSo(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
