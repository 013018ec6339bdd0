/** A durable, linearizable log, replicated: what an application imports. */

import {
  type AppendedAt,
  demandDurability,
  type Durability,
  needsQuorum,
  type Reached,
  reachedBy,
} from "./append-call.ts";
import { demandAppended, demandInteger, demandRecords } from "./append-outcome.ts";
import { recordsDraft, sessionDraft } from "./command-drafts.ts";
import { COMMAND_KIND } from "./container.ts";
import type { FlushMode } from "./flush-mode.ts";
import type { Retention } from "./leader-duties.ts";
import { LogSession } from "./log-session.ts";
import { type NodeOptions, type NodeParts, openNodeParts } from "./node-options.ts";
import { demandNodeOptions } from "./node-option-problems.ts";
import { PromisedCall } from "./promised-call.ts";
import type { LogRecord, ReadResult } from "./record-reader.ts";
import { parseRetention, parseTuning, type RetentionLimits } from "./replica-options.ts";
import { type CallOptions, ReplicatedGroup, type WriteOptions } from "./replicated-group.ts";
import { type ReadOptions, RetainedLog, type TailOptions } from "./retained-log.ts";

export interface LogOptions extends NodeOptions {
  /**
   * What may be forgotten; default nothing. `bytes`: at least a segment, and `snapshotEveryBytes`;
   * `milliseconds`: at least 1000; `diskPercent`: of a disk's use, in `[1, 99]`, and of a disk that
   * others fill 1 GiB of the log is left, or a twentieth of the disk.
   */
  readonly retention?: RetentionLimits;
}

export interface AppendOptions extends WriteOptions {
  /** Default `quorum`. */
  readonly durability?: Durability;
  /** Append only if the first record gets this offset, if nobody else came first. With `quorum`. */
  readonly expectedOffset?: number;
}

/** What is known of an append that succeeded. */
export interface AppendAck {
  /** What was reached; more may be reached later, or not. */
  readonly durability: Durability;
  readonly reached: Reached;
  /** Of the first record; `undefined` below `quorum`. */
  readonly offset: number | undefined;
  /** Of the records of this call. */
  readonly count: number;
  /** Where in the replicated log they are. */
  readonly index: number;
  readonly term: number;
  /** They had been stored before, by an earlier attempt within the session. */
  readonly isDuplicate: boolean;
}

export interface SessionOptions extends CallOptions {
  /**
   * How long the session may be quiet, by the log's time, in ms; not less than a call may take.
   * Default one hour.
   */
  readonly idleMs?: number;
}

const SESSION_IDLE_MS = 3_600_000;
const NO_SESSION = { sessionId: 0, sequence: 0 };

export class ReplicatedLog extends ReplicatedGroup {
  readonly #retained: RetainedLog;
  readonly #callBytesMax: number;
  readonly #flush: FlushMode | undefined;

