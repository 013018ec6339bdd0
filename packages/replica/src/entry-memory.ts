/**
 * Holds the memory of entries for as long as this replica needs it, and not longer.
 *
 * The bytes of an entry are read by the core until it is on this disk, by the log until it has
 * written it, by the state until it is applied, and by messages until the turn that made them is
 * over. So a hold ends when two things have come to pass: an append that was begun after it is on
 * the disk, and the state is there. Of what is never released, the garbage collector takes care.
 */

import type { Entry } from "@quorumlog/raft";
import { assert, holdBytes, releaseBytes, type SlabPool } from "@quorumlog/std";
import type { Envelope } from "./peer-envelope.ts";

interface Hold {
  readonly bytes: readonly Uint8Array[];
  /** Of the append that writes them: the next one when the hold began. */
  readonly appendNumber: number;
  /** The state has to be at this index, or the log to have ended before it. */
  readonly lastIndex: number;
}

export class EntryMemory {
  /** In the order in which they began. */
  #holds: Hold[] = [];
  #released = 0;
  #begunCount = 0;
  #durableCount = 0;
  readonly #isReleased: boolean;
  /** Where new entries get theirs. */
  readonly pool: SlabPool;

  /** @param isReleased - Whether the state keeps no view of an entry. */
  constructor(pool: SlabPool, isReleased: boolean) {
    this.pool = pool;
    this.#isReleased = isReleased;
  }

  /** Takes over the hold on a frame; what it says was given to whom it is for. */
  receive(payload: Uint8Array, envelope: Envelope): void {
    if (isRead(envelope)) releaseBytes(payload);
    else if (envelope.kind === "raft" && envelope.message.type === "AppendEntries") {
      const { entries } = envelope.message;
      // Configurations are few, and kept.
      if (entries.every(({ kind }) => kind === "normal"))
        this.adopt(payload, entries.at(-1)?.index ?? 0);
    }
  }

  /** Takes a hold over, on bytes that new entries up to `lastIndex` are views of. */
  adopt(bytes: Uint8Array, lastIndex: number): void {
    if (!this.#isReleased) return;
    this.#holds.push({ bytes: [bytes], appendNumber: this.#begunCount + 1, lastIndex });
  }

  /** Holds entries that are on the disk, and that the log may let go of. */
  borrow(entries: readonly Entry[]): void {
    if (!this.#isReleased) return;
    const bytes: Uint8Array[] = [];
    for (const { data } of entries) if (holdBytes(data)) bytes.push(data);
    if (bytes.length === 0) return;
    this.#holds.push({ bytes, appendNumber: 0, lastIndex: entries.at(-1)?.index ?? 0 });
  }

  /** An append is begun. */
  onAppend(): void {
    this.#begunCount += 1;
  }

  /** The oldest append that was under way is on the disk, and the core knows. */
  onDurable(): void {
    this.#durableCount += 1;
    assert(this.#durableCount <= this.#begunCount, "an append is begun before it is durable");
  }

  /**
   * Releases what nobody here reads any more. For the end of a turn, when no message waits.
   *
   * @param appliedIndex - Of the state.
   * @param lastIndex - Of the log: what is beyond it was refused, or cut off.
   */
  settle(appliedIndex: number, lastIndex: number): void {
    const isApplied = appliedIndex === lastIndex;
    for (; this.#released < this.#holds.length; this.#released++) {
      const hold = this.#holds[this.#released] as Hold;
      if (hold.appendNumber > this.#durableCount) break;
      if (hold.lastIndex > appliedIndex && !isApplied) break;
      for (const each of hold.bytes) releaseBytes(each);
    }
    if (this.#released < 64 || this.#released * 2 < this.#holds.length) return;
    this.#holds = this.#holds.slice(this.#released);
    this.#released = 0;
  }
}

/** Whether nothing of the frame is kept: it carried numbers. */
function isRead(envelope: Envelope): boolean {
  if (envelope.kind === "raft") {
    const { message } = envelope;
    if (message.type === "AppendEntries") return message.entries.length === 0;
    return message.type !== "InstallSnapshot";
  }
  // The entries of a reply are kept until the file that lacked them is made anew.
  const { kind } = envelope;
  return kind !== "snapshotChunk" && kind !== "introduction" && kind !== "entriesReply";
}
