/** A state machine behind the log: what an application brings. */

/** The records of one call that were stored. */
export interface RecordBatch {
  /** Of the first one. */
  readonly offset: number;
  /** Views into the log: good for as long as they are held, and never written to. */
  readonly records: readonly Uint8Array[];
  /** When its leader took it in, by the log's time: milliseconds since 1970, never going back. */
  readonly timestamp: number;
}

/**
 * Every replica calls these in the same order with the same bytes, and has to come to the same
 * state: no clock, no chance, nothing from outside. What is thrown stops the replica; a command
 * that makes no sense is answered, not thrown at. They run on the event loop: nothing else of the
 * process happens meanwhile.
 */
export interface Machine {
  /**
   * @returns an answer for each record, given to whoever executed it. Those of the last few
   *   commands of each session are part of the state: keep them small.
   */
  apply(batch: RecordBatch): readonly Uint8Array[];

  /**
   * Whether the records are read within `apply` alone: neither the state nor an answer is a view of
   * one. Then their memory is used again, which is faster. Default false.
   */
  readonly copiesRecords?: boolean;

  /**
   * The whole state as it is now, in pieces that are made as they are pulled: what `apply` does
   * meanwhile is not in it. Equal states give equal bytes. It may be dropped before its end.
   */
  snapshot(): Iterable<Uint8Array>;

  /**
   * Replaces the state by what `snapshot` gave; nothing at all stands for the empty state. It runs
   * to its end in one turn, when a node opens, or was too far behind: with gigabytes, open the
   * replica in a worker thread.
   */
  restore(chunks: Iterable<Uint8Array>): void;
}
