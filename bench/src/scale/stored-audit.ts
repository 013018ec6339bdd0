/**
 * Whether what was acknowledged is stored: each offset below the end of its queue was acknowledged
 * once, and what is read of whole blocks is what was acknowledged there.
 */

import { Admin, type ConsumedMessage, PullConsumer } from "@quorumlog/client";
import { type Block, type EndsAudit, mixOf, type PlaceLedger, sampleOf } from "./place-ledger.ts";
import { SERIAL_BYTES } from "./place-ledger.ts";

export interface AuditGround {
  readonly nameServer: string;
  readonly topics: readonly string[];
  /** Of each topic. */
  readonly queueCount: number;
  /** Of each message. */
  readonly bodyBytes: number;
  readonly ledger: PlaceLedger;
}

export interface AuditFigures extends EndsAudit {
  readonly acked: number;
  /** Acknowledgements of an offset that was acknowledged before. */
  readonly repeated: number;
  readonly read: number;
  /** Blocks that were read, and were not what was acknowledged. */
  readonly wrongBlocks: number;
}

const SAMPLE_BLOCKS = 200;
const POLL_MS = 1_000;
const POLL_MESSAGES = 2_000;
/** After so many empty polls, what is not there is lost. */
const EMPTY_POLLS_MAX = 20;

/** @param isWhole - Everything is read; else so many blocks at most, spread over all. */
export async function auditOf(ground: AuditGround, isWhole: boolean): Promise<AuditFigures> {
  const { ledger } = ground;
  const ends = await endsOf(ground);
  const blocks = ledger.blocks();
  const chosen = isWhole ? blocks : sampleOf(blocks, SAMPLE_BLOCKS);
  const { acked, repeated } = ledger;
  return { acked, repeated, ...ledger.auditEnds(ends), ...(await readBack(ground, chosen)) };
}

/** By the number of the queue. */
async function endsOf({ nameServer, topics }: AuditGround): Promise<number[]> {
  await using admin = await Admin.open({ nameServers: [nameServer] });
  const ends: number[] = [];
  for (const topic of topics)
    ends.push(...(await admin.queueOffsets({ topic, place: "latest" }, { timeoutMs: 30_000 })));
  return ends;
}

async function readBack(
  ground: AuditGround,
  blocks: readonly Block[],
): Promise<{ readonly read: number; readonly wrongBlocks: number }> {
  const { nameServer, topics, queueCount, ledger } = ground;
  await using consumer = await PullConsumer.open({ nameServers: [nameServer] });
  let read = 0;
  let wrongBlocks = 0;
  let next: Pick<Block, "place" | "to"> | undefined;
  for (const block of blocks) {
    const { place, from, to } = block;
    const queue = {
      topic: topics[Math.floor(place / queueCount)] ?? "",
      queue: place % queueCount,
    };
    if (next?.place !== place) await consumer.assign([queue]);
    // What follows the block before is on its way.
    if (next?.place !== place || next.to !== from) await consumer.seek(queue, from);
    next = block;
    const { sum, count } = await blockSum(consumer, block, ground.bodyBytes);
    read += count;
    if (count < to - from || !ledger.isAsAcknowledged(block, sum)) {
      wrongBlocks += 1;
      next = undefined;
    }
  }
  return { read, wrongBlocks };
}

async function blockSum(
  consumer: PullConsumer,
  { from, to }: Block,
  bodyBytes: number,
): Promise<{ readonly sum: number; readonly count: number }> {
  let sum = 0;
  let at = from;
  for (let empty = 0; at < to && empty < EMPTY_POLLS_MAX;) {
    const maxMessages = Math.min(POLL_MESSAGES, to - at);
    const messages = await consumer.poll({ timeoutMs: POLL_MS, maxMessages });
    empty = messages.length === 0 ? empty + 1 : 0;
    for (const message of messages) {
      if (message.offset !== at || !isWell(message, bodyBytes)) return { sum: 0, count: at - from };
      sum = (sum + mixOf(at, serialOf(message))) >>> 0;
      at += 1;
    }
  }
  return { sum, count: at - from };
}

/** It has its length, and the same serial number at both ends. */
function isWell({ body }: ConsumedMessage, bodyBytes: number): boolean {
  if (body.length !== bodyBytes) return false;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return bytes.readUInt32LE(0) === bytes.readUInt32LE(bytes.length - SERIAL_BYTES);
}

function serialOf({ body }: ConsumedMessage): number {
  return Buffer.from(body.buffer, body.byteOffset, SERIAL_BYTES).readUInt32LE(0);
}
