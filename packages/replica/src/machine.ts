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

/** A state, by what it follows from: all entries up to one, and so all records before one. */
export interface StatePosition {
  /** Of the last entry. */
  readonly index: number;
  /** Of the record that comes next. */
  readonly offset: number;
}

/**
 * Every replica calls these in the same order with the same bytes, and has to come to the same
 * state: no clock, no chance, nothing from outside. What is thrown stops the replica; a command
 * that makes no sense is answered, not thrown at. They run on the event loop: nothing else of the
 * process happens meanwhile.
 *
 * A program that is too old for what the log or a state has throws, too, before it takes anything
 * of it: the log and what is kept of the state stay as they are, and a later program goes on.
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
   * Of its rules, the newest version that this program knows, above 0: it is told to the other
   * members, see `commonRules` of the replica. Which of them are in force is its own to keep, in
   * the state. Default 0: none.
   */
  readonly rulesVersion?: number;

  /**
   * The whole state as it is now, in pieces that are made as they are pulled: what `apply` does
   * meanwhile is not in it. Equal states give equal bytes. It may be dropped before its end.
   */
  snapshot(): Iterable<Uint8Array>;

  /**
   * Replaces the state by what `snapshot` gave; nothing at all stands for the empty state. It runs
   * to its end in one turn, when a node opens, or was too far behind: with gigabytes, open the
   * replica in a worker thread.
   *
   * @param position - What the state follows from. Files of the application's own that do not go
   *   as far, see {@link covers}, begin anew there.
   */
  restore(chunks: Iterable<Uint8Array>, position: StatePosition): void;

  /**
   * Whether files of the application's own, which follow from what was applied and are no part of
   * `snapshot`, go as far as a state: whether they hold what follows from every record before it
   * that is in the log. What is not on the disk does not count. Default: always, as there are no
   * such files.
   *
   * Asked while a node opens, of each state that it could start from: that of the checkpoint, then
   * those of snapshots, the newest first; the first yes is taken. Behind the oldest one this node's
   * log begins: it is asked of last, and taken whatever the answer is. So the node starts from the
   * state that was asked of last. What follows in the log is applied again, and need not be what it
   * was before, as a node may have lost the end of its log: files that go further have to be cut
   * back. A checkpoint that is started from is not restored.
   *
   * A state that a leader sends is restored unasked. If the node stops at once, its log may yet be
   * the former one, and then it is asked of the states in that.
   */
  covers?(position: StatePosition): boolean;
}
