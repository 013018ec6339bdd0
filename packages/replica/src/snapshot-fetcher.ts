/**
 * Fetches the bytes of a snapshot that a leader told this node to install; only then does the core
 * hear of it. One at a time; what is on the disk already is not asked for again.
 */

import type { InstallSnapshot } from "@quorumlog/raft";
import type { SnapshotPart } from "./peer-envelope.ts";
import { decodeDescriptor } from "./snapshot-descriptor.ts";
import type { SnapshotReceipt, SnapshotStore } from "./snapshot-store.ts";

export interface SnapshotFetcherInit {
  readonly snapshots: SnapshotStore;
  /** After so long without an answer it asks again; ten times that, and it gives up. */
  readonly retryMs: number;
  readonly now: () => number;
  readonly request: (from: number, part: SnapshotPart) => void;
  readonly end: (to: number, part: SnapshotPart) => void;
  /** All bytes are on the disk. */
  readonly install: (message: InstallSnapshot) => void;
}

interface Fetch {
  message: InstallSnapshot;
  readonly bytes: number;
  readonly receipt: SnapshotReceipt;
  askedAt: number;
  lastProgressAt: number;
  isWriting: boolean;
}

const GIVE_UP_RETRIES = 10;

export class SnapshotFetcher {
  readonly #init: SnapshotFetcherInit;
  #fetch: Fetch | undefined;

  constructor(init: SnapshotFetcherInit) {
    this.#init = init;
  }

  /** A leader wants a snapshot installed that this node can use. */
  begin(message: InstallSnapshot): void {
    const { lastIncludedIndex: index, lastIncludedTerm: term, data } = message.snapshot;
    const bytes = decodeDescriptor(data);
    if (bytes === undefined) return;
    const isHere = this.#init.snapshots.list().some((meta) => meta.index === index);
    if (bytes === 0 || isHere) {
      this.#init.install(message);
      this.#init.end(message.from, { index, term, offset: 1 });
      return;
    }
    const current = this.#fetch;
    if (current !== undefined) {
      if (isSame(current.message, message) && current.bytes === bytes) {
        current.message = message;
        return;
      }
      // A write under way ends first; the leader asks again.
      if (current.isWriting) return;
      current.receipt.abort();
    }
    const receipt = this.#init.snapshots.receive({ index, term, bytes });
    const now = this.#init.now();
    this.#fetch = {
      message,
      bytes,
      receipt,
      askedAt: now,
      lastProgressAt: now,
      isWriting: false,
    };
    this.#continue(this.#fetch);
  }

  onChunk(part: SnapshotPart, bytes: Uint8Array): void {
    const fetch = this.#fetch;
    if (fetch === undefined || fetch.isWriting || bytes.byteLength === 0) return;
    if (!isPartOf(part, fetch) || part.offset !== fetch.receipt.offset) return;
    if (fetch.receipt.offset + bytes.byteLength > fetch.bytes) return;
    fetch.isWriting = true;
    fetch.lastProgressAt = this.#init.now();
    // A piece that is not what it should be is asked for again: the receipt says from where on.
    fetch.receipt.append(bytes, () => {
      fetch.isWriting = false;
      this.#continue(fetch);
    });
  }

  tick(now: number): void {
    const fetch = this.#fetch;
    if (fetch === undefined || fetch.isWriting) return;
    if (now - fetch.lastProgressAt >= this.#init.retryMs * GIVE_UP_RETRIES) this.#giveUp(fetch);
    else if (now - fetch.askedAt >= this.#init.retryMs) this.#continue(fetch);
  }

  #continue(fetch: Fetch): void {
    const { lastIncludedIndex: index, lastIncludedTerm: term } = fetch.message.snapshot;
    const { offset } = fetch.receipt;
    if (offset < fetch.bytes) {
      fetch.askedAt = this.#init.now();
      this.#init.request(fetch.message.from, { index, term, offset });
      return;
    }
    fetch.isWriting = true;
    fetch.receipt.finish((error) => {
      this.#fetch = undefined;
      const { message } = fetch;
      if (error === undefined) this.#init.install(message);
      else fetch.receipt.abort();
      this.#init.end(message.from, { index, term, offset: error === undefined ? 1 : 0 });
    });
  }

  /** What was written stays, to be continued when the leader asks again. */
  #giveUp(fetch: Fetch): void {
    const { lastIncludedIndex: index, lastIncludedTerm: term } = fetch.message.snapshot;
    this.#fetch = undefined;
    this.#init.end(fetch.message.from, { index, term, offset: 0 });
  }
}

function isSame(left: InstallSnapshot, right: InstallSnapshot): boolean {
  return (
    left.snapshot.lastIncludedIndex === right.snapshot.lastIncludedIndex &&
    left.snapshot.lastIncludedTerm === right.snapshot.lastIncludedTerm
  );
}

function isPartOf(part: SnapshotPart, { message }: Fetch): boolean {
  const { lastIncludedIndex, lastIncludedTerm } = message.snapshot;
  return part.index === lastIncludedIndex && part.term === lastIncludedTerm;
}
