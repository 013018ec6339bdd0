/** The load on one topic: message by message, each with a body of its own. */

import { monotonicMs, writeBody } from "./peer-body.ts";
import { type PeerClient, SEND_DEADLINE_MS } from "./peer-system.ts";
import type { Published } from "./read-audit.ts";

export interface PublishFigures {
  /** Acknowledged. */
  readonly messages: number;
  readonly failed: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A time without an acknowledgement. */
export interface AckGap {
  /** By the machine's monotonic clock. */
  readonly endedAt: number;
  readonly ms: number;
}

/** How a paced load is doing. */
export interface Pulse {
  readonly acked: number;
  readonly lastAckAt: number;
  /** Those of some length. */
  readonly gaps: readonly AckGap[];
}

const GAP_MS_MIN = 5;
const GAPS_MAX = 10_000;
/** Of a paced load: more wait, as their latency says. */
const PACED_MAX = 100_000;
/** A send that fails at once is not tried again at once. */
const FAILURE_PAUSE_MS = 10;

/** What becomes of the message in a slot. */
interface SlotOwner {
  readonly onAck: (slot: Slot) => void;
  readonly onFailure: (slot: Slot, error: unknown) => void;
}

/**
 * One message that is under way at a time. A load of ten thousand has as many of these, and not as
 * many suspended functions: what the load costs, the system that is measured does not have.
 */
class Slot {
  readonly body: Buffer;
  serial = 0;
  dueAt = 0;
  readonly onAck: () => void;
  readonly onFailure: (error: unknown) => void;

  constructor(owner: SlotOwner, body: Buffer) {
    this.body = body;
    this.onAck = () => {
      owner.onAck(this);
    };
    this.onFailure = (error) => {
      owner.onFailure(this, error);
    };
  }
}

export class Publisher {
  readonly #client: PeerClient;
  readonly #topic: string;
  readonly #bodyBytes: number;
  /** By serial number: 1 of what was acknowledged. */
  #acked = new Uint8Array(1 << 16);
  #serial = 0;
  /** Of messages that were due since {@link Publisher.mark}. */
  #latencies: number[] = [];
  #markedAt = 0;
  #ackedCount = 0;
  #failed = 0;
  #lastAckAt = Number.NaN;
  #gaps: AckGap[] = [];
  #isPaced = false;
  /** Of a paced load. */
  #under = 0;
  #pace: Promise<void> | undefined;

  constructor(client: PeerClient, topic: string, bodyBytes: number) {
    this.#client = client;
    this.#topic = topic;
    this.#bodyBytes = bodyBytes;
  }

  get published(): Published {
    const unknown: number[] = [];
    for (let serial = 0; serial < this.#serial; serial++)
      if (this.#acked[serial] !== 1) unknown.push(serial);
    return { count: this.#serial, unknown };
  }

  /** A closed loop: so many under way, until the time is over or so many were sent. */
  async publish(inFlight: number, ms: number, messagesMax: number): Promise<PublishFigures> {
    this.#reset();
    const end = this.#markedAt + ms;
    const last = this.#serial + messagesMax;
    await new Promise<void>((resolve) => {
      let left = inFlight;
      const next = (slot: Slot, now: number): void => {
        if (now < end && this.#serial < last) this.#send(slot, now);
        else if (--left === 0) resolve();
      };
      const loop: SlotOwner = {
        onAck: (slot) => {
          const now = monotonicMs();
          this.#onAck(slot, now);
          next(slot, now);
        },
        onFailure: (slot, error) => {
          this.#onFailure(error);
          setTimeout(() => {
            next(slot, monotonicMs());
          }, FAILURE_PAUSE_MS);
        },
      };
      for (let i = 0; i < inFlight; i++)
        next(new Slot(loop, Buffer.alloc(this.#bodyBytes)), monotonicMs());
    });
    return this.#figures();
  }

  /** An open loop, until it is ended: messages are due at their times, whatever becomes of them. */
  startPace(perSecond: number): void {
    this.#reset();
    this.#isPaced = true;
    this.#pace = this.#keepPace(perSecond);
  }

  /**
   * From now on: figures are those of messages that are due later, until the next load.
   *
   * @returns when that is, by the machine's monotonic clock.
   */
  mark(): number {
    this.#latencies = [];
    this.#markedAt = monotonicMs();
    return this.#markedAt;
  }

  pulse(): Pulse {
    return { acked: this.#ackedCount, lastAckAt: this.#lastAckAt, gaps: this.#gaps };
  }

  /** Returns when nothing is under way any more, or has no answer for long. */
  async endPace(): Promise<PublishFigures> {
    this.#isPaced = false;
    await this.#pace;
    return this.#figures();
  }

  async #keepPace(perSecond: number): Promise<void> {
    const startedAt = monotonicMs();
    const loop: SlotOwner = {
      onAck: (slot) => {
        this.#under -= 1;
        this.#onAck(slot, monotonicMs());
      },
      onFailure: (_slot, error) => {
        this.#under -= 1;
        this.#onFailure(error);
      },
    };
    let sent = 0;
    while (this.#isPaced) {
      await pause(1);
      const due = ((monotonicMs() - startedAt) * perSecond) / 1_000;
      for (; sent < due && this.#under < PACED_MAX; sent++) {
        this.#under += 1;
        const slot = new Slot(loop, Buffer.allocUnsafe(this.#bodyBytes));
        this.#send(slot, startedAt + (sent * 1_000) / perSecond);
      }
    }
    const deadline = monotonicMs() + SEND_DEADLINE_MS;
    while (this.#under > 0 && monotonicMs() < deadline) await pause(1);
  }

  /** @param dueAt - Latency is counted from there, whenever it was sent. */
  #send(slot: Slot, dueAt: number): void {
    slot.serial = this.#serial++;
    slot.dueAt = dueAt;
    writeBody(slot.body, slot.serial, dueAt);
    void this.#client.send(this.#topic, slot.body).then(slot.onAck, slot.onFailure);
  }

  #onAck({ serial, dueAt }: Slot, now: number): void {
    const gap = now - this.#lastAckAt;
    if (gap >= GAP_MS_MIN && this.#gaps.length < GAPS_MAX)
      this.#gaps.push({ endedAt: now, ms: gap });
    this.#lastAckAt = now;
    this.#ackedCount += 1;
    if (dueAt >= this.#markedAt) this.#latencies.push(now - dueAt);
    if (serial >= this.#acked.length) {
      const larger = new Uint8Array(2 * (serial + 1));
      larger.set(this.#acked);
      this.#acked = larger;
    }
    this.#acked[serial] = 1;
  }

  #onFailure(error: unknown): void {
    // Failures are a figure; the first is shown, as all of them are mostly the same.
    if (this.#failed === 0) console.error(`${this.#topic}: ${String(error)}`);
    this.#failed += 1;
  }

  #reset(): void {
    this.mark();
    this.#ackedCount = 0;
    this.#failed = 0;
    this.#gaps = [];
    this.#lastAckAt = Number.NaN;
  }

  #figures(): PublishFigures {
    const sorted = Float64Array.from(this.#latencies).sort();
    return {
      messages: sorted.length,
      failed: this.#failed,
      seconds: (monotonicMs() - this.#markedAt) / 1_000,
      p50Ms: shareOf(sorted, 0.5),
      p99Ms: shareOf(sorted, 0.99),
    };
  }
}

/** @param sorted - In ascending order. @returns NaN of nothing. */
export function shareOf(sorted: Float64Array, share: number): number {
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
