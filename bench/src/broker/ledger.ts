/** What was acknowledged, for whoever reads it back. */

import type { ConsumedMessage, SendReceipt } from "@quorumlog/client";

/** Where a body says which one it is. */
export const SERIAL_BYTES = 4;

export interface Audit {
  readonly read: number;
  /** Acknowledged, and not read. */
  readonly lost: number;
  /** Read at another place than was acknowledged, with another length, or twice. */
  readonly wrong: number;
}

/** Queues of a topic, of those that a ledger is for. */
export const QUEUE_COUNT = 4;

export class Ledger {
  readonly #messageBytes: number;
  readonly #topics: ReadonlyMap<string, number>;
  /** By serial number. */
  #state = new Uint8Array(1 << 20);
  /** Serial numbers, plus 1, by queue and offset: of what was acknowledged with an offset. */
  readonly #places: Uint32Array[] = [];
  #acked = 0;
  #read = 0;
  #readAcked = 0;
  #wrong = 0;

  constructor(topics: readonly string[], messageBytes: number) {
    this.#topics = new Map(topics.map((topic, at) => [topic, at * QUEUE_COUNT]));
    this.#messageBytes = messageBytes;
  }

  get acked(): number {
    return this.#acked;
  }

  /** Whether everything that was acknowledged was read. */
  get isComplete(): boolean {
    return this.#readAcked >= this.#acked;
  }

  ack(serial: number, { topic, queue, offset }: SendReceipt): void {
    this.#acked += 1;
    if (serial >= this.#state.length) this.#state = larger(this.#state, serial);
    this.#state[serial] = ACKED;
    if (offset === undefined) return;
    const place = (this.#topics.get(topic) ?? 0) + queue;
    let places = this.#places[place] ?? new Uint32Array(1 << 10);
    if (offset >= places.length) places = larger(places, offset);
    this.#places[place] = places;
    places[offset] = serial + 1;
  }

  read({ body, topic, queue, offset }: ConsumedMessage): void {
    this.#read += 1;
    const serial = Buffer.from(body.buffer, body.byteOffset, SERIAL_BYTES).readUInt32LE(0);
    const state = this.#state[serial] ?? 0;
    const place = (this.#topics.get(topic) ?? 0) + queue;
    const expected = this.#places[place]?.[offset] ?? 0;
    const isElsewhere = expected !== 0 && expected !== serial + 1;
    if (state === READ || isElsewhere || body.length !== this.#messageBytes) this.#wrong += 1;
    else if (state === ACKED) {
      this.#state[serial] = READ;
      this.#readAcked += 1;
    }
  }

  audit(): Audit {
    return { read: this.#read, lost: this.#acked - this.#readAcked, wrong: this.#wrong };
  }
}

const ACKED = 1;
const READ = 2;

function larger<T extends Uint8Array | Uint32Array>(former: T, index: number): T {
  const next = new (former.constructor as new (length: number) => T)(2 * (index + 1));
  next.set(former);
  return next;
}
