/** A queue as a key of maps: one number for its topic and its own. */

const QUEUES_PER_TOPIC = 2 ** 16;

export type QueueKey = number & { readonly brand: "QueueKey" };

export function queueKey(topicId: number, queue: number): QueueKey {
  return (topicId * QUEUES_PER_TOPIC + queue) as QueueKey;
}

export function topicIdOf(key: QueueKey): number {
  return Math.floor(key / QUEUES_PER_TOPIC);
}

export function queueOf(key: QueueKey): number {
  return key % QUEUES_PER_TOPIC;
}

/** As the key of a table's row. */
export function queueRowKey(key: QueueKey): string {
  return `${topicIdOf(key)}/${queueOf(key)}`;
}

export function parseQueueRowKey(rowKey: string): QueueKey {
  const [topicId, queue] = rowKey.split("/").map(Number) as [number, number];
  return queueKey(topicId, queue);
}
