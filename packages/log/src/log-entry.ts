/** What a log holds, in the shape that the consensus core gives it. */

export interface LogPosition {
  readonly term: number;
  readonly index: number;
}

export type LogEntryKind = "normal" | "configuration";

export interface LogEntry extends LogPosition {
  readonly kind: LogEntryKind;
  /** Owned by the log from the moment it is appended: nobody writes to it again. */
  readonly data: Uint8Array;
  /**
   * CRC-32 of `data`, where it is known: it is then not computed again. Whoever appends answers
   * for it: with a wrong one the entry is corrupt from the moment it is written.
   */
  readonly checksum?: number;
}

/** What a node has promised (paper, figure 2), beside its entries. */
export interface HardState {
  readonly currentTerm: number;
  readonly votedFor: number | undefined;
  readonly commitIndex: number;
}

/** What precedes the first entry: a position, and the configuration there, opaque here. */
export interface LogBase extends LogPosition {
  readonly configuration: Uint8Array;
}

/** What an entry costs beside its data when bytes are limited; the core counts the same. */
const ENTRY_OVERHEAD_BYTES = 32;

export function entryBytes(entry: LogEntry): number {
  return entry.data.byteLength + ENTRY_OVERHEAD_BYTES;
}
