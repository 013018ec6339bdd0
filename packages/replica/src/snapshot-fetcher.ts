/**
 * Fetches the bytes of a snapshot that a leader told this node to install; only then does the core
 * hear of it. One at a time; what is on the disk already is not asked for again.
 */

import type { InstallSnapshot } from "@quorumlog/raft";
import type { SnapshotPart } from "./peer-envelope.ts";
import { decodeDescriptor } from "./snapshot-descriptor.ts";
import type { ReplicaEventListener } from "./replica-event.ts";
import { SnapshotError } from "./snapshot-error.ts";
import { NO_PROGRESS_MS_MAX, PAUSE_MS, RETRY_MS_MAX, RETRY_MS_MIN } from "./snapshot-patience.ts";
import type { SnapshotReceipt, SnapshotStore } from "./snapshot-store.ts";

export interface SnapshotFetcherInit {
  readonly snapshots: Pick<SnapshotStore, "list" | "receive" | "verify">;
  readonly now: () => number;
  readonly request: (from: number, part: SnapshotPart) => void;
  readonly end: (to: number, part: SnapshotPart) => void;
  /** All bytes are on the disk. */
  readonly install: (message: InstallSnapshot) => void;
  /** Told if there is no room for it, or what is sent or was kept of it is damaged. */
  readonly onEvent: ReplicaEventListener;
  /** Runs what the disk calls back: what is thrown there has no caller, and ends the node. */
  readonly guarded: (run: () => void) => void;
}

interface Fetch {
  message: InstallSnapshot;
  readonly bytes: number;
  readonly receipt: SnapshotReceipt;
  /** What stands at the receipt's offset was asked for first, and last. */
  firstAskedAt: number;
  askedAt: number;
  /** It is asked for again when it takes longer. */
  retryMs: number;
  /** How far it ever got: what was refused behind that does not count. */
  furthest: number;
  lastProgressAt: number;
  /** Refusals since there was progress. */
  refusals: number;
  isWriting: boolean;
}

/** Who sends damaged bytes so often has no others. */
const REFUSALS_MAX = 3;

export class SnapshotFetcher {
  readonly #init: SnapshotFetcherInit;
  #fetch: Fetch | undefined;
  /** To be begun when a write or a pause is over, with the next tick. */
  #next: InstallSnapshot | undefined;
  /** Nothing is begun before; with a node, nothing of its. */
  #pause: { readonly until: number; readonly from: number | undefined } | undefined;

  constructor(init: SnapshotFetcherInit) {
    this.#init = init;
  }

  /** A leader wants a snapshot installed that this node can use. */
  begin(message: InstallSnapshot): void {
    const bytes = decodeDescriptor(message.snapshot.data);
    if (bytes === undefined) return;
    this.#next = undefined;
    if (bytes === 0 || this.#isHere(message)) {
      this.#finish(message);
      return;
    }
    const current = this.#fetch;
    if (current !== undefined && isSame(current.message, message) && current.bytes === bytes) {
      current.message = message;
      // Its sender knows nothing of what was asked before: it may have lost the connection.
      if (!current.isWriting) this.#ask(current);
      return;
    }
    if (current?.isWriting === true || this.#isPaused(message)) {
      this.#next = message;
      return;
    }
    current?.receipt.abort();
    this.#fetch = undefined;
    this.#receive(message, bytes);
  }