  private constructor(
    init: NodeParts["init"],
    retention: Retention | undefined,
    onClose: (() => Promise<void>) | undefined,
  ) {
    super(init, retention, onClose);
    this.#callBytesMax = init.tuning.callBytesMax;
    this.#flush = init.flush;
    this.#retained = new RetainedLog({
      replica: this.replica,
      waits: this.waits,
      demandReadable: () => {
        this.demandOpen();
      },
      readBarrier: (options) => this.readBarrier(options),
      trimTo: (offset, options) => this.trimTo(offset, options),
    });
  }

  /**
   * Opens this node's replica. It serves once a leader is elected: see `leader()`.
   *
   * @throws ReplicaOptionsError, ReplicaError, LogError, SnapshotError, TransportError
   */
  static async open(options: LogOptions): Promise<ReplicatedLog> {
    demandNodeOptions(options, "log");
    const retention = parseRetention(options.retention, parseTuning(options.tuning));
    const parts = await openNodeParts(options, undefined);
    try {
      return new ReplicatedLog(parts.init, retention, parts.close);
    } catch (error) {
      await parts.close?.();
      throw error;
    }
  }

  /**
   * Appends records, all or none, one after another.
   *
   * @param data - Borrowed: do not write to it before the promise is settled.
   * @throws ReplicaError with `outcome`: `not-applied`, or `unknown`
   */
  append(
    data: Uint8Array | readonly Uint8Array[],
    options: AppendOptions = {},
  ): Promise<AppendAck> {
    return this.appendAs(data, options, NO_SESSION);
  }

  /** Opens a session, whose appends can be repeated without being stored twice. */
  async openSession(options: SessionOptions = {}): Promise<LogSession> {
    const { idleMs = SESSION_IDLE_MS } = options;
    const sessionId = await this.openSessionFor(idleMs, options);
    return this.session(sessionId, 1);
  }

  /**
   * A session that was opened before, perhaps through another node.
   *
   * @param nextSequence - Above every number that was used, whatever became of it: an append that
   *   gets the number of another one is taken for its repetition, and not stored.
   * @throws ReplicaError `INVALID_ARGUMENT`
   */
  session(sessionId: number, nextSequence: number): LogSession {
    return new LogSession({ log: this, sessionId, nextSequence });
  }

  /** For sessions. @internal */
  async closeSession(sessionId: number, options: CallOptions): Promise<void> {
    await this.submitCommand(sessionDraft(COMMAND_KIND.closeSession, sessionId, 0), options);
  }

  /** For sessions. @internal */
  appendAs(
    data: Uint8Array | readonly Uint8Array[],
    options: AppendOptions,
    place: { readonly sessionId: number; readonly sequence: number },
  ): Promise<AppendAck> {
    return new Promise((resolve, reject) => {
      const { durability = "quorum", expectedOffset } = options;
      const records = data instanceof Uint8Array ? [data] : data;
      demandRecords("data", records, this.#callBytesMax);
      demandDurability(durability);
      if (expectedOffset !== undefined)
        demandInteger("expectedOffset", expectedOffset, 0, Number.MAX_SAFE_INTEGER);
      if (durability !== "quorum") {
        if (place.sessionId !== 0) throw needsQuorum("a session");
        // Whether the records are stored is decided when they are applied, and not before.
        if (expectedOffset !== undefined) throw needsQuorum("expectedOffset");
      }
      const draft = recordsDraft(records, place, expectedOffset ?? -1);
      const call = new PromisedCall({ draft, durability, resolve, reject, answer: this.#answer });
      this.submit(call, options);
    });
  }

  /** One for all calls. */
  readonly #answer = (at: AppendedAt, call: PromisedCall<AppendAck>): AppendAck => {
    const { index, term } = at;
    const { draft, durability } = call;
    const count = draft.records.length;
    const reached = reachedBy(durability, this.#flush);
    if (durability !== "quorum")
      return { durability, reached, offset: undefined, count, index, term, isDuplicate: false };
    const { offset, isDuplicate } = demandAppended(at.result, draft.offset);
    return { durability, reached, offset, count, index, term, isDuplicate };
  };

  /**
   * Reads what is committed and applied here, from an offset on. Linearizable after
   * `readBarrier()`; without it, of some moment not long ago.
   *
   * @throws ReplicaError `TRIMMED`, `INVALID_ARGUMENT`, `CLOSED`, `FAILED`; LogError `LOG_CORRUPT`
   *   for what is damaged: the message says whether it is being repaired
   */
  read(from: number, options: ReadOptions = {}): ReadResult {
    return this.#retained.read(from, options);
  }

  /**
   * Reads on and on, and waits at the end of the log for more; nothing is read ahead of whoever
   * takes the records. What is damaged is waited for, if it is being repaired. Ends by `break`, or
   * with `ABORTED`.
   *
   * @throws ReplicaError as `read` does; `BEYOND_END` only once this node knows where the end is,
   *   and a minute has passed
   */
  tail(from: number, options: TailOptions = {}): AsyncGenerator<LogRecord, void, void> {
    return this.#retained.tail(from, options);
  }

  /**
   * Forgets the records before an offset; all there are, if it is beyond the end. They are not read
   * any more at once, and their bytes are freed up to the last snapshot of the state before it.
   * While a member that is there has yet to get what is to be freed, or the snapshot before it,
   * this waits: up to half of `timeoutMs`.
   */
  trim(before: number, options: CallOptions = {}): Promise<void> {
    return this.#retained.trim(before, options);
  }
}
