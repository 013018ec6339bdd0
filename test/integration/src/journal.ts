/** What the clients of a run have asked for, and what they were told. */

export interface JournalEntry {
  readonly client: number;
  readonly sequence: number;
  readonly invokedAt: number;
  /** `pending` until it is answered. */
  outcome: "pending" | "acknowledged" | "not-applied" | "unknown";
  endedAt: number;
  /** Of an acknowledged one; -1 otherwise. */
  offset: number;
}

export class Journal {
  /** By client, in the order of their sequences, which are dense from 1 on. */
  readonly #clients = new Map<number, JournalEntry[]>();
  #acknowledgedCount = 0;
  #lastAcknowledgedAt = performance.now();
  #gapMs = 0;

  get acknowledgedCount(): number {
    return this.#acknowledgedCount;
  }

  entries(): JournalEntry[] {
    return [...this.#clients.values()].flat();
  }

  /** What a client has asked for; `undefined` if it has not. */
  find(client: number, sequence: number): JournalEntry | undefined {
    return this.#clients.get(client)?.[sequence - 1];
  }

  clientIds(): number[] {
    return [...this.#clients.keys()];
  }

  invoke(client: number): JournalEntry {
    const entries = this.#clients.get(client) ?? [];
    this.#clients.set(client, entries);
    const entry: JournalEntry = {
      client,
      sequence: entries.length + 1,
      invokedAt: performance.now(),
      outcome: "pending",
      endedAt: Number.POSITIVE_INFINITY,
      offset: -1,
    };
    entries.push(entry);
    return entry;
  }

  acknowledge(entry: JournalEntry, offset: number): void {
    this.#end(entry, "acknowledged");
    entry.offset = offset;
    this.#acknowledgedCount += 1;
    this.#gapMs = Math.max(this.#gapMs, entry.endedAt - this.#lastAcknowledgedAt);
    this.#lastAcknowledgedAt = entry.endedAt;
  }

  fail(entry: JournalEntry, outcome: "not-applied" | "unknown"): void {
    this.#end(entry, outcome);
  }

  count(outcome: JournalEntry["outcome"]): number {
    return this.entries().filter((entry) => entry.outcome === outcome).length;
  }

  /** The longest time without any acknowledgement since the last call, in ms. */
  takeGapMs(): number {
    const gap = Math.max(this.#gapMs, performance.now() - this.#lastAcknowledgedAt);
    this.#gapMs = 0;
    this.#lastAcknowledgedAt = performance.now();
    return Math.round(gap);
  }

  #end(entry: JournalEntry, outcome: JournalEntry["outcome"]): void {
    entry.outcome = outcome;
    entry.endedAt = performance.now();
  }
}
