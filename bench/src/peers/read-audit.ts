/** What was read of a topic, against what was acknowledged. */

import { readBody } from "./peer-body.ts";

/** What a publisher knows of the messages 0 to `count - 1`. */
export interface Published {
  readonly count: number;
  /** Serial numbers of which no acknowledgement came: they may be there. */
  readonly unknown: readonly number[];
}

export interface AuditFigures {
  readonly read: number;
  /** Acknowledged, and not read. */
  readonly lost: number;
  /** Read more than once; all but the first. */
  readonly repeated: number;
  /** Not as it was sent. */
  readonly damaged: number;
}

export class ReadAudit {
  readonly #bodyBytes: number;
  /** By serial number: how often it was read, up to 2. */
  #seen = new Uint8Array(1 << 16);
  #distinct = 0;
  #repeated = 0;
  #damaged = 0;

  constructor(bodyBytes: number) {
    this.#bodyBytes = bodyBytes;
  }

  /** Different messages so far. */
  get distinct(): number {
    return this.#distinct;
  }

  /** @returns when the message was due. */
  read(bytes: Uint8Array): number | undefined {
    const body = readBody(bytes, this.#bodyBytes);
    if (body === undefined) {
      this.#damaged += 1;
      return undefined;
    }
    const { serial, dueAt } = body;
    if (serial >= this.#seen.length) {
      const larger = new Uint8Array(2 * (serial + 1));
      larger.set(this.#seen);
      this.#seen = larger;
    }
    if (this.#seen[serial] === 1) this.#repeated += 1;
    else this.#distinct += 1;
    this.#seen[serial] = 1;
    return dueAt;
  }

  lost({ count, unknown }: Published): number {
    const forgiven = new Set(unknown);
    let lost = 0;
    for (let serial = 0; serial < count; serial++)
      if (this.#seen[serial] !== 1 && !forgiven.has(serial)) lost += 1;
    return lost;
  }

  figures(published: Published): AuditFigures {
    return {
      read: this.#distinct + this.#repeated,
      lost: this.lost(published),
      repeated: this.#repeated,
      damaged: this.#damaged,
    };
  }
}
