/** What the scrub reads of a log: its sealed segments, from the oldest on. */

import type { LogError, SealedSegments } from "@quorumlog/log";
import type { ScrubSource } from "./scrubber.ts";

export interface SegmentScrubInit {
  readonly sealed: SealedSegments;
  readonly onDamage: (segmentId: number, error: LogError) => void;
}

export class SegmentScrub implements ScrubSource {
  readonly #init: SegmentScrubInit;
  /** The segment that is being read, and where in it to go on. */
  #segmentId = 0;
  #next: number | undefined;

  constructor(init: SegmentScrubInit) {
    this.#init = init;
  }

  read(bytesMax: number): number | undefined {
    const { sealed, onDamage } = this.#init;
    const id = this.#next === undefined ? this.#idBehind() : this.#segmentId;
    this.#segmentId = id ?? 0;
    if (id === undefined) return undefined;
    const { next, bytes, damage } = sealed.scrub(id, this.#next, bytesMax);
    this.#next = next;
    if (damage !== undefined) onDamage(id, damage);
    return bytes;
  }

  stop(): void {
    // It has no file of its own.
  }

  #idBehind(): number | undefined {
    return this.#init.sealed.ids().find((id) => id > this.#segmentId);
  }
}
