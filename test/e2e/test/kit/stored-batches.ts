/** Looks at what is stored as it is stored: batches, as a consumer fetches them from a leader. */

import { BROKER_SERVICE, RpcChannel } from "@quorumlog/protocol";
import type {
  FetchReply,
  PublishReply,
  PublishRequest,
  StoredBatch,
} from "@quorumlog/protocol/messages";
import type { ProcessCluster } from "../../src/kit/process-cluster.ts";

const BYTES_MAX = 8 * 1024 * 1024;

/** @returns all batches of a queue, if they are less than 8 MiB. */
export async function storedBatches(
  cluster: ProcessCluster,
  topic: string,
  queue: number,
): Promise<readonly StoredBatch.$Properties[]> {
  const admin = await cluster.admin();
  const route = admin.cluster().topics.find(({ name }) => name === topic);
  const { topicId = 0, groupIds = [] } = route ?? {};
  const reply = await withLeader(cluster, groupIds[queue] ?? 0, (channel) => {
    const stream = channel.duplex(BROKER_SERVICE.fetch);
    stream.write({ positions: [{ topicId, queue, offset: 0 }], bytesMax: BYTES_MAX });
    return new Promise<FetchReply>((resolve, reject) => {
      stream.on("data", (answer: FetchReply) => {
        stream.end();
        resolve(answer);
      });
      stream.on("error", reject);
    });
  });
  return reply.queues[0]?.batches ?? [];
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