  onChunk(part: SnapshotPart, bytes: Uint8Array): void {
    const fetch = this.#fetch;
    if (fetch === undefined || fetch.isWriting || bytes.byteLength === 0) return;
    if (!isPartOf(part, fetch) || part.offset !== fetch.receipt.offset) return;
    if (fetch.receipt.offset + bytes.byteLength > fetch.bytes) return;
    fetch.isWriting = true;
    fetch.receipt.append(bytes, (error) => {
      this.#init.guarded(() => {
        fetch.isWriting = false;
        this.#onAppended(fetch, error);
      });
    });
  }

  tick(now: number): void {
    const next = this.#next;
    const fetch = this.#fetch;
    if (next !== undefined && fetch?.isWriting !== true && !this.#isPaused(next)) this.begin(next);
    if (fetch === undefined || fetch !== this.#fetch || fetch.isWriting) return;
    if (now - fetch.lastProgressAt >= NO_PROGRESS_MS_MAX) this.#giveUp(fetch);
    else if (now - fetch.askedAt >= fetch.retryMs) {
      fetch.retryMs = Math.min(2 * fetch.retryMs, RETRY_MS_MAX);
      this.#ask(fetch);
    }
  }

  #receive(message: InstallSnapshot, bytes: number): void {
    const { lastIncludedIndex: index, lastIncludedTerm: term } = message.snapshot;
    let receipt: SnapshotReceipt;
    try {
      receipt = this.#init.snapshots.receive({ index, term, bytes });
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      this.#onNoSpace(message, error);
      return;
    }
    const now = this.#init.now();
    this.#fetch = {
      message,
      bytes,
      receipt,
      firstAskedAt: now,
      askedAt: now,
      retryMs: RETRY_MS_MIN,
      furthest: receipt.offset,
      lastProgressAt: now,
      refusals: 0,
      isWriting: false,
    };
    this.#continue(this.#fetch);
  }

  #onAppended(fetch: Fetch, error: SnapshotError | undefined): void {
    if (isNoSpace(error)) {
      this.#fetch = undefined;
      this.#onNoSpace(this.#next ?? fetch.message, error);
      return;
    }
    if (this.#next !== undefined) return;
    const now = this.#init.now();
    // A piece that is not what it should be is asked for again: the receipt says from where on.
    if (error !== undefined) fetch.refusals += 1;
    else if (fetch.receipt.offset > fetch.furthest) {
      fetch.furthest = fetch.receipt.offset;
      fetch.lastProgressAt = now;
      fetch.refusals = 0;
      // Twice as long as this one took: links differ, and so does the number of those that wait.
      const wait = 2 * (now - fetch.firstAskedAt);
      fetch.retryMs = Math.min(Math.max(wait, RETRY_MS_MIN), RETRY_MS_MAX);
    }
    fetch.firstAskedAt = now;
    if (error === undefined || fetch.refusals < REFUSALS_MAX) {
      this.#continue(fetch);
      return;
    }
    this.#pause = { until: now + PAUSE_MS, from: fetch.message.from };
    this.#onFailed(fetch.message, error);
    this.#giveUp(fetch);
  }

  #continue(fetch: Fetch): void {
    if (fetch.receipt.offset < fetch.bytes) {
      this.#ask(fetch);
      return;
    }
    fetch.isWriting = true;
    fetch.receipt.finish((error) => {
      this.#init.guarded(() => {
        this.#fetch = undefined;
        if (error === undefined) this.#finish(fetch.message);
        else {
          fetch.receipt.abort();
          this.#end(fetch.message, false);
        }
      });
    });
  }

  #ask(fetch: Fetch): void {
    const { lastIncludedIndex: index, lastIncludedTerm: term } = fetch.message.snapshot;
    fetch.askedAt = this.#init.now();
    this.#init.request(fetch.message.from, { index, term, offset: fetch.receipt.offset });
  }

  #finish(message: InstallSnapshot): void {
    this.#init.install(message);
    this.#end(message, true);
  }

  /** What was written stays, to be continued when a leader asks again. */
  #giveUp(fetch: Fetch): void {
    this.#fetch = undefined;
    this.#end(fetch.message, false);
  }

  #end({ from, snapshot }: InstallSnapshot, isInstalled: boolean): void {
    const { lastIncludedIndex: index, lastIncludedTerm: term } = snapshot;
    this.#init.end(from, { index, term, offset: isInstalled ? 1 : 0 });
  }

  #onNoSpace(message: InstallSnapshot, error: SnapshotError): void {
    this.#next = message;
    this.#pause = { until: this.#init.now() + PAUSE_MS, from: undefined };
    this.#onFailed(message, error);
  }

  #isPaused({ from }: InstallSnapshot): boolean {
    const pause = this.#pause;
    if (pause === undefined || this.#init.now() >= pause.until) return false;
    return pause.from === undefined || pause.from === from;
  }

  /** Whole, on this disk: a crash may have come before it was installed, and damage since. */
  #isHere(message: InstallSnapshot): boolean {
    const { lastIncludedIndex: index, lastIncludedTerm: term } = message.snapshot;
    const { snapshots } = this.#init;
    const meta = snapshots.list().find((each) => each.index === index && each.term === term);
    if (meta === undefined) return false;
    const error = snapshots.verify(index);
    if (error !== undefined) this.#onFailed(message, error);
    return error === undefined;
  }

  #onFailed({ snapshot }: InstallSnapshot, error: SnapshotError): void {
    const { lastIncludedIndex: index } = snapshot;
    this.#init.onEvent({ type: "snapshotFailed", index, error });
  }
}

function isNoSpace(
  error: unknown,
): error is SnapshotError & { readonly code: "SNAPSHOT_NO_SPACE" } {
  return error instanceof SnapshotError && error.code === "SNAPSHOT_NO_SPACE";
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
