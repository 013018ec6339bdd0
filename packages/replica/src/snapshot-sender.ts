/**
 * Gives the bytes of snapshots to those that ask, no faster than allowed, and tells the core how
 * each transfer ended: until then the leader sends that follower nothing else.
 */

import type { SnapshotPart } from "./peer-envelope.ts";
import type { SnapshotStore } from "./snapshot-store.ts";

const CHUNK_BYTES = 256 * 1024;

export interface SnapshotSenderInit {
  readonly snapshots: SnapshotStore;
  readonly bytesPerSecond: number;
  /** How long a follower may ask for nothing. */
  readonly idleMsMax: number;
  readonly now: () => number;
  readonly after: (delayMs: number, run: () => void) => void;
  readonly send: (to: number, part: SnapshotPart, bytes: Uint8Array) => void;
  readonly report: (to: number, outcome: "finished" | "failed") => void;
}

interface Transfer {
  readonly index: number;
  lastAskedAt: number;
}

export class SnapshotSender {
  readonly #init: SnapshotSenderInit;
  readonly #transfers = new Map<number, Transfer>();
  /** When the next chunk may leave, whoever gets it. */
  #freeAt = 0;

  constructor(init: SnapshotSenderInit) {
    this.#init = init;
  }

  /** The core told `to` to install a snapshot. */
  begin(to: number, index: number): void {
    this.#transfers.set(to, { index, lastAskedAt: this.#init.now() });
  }

  /** It could not be told, or is gone. */
  fail(to: number): void {
    if (this.#transfers.delete(to)) this.#init.report(to, "failed");
  }

  onRequest(to: number, part: SnapshotPart): void {
    const transfer = this.#transfers.get(to);
    // Whoever asks for what it was not told of is asking a leader that was: let it have it.
    if (transfer?.index === part.index) transfer.lastAskedAt = this.#init.now();
    const { snapshots, now, after, bytesPerSecond } = this.#init;
    const meta = snapshots.list().find(({ index }) => index === part.index);
    if (meta?.term !== part.term || part.offset >= meta.bytes) return;
    const delay = Math.max(0, this.#freeAt - now());
    this.#freeAt = now() + delay + (CHUNK_BYTES / bytesPerSecond) * 1_000;
    after(delay, () => {
      if (snapshots.list().some(({ index }) => index === part.index))
        this.#init.send(to, part, snapshots.readRaw(part.index, part.offset, CHUNK_BYTES));
    });
  }

  onEnd(to: number, part: SnapshotPart): void {
    if (this.#transfers.get(to)?.index !== part.index) return;
    this.#transfers.delete(to);
    this.#init.report(to, part.offset === 1 ? "finished" : "failed");
  }

  tick(now: number): void {
    for (const [to, { lastAskedAt }] of this.#transfers)
      if (now - lastAskedAt >= this.#init.idleMsMax) this.fail(to);
  }

  /** This node does not lead any more: nobody asks how they ended. */
  forget(): void {
    this.#transfers.clear();
  }
}
