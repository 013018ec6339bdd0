/** What the queues hold is what was sent to them, byte for byte, and all that was acknowledged. */

import { createHash } from "node:crypto";
import { BROKER_SERVICE, RecordBatch, RpcChannel } from "@quorumlog/protocol";
import { Durability, FetchReply, PublishReply, PublishRequest } from "@quorumlog/protocol/messages";
import type { Broker } from "@quorumlog/broker";
import { demand } from "../finding.ts";

const FETCH_BYTES = 1024 * 1024;

export class StoredCheck {
  readonly #topicId: number;
  readonly #queueCount: number;
  /** Of batches that somebody may have stored. */
  readonly #sent = new Set<string>();
  /** By queue and offset. */
  readonly #acknowledged = new Map<string, string>();
  readonly #checkedTo: number[];

  constructor(topicId: number, queueCount: number) {
    this.#topicId = topicId;
    this.#queueCount = queueCount;
    this.#checkedTo = Array.from({ length: queueCount }, () => 0);
  }

  /** @param request - Of a publish, as it went out; if it does not decode, it stores nothing. */
  onSent(request: Buffer): void {
    for (const batch of decoded(request)?.batches ?? []) this.#sent.add(hashOf(batch));
  }

  onAnswer(request: Buffer, answer: Buffer): void {
    const { batches = [], durability } = decoded(request) ?? {};
    // Below, nothing is decided yet, and no offset is said.
    if (durability !== Durability.DURABILITY_QUORUM) return;
    const { results } = PublishReply.decode(answer);
    for (const [i, { baseOffset, error, isDuplicate }] of results.entries()) {
      const batch = batches[i];
      if (error || isDuplicate === true || batch === undefined) continue;
      const { topicId, queue } = RecordBatch.trusted(batch as Buffer);
      if (topicId === this.#topicId)
        this.#acknowledged.set(`${queue}/${baseOffset}`, hashOf(batch));
    }
  }

  /** @throws Finding */
  async check(broker: Broker): Promise<void> {
    const channel = new RpcChannel({ address: `127.0.0.1:${broker.port}` });
    try {
      for (let queue = 0; queue < this.#queueCount; queue++) await this.#checkQueue(channel, queue);
    } finally {
      channel.close();
    }
    const left = [...this.#acknowledged.keys()];
    demand(left.length === 0, `acknowledged, and not there: ${left.join(", ")}`);
  }

  async #checkQueue(channel: RpcChannel, queue: number): Promise<void> {
    for (;;) {
      const offset = this.#checkedTo[queue] ?? 0;
      const position = { topicId: this.#topicId, queue, offset };
      const reply = await fetchOnce(channel, { positions: [position], bytesMax: FETCH_BYTES });
      const [found] = reply.queues;
      if (found === undefined) return;
      demand(!found.error, `queue ${queue} is not read at ${offset}: ${found.error?.message}`);
      for (const { baseOffset, batch } of found.batches ?? [])
        this.#onStored(queue, baseOffset ?? 0, batch as Buffer);
    }
  }

  #onStored(queue: number, baseOffset: number, bytes: Buffer): void {
    const where = `queue ${queue}, offset ${baseOffset}`;
    const hash = hashOf(bytes);
    const batch = RecordBatch.check(bytes);
    demand(typeof batch !== "string", `${where}: what is stored is no batch: ${problemOf(batch)}`);
    demand(baseOffset === this.#checkedTo[queue], `${where}: a gap, or a batch twice`);
    demand(this.#sent.has(hash), `${where}: nobody has sent what is stored`);
    const key = `${queue}/${baseOffset}`;
    const acknowledged = this.#acknowledged.get(key);
    demand(acknowledged === undefined || acknowledged === hash, `${where}: another batch's`);
    this.#acknowledged.delete(key);
    this.#checkedTo[queue] = baseOffset + batch.recordCount;
  }
}

function problemOf(batch: RecordBatch | string): string {
  return typeof batch === "string" ? batch : "";
}

function decoded(request: Buffer): PublishRequest | undefined {
  try {
    return PublishRequest.decode(request);
  } catch {
    // Then the port refuses it as a whole.
    return undefined;
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("base64");
}

function fetchOnce(
  channel: RpcChannel,
  request: Parameters<typeof BROKER_SERVICE.fetch.requestSerialize>[0],
): Promise<FetchReply> {
  const stream = channel.duplex(BROKER_SERVICE.fetch);
  return new Promise((resolve, reject) => {
    stream.on("data", (reply: FetchReply) => {
      resolve(reply);
      stream.end();
    });
    stream.on("error", reject);
    stream.write(request);
  });
}
