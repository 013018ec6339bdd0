/**
 * What the scrub reads of snapshots: one may be needed only once in years, by a node that is added
 * or by this one at its start, and then all of its copies may be bad.
 */

import { SnapshotError } from "./snapshot-error.ts";
import type { SnapshotReader } from "./snapshot-reader.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import type { ScrubSource } from "./scrubber.ts";

export interface SnapshotScrubInit {
  readonly snapshots: SnapshotStore;
  /** One that is damaged is not listed any more; one that could not be opened is. */
  readonly onTrouble: (index: number, error: SnapshotError) => void;
}

export class SnapshotScrub implements ScrubSource {
  readonly #init: SnapshotScrubInit;
  /** Of the snapshot that is being read, or was last. */
  #index = 0;
  #reader: SnapshotReader | undefined;

  constructor(init: SnapshotScrubInit) {
    this.#init = init;
  }

  /** A chunk, however long it is. */
  read(): number | undefined {
    const { snapshots } = this.#init;
    if (!snapshots.isOpen()) return undefined;
    try {
      this.#reader ??= this.#openNext();
      if (this.#reader === undefined) {
        this.#index = 0;
        return undefined;
      }
      const chunk = this.#reader.next();
      if (chunk === undefined) this.stop();
      return chunk?.byteLength ?? 0;
    } catch (error) {
      this.#onError(error);
      return 0;
    }
  }

  stop(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }

  #openNext(): SnapshotReader | undefined {
    const { snapshots } = this.#init;
    const meta = snapshots.list().find(({ index }) => index > this.#index);
    if (meta === undefined) return undefined;
    this.#index = meta.index;
    return snapshots.openReader(meta.index);
  }

  #onError(error: unknown): void {
    if (!(error instanceof SnapshotError)) throw error;
    this.stop();
    if (isDamage(error)) this.#init.snapshots.discredit(this.#index, error);
    this.#init.onTrouble(this.#index, error);
  }
}

/** A sector that the disk cannot read is damage, too. */
function isDamage({ code, cause }: SnapshotError): boolean {
  return (
    code === "SNAPSHOT_CORRUPT" || (cause as NodeJS.ErrnoException | undefined)?.code === "EIO"
  );
}
