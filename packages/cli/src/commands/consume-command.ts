/** `quorumlog consume`: prints the messages of a topic, from its beginning or from now on. */

import { PullConsumer } from "@quorumlog/client";
import { ClusterAccess } from "../cluster-access.ts";
import { CLUSTER_SETTINGS, type Command, integer, list, text } from "../command.ts";
import { UsageError } from "../settings.ts";

export const CONSUME: Command = {
  name: "consume",
  operands: "TOPIC",
  about: "prints the messages of a topic",
  settings: {
    ...CLUSTER_SETTINGS,
    from: {
      type: "text",
      about: "where to begin",
      oneOf: ["earliest", "latest"],
      fallback: "earliest",
    },
    tags: { type: "text", about: 'just these, as in "a || b"', fallback: "*" },
    count: { type: "integer", about: "ends after so many; 0: never", fallback: 0 },
    idleMs: { type: "integer", about: "ends when nothing came for so long; 0: never", fallback: 0 },
  },
  async run({ settings, operands, signal }) {
    const [topic] = operands;
    if (topic === undefined || operands.length > 1) throw new UsageError(["give one TOPIC"]);
    const nameServers = list(settings, "nameServers");
    const queueCount = await queuesOf(nameServers, topic, signal);
    await using consumer = await PullConsumer.open({
      nameServers,
      startFrom: text(settings, "from") as "earliest",
      signal,
    });
    const tags = text(settings, "tags");
    const queues = Array.from({ length: queueCount }, (_, queue) => ({ topic, queue, tags }));
    await consumer.assign(queues);
    const countMax = integer(settings, "count") || Number.POSITIVE_INFINITY;
    const idleMs = integer(settings, "idleMs") || Number.POSITIVE_INFINITY;
    let count = 0;
    for (let lastAt = performance.now(); count < countMax && !signal.aborted;) {
      const maxMessages = Math.min(1_000, countMax - count);
      const messages = await consumer.poll({ maxMessages, timeoutMs: 500 });
      for (const message of messages) {
        const body = Buffer.from(message.body).toString();
        if (settings["json"] !== true) console.log(body);
        else {
          const { queue, offset, tag, keys } = message;
          console.log(JSON.stringify({ queue, offset, tag, keys, body }));
        }
      }
      count += messages.length;
      if (messages.length > 0) lastAt = performance.now();
      else if (performance.now() - lastAt >= idleMs) break;
    }
  },
};

async function queuesOf(
  nameServers: readonly string[],
  topic: string,
  signal: AbortSignal,
): Promise<number> {
  await using access = new ClusterAccess(nameServers);
  const { metadata } = await access.cluster(signal);
  const found = metadata?.topics.find(({ name }) => name === topic);
  if (found === undefined) throw new UsageError([`there is no topic "${topic}"`]);
  return found.queueGroupIds.length;
}
