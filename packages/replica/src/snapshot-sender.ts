/**
 * Gives the bytes of snapshots to those that ask, no faster than allowed, and tells the core how
 * each transfer ended: until then the leader sends that follower nothing else.
 *
 *     requests ──> one place per receiver, in turn ──(rate)──> read ──> chunk
 *
 * Who asks again while it waits keeps its place, and gets what it asked for last: however slow it
 * is, nothing is sent that nobody waits for.
 */

import type { SnapshotPart } from "./peer-envelope.ts";
import type { ReplicaEventListener } from "./replica-event.ts";
import { SnapshotError } from "./snapshot-error.ts";
import { BUSY_LINK_MS, FIRST_REQUEST_MS_MAX, IDLE_MS_MAX } from "./snapshot-patience.ts";
import type { SnapshotReader } from "./snapshot-reader.ts";
import type { SnapshotStore } from "./snapshot-store.ts";

const CHUNK_BYTES_MAX = 256 * 1024;
const CHUNK_BYTES_MIN = 4 * 1024;

export interface SnapshotSenderInit {
  readonly snapshots: Pick<
    SnapshotStore,
    "list" | "readRaw" | "openReader" | "discredit" | "isOpen"
  >;
  readonly bytesPerSecond: number;
  readonly now: () => number;
  readonly after: (delayMs: number, run: () => void) => void;
  /** @returns false if the link takes no more now. */
  readonly send: (to: number, part: SnapshotPart, bytes: Uint8Array) => boolean;
  readonly report: (to: number, outcome: "finished" | "failed") => void;
  /** Told if what a receiver could not use is damaged here: it is sent to nobody any more. */
  readonly onEvent: ReplicaEventListener;
}

interface Transfer {
  readonly index: number;
  /** Told to install it, or asked last. */
  lastHeardAt: number;
  hasAsked: boolean;
}

export class SnapshotSender {
  readonly #init: SnapshotSenderInit;
  readonly #transfers = new Map<number, Transfer>();
  /** By receiver, in turn, what it asked for last. */
  readonly #waiting = new Map<number, SnapshotPart>();
  readonly #chunkBytes: number;
  /** When the next chunk may leave, whoever gets it. */
  #freeAt = 0;
  #isScheduled = false;
  /** Reads a snapshot that a receiver could not use. */
  #inspection: SnapshotReader | undefined;

  constructor(init: SnapshotSenderInit) {
    this.#init = init;
    // A tenth of a second's worth: everybody gets something soon.
    const share = Math.floor(init.bytesPerSecond / 10);
    this.#chunkBytes = Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, share));
  }

  /** The core told `to` to install a snapshot. */
  begin(to: number, index: number): void {
    this.#transfers.set(to, { index, lastHeardAt: this.#init.now(), hasAsked: false });
  }

  /** It could not be told, or is gone. */
  fail(to: number): void {
    this.#waiting.delete(to);
    if (this.#transfers.delete(to)) this.#init.report(to, "failed");
  }

  onRequest(to: number, part: SnapshotPart): void {
    const transfer = this.#transfers.get(to);
    const isTold = transfer?.index === part.index;
    if (isTold) {
      transfer.lastHeardAt = this.#init.now();
      transfer.hasAsked = true;
    }
    // Whoever asks for what it was not told of is asking a leader that was: let it have it.
    if (this.#has(part)) {
      this.#waiting.set(to, part);
      this.#schedule();
    } else if (isTold) this.fail(to);
  }

  onEnd(to: number, part: SnapshotPart): void {
    if (this.#transfers.get(to)?.index !== part.index) return;
    if (part.offset !== 1) {
      this.#inspect(part.index);
      this.fail(to);
      return;
    }
    this.#waiting.delete(to);
    this.#transfers.delete(to);
    this.#init.report(to, "finished");
  }

  tick(now: number): void {
    for (const [to, { lastHeardAt, hasAsked }] of this.#transfers)
      if (now - lastHeardAt >= (hasAsked ? IDLE_MS_MAX : FIRST_REQUEST_MS_MAX)) this.fail(to);
  }

  /** This node does not lead any more: nobody asks how they ended. */
  forget(): void {
    this.#transfers.clear();
  }

  /** Lets go of what it reads. */
  close(): void {
    this.#inspection?.close();
    this.#inspection = undefined;
  }

  #has({ index, term, offset }: SnapshotPart): boolean {
    const meta = this.#init.snapshots.list().find((each) => each.index === index);
    return meta?.term === term && offset < meta.bytes;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.size === 0) return;
    this.#isScheduled = true;
    this.#init.after(Math.max(0, this.#freeAt - this.#init.now()), () => {
      this.#isScheduled = false;
      this.#sendNext();
      this.#schedule();
    });
  }

  #sendNext(): void {
    const [next] = this.#waiting;
    if (next === undefined) return;
    const [to, part] = next;
    this.#waiting.delete(to);
    const { snapshots, send, now, bytesPerSecond } = this.#init;
    if (!this.#has(part)) {
      if (this.#transfers.get(to)?.index === part.index) this.fail(to);
      return;
    }
    const bytes = snapshots.readRaw(part.index, part.offset, this.#chunkBytes);
    if (send(to, part, bytes))
      this.#freeAt = Math.max(this.#freeAt, now()) + (bytes.byteLength / bytesPerSecond) * 1_000;
    else this.#offerAgain(to, part);
  }

  #offerAgain(to: number, part: SnapshotPart): void {
    this.#init.after(BUSY_LINK_MS, () => {
      const isWanted = this.#transfers.get(to)?.index === part.index && !this.#waiting.has(to);
      if (!isWanted) return;
      this.#waiting.set(to, part);
      this.#schedule();
    });
  }

  /** Looks, chunk by chunk, whether it is this node's file that is damaged. */
  #inspect(index: number): void {
    if (this.#inspection !== undefined) return;
    this.#guarded(index, () => {
      const reader = this.#init.snapshots.openReader(index);
      this.#inspection = reader;
      if (reader !== undefined) this.#inspectNext(index, reader);
    });
  }

  #inspectNext(index: number, reader: SnapshotReader): void {
    this.#init.after(0, () => {
      if (this.#inspection !== reader) return;
      this.#guarded(index, () => {
        if (reader.next() === undefined) this.close();
        else this.#inspectNext(index, reader);
      });
    });
  }

  #guarded(index: number, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.close();
      if (!(error instanceof SnapshotError) || error.code !== "SNAPSHOT_CORRUPT") throw error;
      this.#init.snapshots.discredit(index, error);
      this.#init.onEvent({ type: "snapshotFailed", index, error });
      for (const [to, transfer] of this.#transfers) if (transfer.index === index) this.fail(to);
    }
  }
}
