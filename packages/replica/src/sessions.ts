/**
 * Client sessions: what makes a retried append be stored once (thesis §6.3).
 *
 * A session numbers its appends 1, 2, 3, ...; the results of the last few are kept, and given again
 * to whoever repeats one. Time is that of the log, so that all replicas forget alike.
 */

import type { ImageReader, ImageWriter } from "./state-image.ts";

/** How many results a session keeps, and so how many of its appends may be under way. */
export const SESSION_WINDOW = 5;
/** Beyond that, the session that was quiet for longest goes. */
const SESSION_COUNT_MAX = 100_000;

/** What became of an append, whenever it is asked for again. */
export interface AppendResult {
  readonly status: "appended" | "mismatch";
  /** Of the first record; of a mismatch, where the log ended. */
  readonly offset: number;
  readonly count: number;
  /** What the application answered, a value for each record. */
  readonly values: readonly Uint8Array[];
}

interface Session {
  /** How long it may be quiet; in the log, so that all replicas know. */
  readonly idleMsMax: number;
  lastSequence: number;
  lastUsedAt: number;
  /** Of the sequences up to `lastSequence`, the newest last. */
  results: AppendResult[];
}

export type SessionVerdict =
  | { readonly status: "new" }
  | { readonly status: "duplicate"; readonly result: AppendResult }
  | { readonly status: "expired" | "gap" | "too-old" };

const NEW: SessionVerdict = { status: "new" };

export class SessionTable {
  /** In the order of their last use: the first one is the quietest. */
  readonly #sessions = new Map<number, Session>();

  get size(): number {
    return this.#sessions.size;
  }

  open(sessionId: number, idleMsMax: number, now: number): void {
    this.#sessions.set(sessionId, { idleMsMax, lastSequence: 0, lastUsedAt: now, results: [] });
    if (this.#sessions.size <= SESSION_COUNT_MAX) return;
    const [quietest] = this.#sessions.keys();
    if (quietest !== undefined) this.#sessions.delete(quietest);
  }

  close(sessionId: number): void {
    this.#sessions.delete(sessionId);
  }

  /** What an append would be, by now; changes nothing. */
  look(sessionId: number, sequence: number): SessionVerdict {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return { status: "expired" };
    const { lastSequence, results } = session;
    if (sequence > lastSequence) return sequence === lastSequence + 1 ? NEW : { status: "gap" };
    const result = results[results.length - 1 - (lastSequence - sequence)];
    return result === undefined ? { status: "too-old" } : { status: "duplicate", result };
  }

  /** Keeps the result of an append that was new. */
  record(sessionId: number, result: AppendResult, now: number): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    session.lastSequence += 1;
    session.results.push(result);
    if (session.results.length > SESSION_WINDOW) session.results.shift();
    this.#touch(sessionId, session, now);
  }

  /** Forgets those that nothing was heard of for too long, by the time of the log. */
  expire(now: number): void {
    for (const [sessionId, { idleMsMax, lastUsedAt }] of this.#sessions)
      if (now - lastUsedAt > idleMsMax) this.#sessions.delete(sessionId);
  }

  /** Writes all of it, in order, so that `read` gives the same table. */
  write(image: ImageWriter): void {
    image.list(this.#sessions, ([sessionId, session]) => {
      image.number(sessionId, session.idleMsMax, session.lastSequence, session.lastUsedAt);
      image.list(session.results, ({ status, offset, count, values }) => {
        image.number(status === "appended" ? 1 : 0, offset, count);
        image.list(values, (value) => {
          image.bytes(value);
        });
      });
    });
  }

  read(image: ImageReader): void {
    this.#sessions.clear();
    image.list(() => {
      const sessionId = image.number();
      const idleMsMax = image.number();
      const lastSequence = image.number();
      const lastUsedAt = image.number();
      const results: AppendResult[] = [];
      image.list(() => {
        const status = image.number() === 1 ? "appended" : "mismatch";
        const offset = image.number();
        const count = image.number();
        const values: Uint8Array[] = [];
        image.list(() => values.push(image.bytes()));
        results.push({ status, offset, count, values });
      });
      this.#sessions.set(sessionId, { idleMsMax, lastSequence, lastUsedAt, results });
    });
  }

  #touch(sessionId: number, session: Session, now: number): void {
    session.lastUsedAt = now;
    this.#sessions.delete(sessionId);
    this.#sessions.set(sessionId, session);
  }
}
