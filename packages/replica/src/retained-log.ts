/**
 * The records of a group whose log is kept as its content: read from an offset on, followed, and
 * forgotten from the front. The same for a log by itself and for one behind a state machine.
 */

import { demandInteger } from "./append-outcome.ts";
import type { GroupWaits } from "./group-waits.ts";
import { type LogRecord, type ReadResult, RecordReader } from "./record-reader.ts";
import type { Replica } from "./replica.ts";
import { demandNotAborted, ReplicaError } from "./replica-error.ts";
import type { CallOptions } from "./replicated-group.ts";

export interface ReadOptions {
  /**
   * Bytes of records; at least one record is read, so 1 reads just that. In `[1, 64 MiB]`, default
   * 1 MiB. Entries that were read of late are kept in memory, up to 32 MiB, and of others the
   * places of their records, if those are not tiny: one is read by itself. A read of any other
   * entry walks up to 1 MiB of entries to its first record, and the one with that as a whole.
   */
  readonly maxBytes?: number;
}

export interface TailOptions extends ReadOptions {
  readonly signal?: AbortSignal;
}

export interface RetainedLogInit {
  readonly replica: Replica;
  readonly waits: GroupWaits;
  /** @throws ReplicaError if nothing can be read. */
  readonly demandReadable: () => void;
  readonly readBarrier: (options: CallOptions) => Promise<void>;
  /** Up to an offset that was checked. */
  readonly trimTo: (offset: number, options: CallOptions) => Promise<void>;
}

const MIB = 1024 * 1024;
const READ_BYTES_MAX = 64 * MIB;
const TAIL_WAIT_MS = 60_000;
/** Of a barrier: it may be there next time. */
const WAITED_FOR: ReadonlySet<string> = new Set(["TIMEOUT", "NOT_LEADER", "OVERLOADED"]);

export class RetainedLog {
  readonly #init: RetainedLogInit;
  readonly #replica: Replica;
  readonly #reader: RecordReader;

  constructor(init: RetainedLogInit) {
    const { replica } = init;
    this.#init = init;
    this.#replica = replica;
    this.#reader = new RecordReader(replica.log, replica.keeper);
  }

  /** See `ReplicatedLog.read`. @throws ReplicaError, LogError */
  read(from: number, options: ReadOptions = {}): ReadResult {
    this.#init.demandReadable();
    const { maxBytes = MIB } = options;
    demandInteger("from", from, 0, Number.MAX_SAFE_INTEGER);
    demandInteger("maxBytes", maxBytes, 1, READ_BYTES_MAX);
    try {
      return this.#reader.read(from, maxBytes);
    } catch (error) {
      throw this.#replica.care.explained(error);
    }
  }

  /** See `ReplicatedLog.tail`. @throws ReplicaError, LogError */
  async *tail(from: number, options: TailOptions = {}): AsyncGenerator<LogRecord, void, void> {
    const { signal, ...read } = options;
    this.#init.demandReadable();
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

  /** See `ReplicatedLog.trim`. @throws ReplicaError */
  async trim(before: number, options: CallOptions = {}): Promise<void> {
    demandInteger("before", before, 0, Number.MAX_SAFE_INTEGER);
    this.#init.demandReadable();
    await this.#init.trimTo(before, options);
  }

  #isBeyond(offset: number): boolean {
    return offset > this.#replica.keeper.state.nextOffset;
  }

  /** @returns false if this node is behind, or alone, and does not get there in time. */
  async #knowsTheEnd(signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.#init.readBarrier(signal === undefined ? {} : { signal });
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
      if (this.#replica.care.onDamage(error)) return undefined;
      throw error;
    }
  }

  async #repaired(signal: AbortSignal | undefined): Promise<void> {
    const { damagesRepaired } = this.#replica.care.condition();
    await this.#waitFor(
      () => this.#replica.care.condition().damagesRepaired > damagesRepaired,
      signal,
    );
  }

  async #moreThan(offset: number, signal: AbortSignal | undefined): Promise<void> {
    await this.#waitFor(() => this.#replica.keeper.state.nextOffset > offset, signal);
  }

  /** Until it is so; or for a while. */
  async #waitFor(isSo: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    const look = (): true | undefined => (isSo() ? true : undefined);
    try {
      await this.#init.waits.until(look, { why: "nothing came", timeoutMs: TAIL_WAIT_MS, signal });
    } catch (error) {
      if (!(error instanceof ReplicaError) || error.code !== "TIMEOUT") throw error;
    }
  }
}
