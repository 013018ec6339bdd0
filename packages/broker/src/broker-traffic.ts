/** What has gone in and out of a broker's port since it was opened: counted by batch. */

import { Histogram, RecordBatch } from "@quorumlog/protocol";
import type { QueueBatches } from "@quorumlog/protocol/messages";

/** Of seconds: a disk takes tenths of milliseconds, and an election tenths of seconds. */
const LATENCY_SECONDS = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10,
] as const;

export class BrokerTraffic {
  /** Published, and acknowledged here. */
  messagesIn = 0;
  bytesIn = 0;
  /** Fetched: each time that one is sent. */
  messagesOut = 0;
  bytesOut = 0;
  /** Fetches that wait for something to come. */
  fetchesWaiting = 0;
  /** From a publish request to its answer, in seconds. */
  readonly publishSeconds: Histogram = new Histogram(LATENCY_SECONDS);
  readonly #refused = new Map<string, number>();

  /** Of publishes and fetches, by the code of their errors. */
  get refused(): ReadonlyMap<string, number> {
    return this.#refused;
  }

  onPublished(batches: readonly Uint8Array[]): void {
    for (const batch of batches) {
      this.bytesIn += batch.byteLength;
      this.messagesIn += messageCount(batch);
    }
  }

  onFetched(queues: readonly QueueBatches.$Properties[]): void {
    for (const { batches, error } of queues) {
      if (error) this.onRefused(error.code ?? "");
      for (const { batch } of batches ?? []) {
        this.bytesOut += batch?.byteLength ?? 0;
        this.messagesOut += messageCount(batch as Uint8Array);
      }
    }
  }

  onRefused(code: string): void {
    this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1);
  }
}

function messageCount({ buffer, byteOffset, byteLength }: Uint8Array): number {
  return RecordBatch.trusted(Buffer.from(buffer, byteOffset, byteLength)).recordCount;
}
