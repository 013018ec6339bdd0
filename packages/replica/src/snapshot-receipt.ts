/**
 * A snapshot on its way in from a peer: the bytes of its file, verified before they are written.
 *
 * What is there of it outlives the process; it is verified again then, and written again: it may
 * have been read from a page cache that no disk has seen.
 */

import type { OpenFile } from "@quorumlog/log";
import { assert, required } from "@quorumlog/std";
import type { PartFile } from "./part-file.ts";
import { SnapshotError } from "./snapshot-error.ts";
import { CHUNK_HEADER_BYTES } from "./snapshot-file.ts";
import { completeName, receivedName, type SnapshotOffer } from "./snapshot-name.ts";
import type { SnapshotMeta } from "./snapshot-reader.ts";
import { type SnapshotOwner, SnapshotVerifier } from "./snapshot-verifier.ts";

/**
 * Called with what is wrong, or with `undefined` when it is done. `SNAPSHOT_NO_SPACE`: it is over,
 * and what was there of it was removed.
 */
export type ReceiptDone = (error: SnapshotError | undefined) => void;

export interface SnapshotReceiptInit {
  readonly owner: SnapshotOwner;
  readonly offer: SnapshotOffer;
  readonly part: PartFile;
  readonly onComplete: (meta: SnapshotMeta) => void;
  /** The part cannot be removed. */
  readonly onFailure: (cause: unknown) => void;
}

export class SnapshotReceipt {
  readonly offer: SnapshotOffer;
  readonly #init: SnapshotReceiptInit;
  readonly #part: PartFile;
  readonly #verifier: SnapshotVerifier;
  /** Of the call that is under way. */
  #done: ReceiptDone | undefined;

  constructor(init: SnapshotReceiptInit) {
    const { owner, offer } = init;
    this.#init = init;
    this.offer = offer;
    this.#part = init.part;
    this.#verifier = new SnapshotVerifier({ owner, offer, file: receivedName(offer) });
  }

  /** The next byte that is wanted. Falls back when bytes are refused. */
  get offset(): number {
    return this.#verifier.offset;
  }

  /** It was finished or aborted, or the store is not open any more. */
  get isOver(): boolean {
    return this.#part.isOver;
  }

  /**
   * Takes the bytes at `offset`. One call at a time.
   *
   * @param bytes - Verbatim, any number. Borrowed until `done`.
   * @param done - With an error if they are not what was announced, or damaged: `offset` says from
   *   where on to send again, or from another peer. Not called after an abort or a failure.
   * @throws SnapshotError `SNAPSHOT_CLOSED`
   */
  append(bytes: Uint8Array, done: ReceiptDone): void {
    this.#demandOpen();
    const start = this.#verifier.offset;
    const refusal = this.#refusalOf(bytes);
    // Chunks before the one that was refused are sound.
    const sound = refusal === undefined ? bytes.byteLength : this.#verifier.boundary - start;
    this.#done = done;
    const answer = (): void => {
      this.#done = undefined;
      done(refusal);
    };
    if (sound > 0) this.#part.write(bytes.subarray(0, sound), start, answer);
    else this.#part.sync(answer);
  }

  /**
   * Makes it a snapshot of the store, durably. One call, when all bytes are there.
   *
   * @param done - With an error if they are not; more can be appended then.
   * @throws SnapshotError `SNAPSHOT_CLOSED`
   */
  finish(done: ReceiptDone): void {
    this.#demandOpen();
    const { offer, onComplete } = this.#init;
    if (!this.#verifier.isComplete) {
      const [file, offset] = [receivedName(offer), this.offset];
      this.#part.sync(() => {
        done(new SnapshotError("SNAPSHOT_CORRUPT", "a snapshot is not all here", { file, offset }));
      });
      return;
    }
    const { configuration } = required(this.#verifier.header, "what is complete has a header");
    this.#part.publish(completeName(offer), () => {
      onComplete({ ...offer, configuration });
      done(undefined);
    });
  }

  /** The disk is full: the part is over. */
  onNoSpace(error: SnapshotError): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(error);
  }

  /** Gives up, and removes what is there. Idempotent. */
  abort(): void {
    try {
      this.#part.remove();
    } catch (error) {
      this.#init.onFailure(error);
    }
  }

  /** Lets go of what is there, to go on after the next start. Idempotent. */
  close(): void {
    this.#part.close();
  }

  /** Takes what a former life has left, as far as it is sound, before anything else is done. */
  resume(file: OpenFile): void {
    assert(this.offset === 0, "a receipt is resumed as it begins");
    const verifier = this.#verifier;
    for (;;) {
      const { boundary, nextBytes } = verifier;
      // With the announced bytes no chunk fits here, so nothing sound can follow.
      if (nextBytes <= CHUNK_HEADER_BYTES) return;
      const block = Buffer.allocUnsafe(nextBytes);
      if (file.readNow(block, boundary) < nextBytes || this.#refusalOf(block) !== undefined) return;
      file.writeNow(block, boundary);
    }
  }

  #refusalOf(bytes: Uint8Array): SnapshotError | undefined {
    try {
      this.#verifier.push(bytes);
      return undefined;
    } catch (error) {
      if (error instanceof SnapshotError) return error;
      throw error;
    }
  }

  #demandOpen(): void {
    if (this.isOver) throw new SnapshotError("SNAPSHOT_CLOSED", "the receipt is over");
  }
}
