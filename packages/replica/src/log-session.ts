/** A session of appends: each has a number, and one that is repeated is stored once. */

import { demandPlace } from "./append-outcome.ts";
import type { AppendAck, AppendOptions } from "./replicated-log.ts";
import { ReplicaError } from "./replica-error.ts";
import type { CallOptions } from "./replicated-group.ts";

/** What a session needs of the log that it belongs to. */
export interface SessionLog {
  appendAs(
    data: Uint8Array | readonly Uint8Array[],
    options: AppendOptions,
    place: { readonly sessionId: number; readonly sequence: number },
  ): Promise<AppendAck>;
  closeSession(sessionId: number, options: CallOptions): Promise<void>;
}

export interface SessionAppendOptions extends AppendOptions {
  /**
   * The number of an append that is repeated, as its outcome is unknown: what `nextSequence` was
   * before it. Default the next one. A number that is named here is never given to another append.
   * Not more than 5 may be under way.
   */
  readonly sequence?: number;
}

export class LogSession {
  /** Names the session on every node, for as long as it lives. */
  readonly sessionId: number;
  readonly #log: SessionLog;
  #nextSequence: number;
  /** Numbers of appends that were not applied, until those after them are told so, too. */
  readonly #unused = new Set<number>();

  /** @throws ReplicaError `INVALID_ARGUMENT` */
  constructor(init: {
    readonly log: SessionLog;
    readonly sessionId: number;
    readonly nextSequence: number;
  }) {
    demandPlace({ sessionId: init.sessionId, sequence: init.nextSequence });
    this.#log = init.log;
    this.sessionId = init.sessionId;
    this.#nextSequence = init.nextSequence;
  }

  /** The number that the next append gets. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  /**
   * Appends; see `ReplicatedLog.append`. The number of one that was not applied is used again; that
   * of one whose outcome is unknown is the caller's to repeat.
   */
  async append(
    data: Uint8Array | readonly Uint8Array[],
    options: SessionAppendOptions = {},
  ): Promise<AppendAck> {
    const { sessionId } = this;
    const sequence = options.sequence ?? this.#nextSequence;
    demandPlace({ sessionId, sequence });
    this.#nextSequence = Math.max(this.#nextSequence, sequence + 1);
    // A number that is named is this append's for good, whatever became of it before.
    const isOwn = options.sequence === undefined;
    if (!isOwn) this.#unused.delete(sequence);
    try {
      return await this.#log.appendAs(data, options, { sessionId, sequence });
    } catch (error) {
      // A mismatch is an answer, and has used its number. What is said of a repetition is true of
      // that one alone: an attempt before it may have used the number.
      const isUnused = error instanceof ReplicaError && error.outcome === "not-applied";
      // But a gap says that no append of that number was ever stored.
      const isCertain = isOwn || (isUnused && error.code === "SEQUENCE_GAP");
      if (isUnused && isCertain && error.code !== "OFFSET_MISMATCH") this.#giveBack(sequence);
      throw error;
    }
  }

  #giveBack(sequence: number): void {
    this.#unused.add(sequence);
    while (this.#unused.delete(this.#nextSequence - 1)) this.#nextSequence -= 1;
  }

  /** Ends the session: nothing of it is remembered any more. */
  async close(options: CallOptions = {}): Promise<void> {
    await this.#log.closeSession(this.sessionId, options);
  }
}
