/** Looks at what is stored as it is stored: batches, as a consumer fetches them from a leader. */

import { crc32 } from "node:zlib";
import { BROKER_SERVICE, RecordBatchBuilder, RpcChannel } from "@quorumlog/protocol";
import type {
  FetchReply,
  PublishReply,
  PublishRequest,
  StoredBatch,
} from "@quorumlog/protocol/messages";
import type { ProcessCluster } from "../../src/kit/process-cluster.ts";

const SUMMED_FROM = 4;
/** Of the first record, behind the batch's header and the record's length. */
const RECORD_FLAGS_AT = 60;
const FLAGS_NONE_HAS = 0x90;
/** Of a publish to a group that stands still: then it is answered that nobody knows. */
const ANSWER_MS = 20_000;
const BYTES_MAX = 8 * 1024 * 1024;

/**
 * @param tags - What a leader is asked for; default: everything.
 * @returns the batches of a queue, if they are less than 8 MiB.
 */
export async function storedBatches(
  cluster: ProcessCluster,
  topic: string,
  queue: number,
  tags: readonly string[] = [],
): Promise<readonly StoredBatch.$Properties[]> {
  const admin = await cluster.admin();
  const route = admin.cluster().topics.find(({ name }) => name === topic);
  const { topicId = 0, groupIds = [] } = route ?? {};
  return withLeader(cluster, groupIds[queue] ?? 0, (channel) => {
    const stream = channel.duplex(BROKER_SERVICE.fetch);
    const batches: StoredBatch.$Properties[] = [];
    // An answer is as long as there was time for.
    const ask = (offset: number): void => {
      const position = { topicId, queue, offset, tags: [...tags] };
      stream.write({ positions: [position], bytesMax: BYTES_MAX });
    };
    ask(0);
    return new Promise<readonly StoredBatch.$Properties[]>((resolve, reject) => {
      stream.on("data", ({ queues: [found] }: FetchReply) => {
        batches.push(...(found?.batches ?? []));
        const nextOffset = found?.nextOffset ?? 0;
        if (nextOffset > 0 && nextOffset < (found?.endOffset ?? 0)) {
          ask(nextOffset);
          return;
        }
        stream.end();
        resolve(batches);
      });
      stream.on("error", reject);
    });
  });
}

/** Of one message, and of no idempotent producer. */
export function plainBatch(topicId: number, queue: number, body: string): Buffer {
  const builder = new RecordBatchBuilder();
  builder.add({ body: Buffer.from(body), bornTimestamp: 1 });
  const nobody = { producerId: 0, producerEpoch: 0, sequence: 0 };
  return builder.build({ topicId, queue, messageType: 1, ...nobody });
}

/** As a broken client sends it: its checksum is right, and its record is none. */
export function undecodableBatch(topicId: number, queue: number): Buffer {
  const bytes = plainBatch(topicId, queue, "x");
  bytes.writeUInt8(FLAGS_NONE_HAS, RECORD_FLAGS_AT);
  bytes.writeUInt32LE(crc32(bytes.subarray(SUMMED_FROM)), 0);
  return bytes;
}

/** Publishes bytes as they are, to the leader of a group. */
export function publishBatches(
  cluster: ProcessCluster,
  groupId: number,
  request: PublishRequest.$Properties,
): Promise<PublishReply> {
  return withLeader(cluster, groupId, (channel) => {
    const stream = channel.duplex(BROKER_SERVICE.publish);
    stream.write(request);
    return new Promise<PublishReply>((resolve, reject) => {
      stream.on("data", (answer: PublishReply) => {
        stream.end();
        resolve(answer);
      });
      stream.on("error", reject);
    });
  });
}

/** Publishes batches to the leader of a group, each by itself, at once. @returns all answers. */
export function publishEach(
  cluster: ProcessCluster,
  groupId: number,
  batches: readonly Buffer[],
): Promise<readonly PublishReply[]> {
  return withLeader(cluster, groupId, (channel) => {
    const stream = channel.duplex(BROKER_SERVICE.publish);
    const replies: PublishReply[] = [];
    return new Promise((resolve, reject) => {
      stream.on("data", (answer: PublishReply) => {
        if (replies.push(answer) < batches.length) return;
        stream.end();
        resolve(replies);
      });
      stream.on("error", reject);
      for (const [i, batch] of batches.entries())
        stream.write({ requestId: i + 1, batches: [batch], timeoutMs: ANSWER_MS });
    });
  });
}

async function withLeader<T>(
  cluster: ProcessCluster,
  groupId: number,
  ask: (channel: RpcChannel) => Promise<T>,
): Promise<T> {
  const address = cluster.addressOf(await cluster.leaderOf(groupId));
  const channel = new RpcChannel({ address });
  try {
    return await ask(channel);
  } finally {
    channel.close();
  }
}
