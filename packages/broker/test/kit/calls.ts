/** Calls as a client makes them, one at a time. */

import {
  ADMIN_SERVICE,
  batchMessages,
  BROKER_SERVICE,
  type Method,
  RecordBatchBuilder,
  type RpcChannel,
} from "@quorumlog/protocol";
import type {
  CreateTopicRequest,
  FetchReply,
  FetchRequest,
  PublishReply,
  PublishRequest,
  Topic,
} from "@quorumlog/protocol/messages";

const PRODUCER_ID = 77;

export function createTopic(
  channel: RpcChannel,
  request: CreateTopicRequest.$Properties,
): Promise<Topic> {
  return channel.call(ADMIN_SERVICE.createTopic, request);
}

export function publish(
  channel: RpcChannel,
  request: PublishRequest.$Properties,
): Promise<PublishReply> {
  return once(channel, BROKER_SERVICE.publish, request);
}

export function fetch(channel: RpcChannel, request: FetchRequest.$Properties): Promise<FetchReply> {
  return once(channel, BROKER_SERVICE.fetch, request);
}

/** @param sequence - Of an idempotent producer; 0: without one. */
export function batchOf(
  place: { readonly topicId: number; readonly queue: number; readonly sequence?: number },
  bodies: readonly string[],
  tag?: string,
): Buffer {
  const { topicId, queue, sequence = 0 } = place;
  const builder = new RecordBatchBuilder();
  for (const body of bodies)
    builder.add({
      body: Buffer.from(body),
      bornTimestamp: Date.now(),
      ...(tag === undefined ? {} : { tag }),
    });
  const producerId = sequence === 0 ? 0 : PRODUCER_ID;
  return builder.build({ topicId, queue, messageType: 1, producerId, producerEpoch: 0, sequence });
}

export function bodiesOf(reply: Pick<FetchReply, "queues">): string[] {
  return reply.queues.flatMap(({ batches }) =>
    (batches ?? []).flatMap(({ batch }) =>
      [...batchMessages(batch as Buffer)].map(({ body }) => Buffer.from(body).toString()),
    ),
  );
}

/** All that a queue has: a fetch gives as much as it finds in its time. */
export async function storedBodies(
  channel: RpcChannel,
  place: { readonly topicId: number; readonly queue: number },
): Promise<string[]> {
  const bodies: string[] = [];
  for (let offset = 0, end = 1; offset < end;) {
    const reply = await fetch(channel, { positions: [{ ...place, offset }] });
    const [told] = reply.queues;
    bodies.push(...bodiesOf(reply));
    offset = told?.nextOffset ?? 0;
    end = told?.endOffset ?? 0;
  }
  return bodies;
}

function once<Request, Received, Reply, Answer>(
  channel: RpcChannel,
  method: Method<Request, Received, Reply, Answer>,
  request: Request,
): Promise<Answer> {
  const stream = channel.duplex(method);
  return new Promise((resolve, reject) => {
    stream.on("data", (answer: Answer) => {
      resolve(answer);
      stream.end();
    });
    stream.on("error", reject);
    stream.write(request);
  });
}
