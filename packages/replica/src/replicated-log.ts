/** A durable, linearizable log, replicated: what an application imports. */

import { type AppendedAt, demandDurability, type Durability } from "./append-call.ts";
import { demandAppended, demandInteger, demandRecords } from "./append-outcome.ts";
import { COMMAND_KIND } from "./container.ts";
import type { Retention } from "./leader-duties.ts";
import { LogSession } from "./log-session.ts";
import { type NodeOptions, type NodeParts, openNodeParts } from "./node-options.ts";
import { demandNodeOptions } from "./node-option-problems.ts";
import { PromisedCall } from "./promised-call.ts";
import { type LogRecord, type ReadResult, RecordReader } from "./record-reader.ts";
import { demandNotAborted, ReplicaError } from "./replica-error.ts";
import { parseRetention, parseTuning } from "./replica-options.ts";
import {
  type CallOptions,
  recordsDraft,
  ReplicatedGroup,
  sessionDraft,
} from "./replicated-group.ts";

export interface LogOptions extends NodeOptions {
  /**
   * What may be forgotten; default nothing. `bytes`: at least a segment, and `snapshotEveryBytes`;
   * `milliseconds`: at least 1000.
   */
  readonly retention?: { readonly bytes?: number; readonly milliseconds?: number };
}

export interface AppendOptions extends CallOptions {
  /** Default `quorum`. */
  readonly durability?: Durability;
  /** Append only if the first record gets this offset, if nobody else came first. With `quorum`. */
  readonly expectedOffset?: number;
}

/** What is known of an append that succeeded. */
export interface AppendAck {
  /** What was reached; more may be reached later, or not. */
  readonly durability: Durability;
  /**
   * How well, on the nodes that `durability` names: on their disks; in their kernels, and on their
   * disks soon after (flush mode `async`); or in the memory of the leader's process alone.
   */
  readonly reached: "synced" | "written" | "memory";
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

export interface ReadOptions {
  /** Bytes of records; at least one record is read. In `[1, 64 MiB]`, default 1 MiB. */
  readonly maxBytes?: number;
}

export interface SessionOptions extends CallOptions {
  /**
   * How long the session may be quiet, by the log's time, in ms; not less than a call may take.
   * Default one hour.
   */
  readonly idleMs?: number;
}

const MIB = 1024 * 1024;
const READ_BYTES_MAX = 64 * MIB;
const SESSION_IDLE_MS = 3_600_000;
const TAIL_WAIT_MS = 60_000;
const NO_SESSION = { sessionId: 0, sequence: 0 };
/** Of a barrier: it may be there next time. */
const WAITED_FOR: ReadonlySet<string> = new Set(["TIMEOUT", "NOT_LEADER", "OVERLOADED"]);

export class ReplicatedLog extends ReplicatedGroup {
  readonly #reader: RecordReader;
  readonly #callBytesMax: number;
  /** By whatever is acknowledged as durable. */
  readonly #reached: "synced" | "written";

  private constructor(
    init: NodeParts["init"],
    retention: Retention | undefined,
    onClose: (() => Promise<void>) | undefined,
  ) {
    super(init, retention, onClose);
    this.#callBytesMax = init.tuning.callBytesMax;
    this.#reached = init.flush?.mode === "async" ? "written" : "synced";
    this.#reader = new RecordReader(this.replica.log, this.replica.keeper);
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
    const reached = durability === "async" ? "memory" : this.#reached;
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
    this.demandOpen();
    const { maxBytes = MIB } = options;
    demandInteger("from", from, 0, Number.MAX_SAFE_INTEGER);
    demandInteger("maxBytes", maxBytes, 1, READ_BYTES_MAX);
    try {
      return this.#reader.read(from, maxBytes);
    } catch (error) {
      throw this.replica.care.explained(error);
    }
  }

  /**
   * Reads on and on, and waits at the end of the log for more; nothing is read ahead of whoever
   * takes the records. What is damaged is waited for, if it is being repaired. Ends by `break`, or
   * with `ABORTED`.
   *
   * @throws ReplicaError as `read` does; `BEYOND_END` only once this node knows where the end is,
   *   and a minute has passed
   */
  async *tail(
    from: number,
    options: { readonly signal?: AbortSignal; readonly maxBytes?: number } = {},
  ): AsyncGenerator<LogRecord, void, void> {
    const { signal, ...read } = options;
    let next = from;
    for (;;) {
      demandNotAborted(signal);
      // An offset may be known that this node has not applied yet.
      if (this.#isBeyond(next)) await this.#moreThan(next - 1, signal);
      if (this.#isBeyond(next) && !(await this.#knowsTheEnd(signal))) continue;
      const result = this.#readOrDamage(next, read);
      if (result === undefined) {
        await this.#repaired(signal);
        continue;
      }
      const { records, nextOffset } = result;
      for (const record of records) yield record;
      next = nextOffset;
      if (records.length === 0) await this.#moreThan(next, signal);
    }
  }

  /**
   * Forgets the records before an offset; all there are, if it is beyond the end. They are not read
   * any more at once, and their bytes are freed up to the last snapshot of the state before it.
   * While a member that is there has yet to get what is to be freed, or the snapshot before it,
   * this waits: up to half of `timeoutMs`.
   */
  async trim(before: number, options: CallOptions = {}): Promise<void> {
    demandInteger("before", before, 0, Number.MAX_SAFE_INTEGER);
    await this.trimTo(before, options);
  }

  #isBeyond(offset: number): boolean {
    return offset > this.replica.keeper.state.nextOffset;
  }

  /** @returns false if this node is behind, or alone, and does not get there in time. */
  async #knowsTheEnd(signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.readBarrier(signal === undefined ? {} : { signal });
      return true;
    } catch (error) {
      if (!(error instanceof ReplicaError) || !WAITED_FOR.has(error.code)) throw error;
      return false;
    }
  }

  /** @returns `undefined` if what comes next is being repaired. */
  #readOrDamage(from: number, options: ReadOptions): ReadResult | undefined {
    try {
      return this.read(from, options);
    } catch (error) {
      if (this.replica.care.onDamage(error)) return undefined;
      throw error;
    }
  }

  async #repaired(signal: AbortSignal | undefined): Promise<void> {
    const { damagesRepaired } = this.replica.care.condition();
    await this.#waitFor(
      () => this.replica.care.condition().damagesRepaired > damagesRepaired,
      signal,
    );
  }

  async #moreThan(offset: number, signal: AbortSignal | undefined): Promise<void> {
    await this.#waitFor(() => this.replica.keeper.state.nextOffset > offset, signal);
  }

  /** Until it is so; or for a while. */
  async #waitFor(isSo: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    const look = (): true | undefined => (isSo() ? true : undefined);
    try {
      await this.waits.until(look, { why: "nothing came", timeoutMs: TAIL_WAIT_MS, signal });
    } catch (error) {
      if (!(error instanceof ReplicaError) || error.code !== "TIMEOUT") throw error;
    }
  }
}

function needsQuorum(what: string): ReplicaError {
  return new ReplicaError("INVALID_ARGUMENT", `durability: ${what} needs quorum`);
}
