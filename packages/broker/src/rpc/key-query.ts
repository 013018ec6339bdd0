/**
 * Finds the batches that may hold messages of a key: a hash is compared here, the key by who asks.
 */

import { type BROKER_SERVICE, type Handlers, keyHash, OperationError } from "@quorumlog/protocol";
import type { QueueBatches } from "@quorumlog/protocol/messages";
import { ReplicaError } from "@quorumlog/replica";
import type { BrokerGroup } from "../broker-group.ts";
import type { IndexRow } from "../queue-index/index-row.ts";
import { type QueueKey, queueOf } from "../state/queue-key.ts";

const COUNT = 32;
const COUNT_MAX = 1_000;
const BYTES_MAX = 8 * 1024 * 1024;

export function queryByKeyHandler(
  group: BrokerGroup,
): Handlers<Pick<typeof BROKER_SERVICE, "queryByKey">>["queryByKey"] {
  return {
    unary: async ({ topicId, key, fromMs, toMs, countMax }, { signal }) => {
      const count = countMax === 0 ? COUNT : countMax;
      if (count > COUNT_MAX)
        throw new OperationError("INVALID_ARGUMENT", `count_max: ${count} is above ${COUNT_MAX}`);
      await group.readBarrier(signal);
      if (group.machine.metadata.topicById(topicId) === undefined)
        throw new OperationError("UNKNOWN_TOPIC", `there is no topic ${topicId} any more`);
      const queues: QueueBatches.$Properties[] = [];
      let bytes = 0;
      for (const found of group.machine.index.withKey(topicId, keyHash(key))) {
        for (const { key: queueKey, row } of found) {
          const { storeTimestamp } = row;
          if (storeTimestamp < fromMs || (toMs > 0 && storeTimestamp >= toMs)) continue;
          if (queues.length >= count || bytes >= BYTES_MAX) return { queues, isTruncated: true };
          const batch = batchAt(group, queueKey, row);
          if (batch === undefined) continue;
          queues.push({ topicId, ...batch });
          bytes += row.bytes;
        }
        await othersTurn(signal);
      }
      return { queues, isTruncated: false };
    },
  };
}

/** @returns `undefined` if it was trimmed just now. */
function batchAt(
  group: BrokerGroup,
  key: QueueKey,
  { logOffset, baseOffset, endOffset, storeTimestamp }: IndexRow,
): QueueBatches.$Properties | undefined {
  try {
    const [record] = group.replica.read(logOffset, { maxBytes: 1 }).records;
    if (record === undefined) return undefined;
    const batch = { baseOffset, storeTimestampMs: storeTimestamp, batch: record.data };
    return { queue: queueOf(key), nextOffset: endOffset, batches: [batch] };
  } catch (error) {
    if (error instanceof ReplicaError && error.code === "TRIMMED") return undefined;
    throw group.operationError(error);
  }
}

/** A query may read all that is kept; heartbeats and publishes do not wait for that. */
async function othersTurn(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (signal.aborted) throw new OperationError("ABORTED", "whoever asked waits no more");
}
