/**
 * Client sessions: what makes a retried append be stored once (thesis §6.3).
 *
 * A session numbers its appends 1, 2, 3, ...; the results of the last few are kept, and given again
 * to whoever repeats one. Time is that of the log, so that all replicas forget alike.
 */

import { ImageReader, ImageWriter } from "./state-image.ts";

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
  /** Later uses have higher numbers, whatever the time. */
  useNumber: number;
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
  #lastUseNumber = 0;
  /** Since the last call of `takeRows`; nobody wants to know before the first one. */
  #changed: Set<number> | undefined;

  get size(): number {
    return this.#sessions.size;
  }

  open(sessionId: number, idleMsMax: number, now: number): void {
    const useNumber = this.#nextUse();
    const session = { idleMsMax, lastSequence: 0, lastUsedAt: now, useNumber, results: [] };
    this.#sessions.set(sessionId, session);
    this.#changed?.add(sessionId);
    if (this.#sessions.size <= SESSION_COUNT_MAX) return;
    const [quietest] = this.#sessions.keys();
    if (quietest !== undefined) this.close(quietest);
  }

  close(sessionId: number): void {
    if (this.#sessions.delete(sessionId)) this.#changed?.add(sessionId);
  }

  /** What an append would be, by now; changes nothing. */
  look(sessionId: number, sequence: number): SessionVerdict {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return { status: "expired" };
    const { lastSequence, results } = session;
    if (sequence > lastSequence) return sequence === lastSequence + 1 ? NEW : { status: "gap" };
    const result = results[results.length - 1 - (lastSequence - sequence)];
    if (result === undefined) return { status: "too-old" };
    // Whoever is given them may write to them, and what is kept is part of the state.
    return { status: "duplicate", result: { ...result, values: copiesOf(result.values) } };
  }

  /** Keeps the result of an append that was new; its values are copied, as others hold them. */
  record(sessionId: number, result: AppendResult, now: number): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    session.lastSequence += 1;
    session.results.push({ ...result, values: copiesOf(result.values) });
    if (session.results.length > SESSION_WINDOW) session.results.shift();
    this.#touch(sessionId, session, now);
  }

  /** Forgets those that nothing was heard of for too long, by the time of the log. */
  expire(now: number): void {
    for (const [sessionId, { idleMsMax, lastUsedAt }] of this.#sessions)
      if (now - lastUsedAt > idleMsMax) this.close(sessionId);
  }

  /**
   * Tells of those that changed since the last call, or of all; from then on it remembers.
   *
   * @param put - Given each with its bytes, or with `undefined` if it is gone.
   */
  takeRows(isWhole: boolean, put: (sessionId: number, row: Uint8Array | undefined) => void): void {
    const wanted = isWhole ? this.#sessions.keys() : (this.#changed ?? []);
    for (const sessionId of wanted) {
      const session = this.#sessions.get(sessionId);
      put(sessionId, session === undefined ? undefined : rowOf(session));
    }
    this.#changed = new Set();
  }

  /** Becomes the table that all these rows were taken from. */
  readRows(rows: Iterable<readonly [sessionId: number, row: Uint8Array]>): void {
    const sessions = Array.from(rows, ([sessionId, row]): [number, Session] => {
      const image = new ImageReader(Buffer.from(row));
      return [sessionId, { useNumber: image.number(), ...readSession(image) }];
    });
    sessions.sort(([, a], [, b]) => a.useNumber - b.useNumber);
    this.#sessions.clear();
    for (const [sessionId, session] of sessions) this.#sessions.set(sessionId, session);
    this.#lastUseNumber = sessions.at(-1)?.[1].useNumber ?? 0;
    this.#changed = new Set();
  }

  /** Writes all of it, in order, so that `read` gives the same table. */
  write(image: ImageWriter): void {
    image.list(this.#sessions, ([sessionId, session]) => {
      image.number(sessionId);
      writeSession(image, session);
    });
  }

  read(image: ImageReader): void {
    this.#sessions.clear();
    image.list(() => {
      const sessionId = image.number();
      const session = { ...readSession(image), useNumber: this.#nextUse() };
      this.#sessions.set(sessionId, session);
    });
  }

  #touch(sessionId: number, session: Session, now: number): void {
    session.lastUsedAt = now;
    session.useNumber = this.#nextUse();
    this.#changed?.add(sessionId);
    this.#sessions.delete(sessionId);
    this.#sessions.set(sessionId, session);
  }

  #nextUse(): number {
    this.#lastUseNumber += 1;
    return this.#lastUseNumber;
  }
}

function copiesOf(values: readonly Uint8Array[]): readonly Uint8Array[] {
  return values.map((value) => Buffer.from(value));
}

function rowOf(session: Session): Uint8Array {
  const image = new ImageWriter();
  image.number(session.useNumber);
  writeSession(image, session);
  return image.finish();
}

function writeSession(image: ImageWriter, session: Session): void {
  image.number(session.idleMsMax, session.lastSequence, session.lastUsedAt);
  image.list(session.results, ({ status, offset, count, values }) => {
    image.number(status === "appended" ? 1 : 0, offset, count);
    image.list(values, (value) => {
      image.bytes(value);
    });
  });
}

function readSession(image: ImageReader): Omit<Session, "useNumber"> {
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
  return { idleMsMax, lastSequence, lastUsedAt, results };
}
