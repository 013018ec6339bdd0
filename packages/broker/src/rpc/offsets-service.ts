/** Where queues begin and end, and how far consumer groups are in them. */

import {
  type BROKER_SERVICE,
  groupNameProblem,
  type Handlers,
  type OFFSETS_SERVICE,
  OperationError,
  operationError,
} from "@quorumlog/protocol";
import type { CommandAnswer, QueueRef } from "@quorumlog/protocol/messages";
import type { BrokerGroup } from "../broker-group.ts";
import { queueKey } from "../state/queue-key.ts";

const QUEUES_MAX = 100_000;

export function queryOffsetsHandler(
  group: BrokerGroup,
): Handlers<Pick<typeof BROKER_SERVICE, "queryOffsets">>["queryOffsets"] {
  return {
    unary: async ({ topicId, queue, storeTimestampMs }, { signal }) => {
      demandQueue(group, { topicId, queue });
      await group.readBarrier(signal);
      const { machine, replica } = group;
      machine.index.trim(replica.status().firstOffset);
      const key = queueKey(topicId, queue);
      const endOffset = machine.queues.end(key);
      const firstOffset = machine.index.firstOffset(key) ?? endOffset;
      const row = storeTimestampMs < 0 ? undefined : machine.index.findTime(key, storeTimestampMs);
      return { firstOffset, endOffset, offsetAtTime: row?.baseOffset ?? endOffset };
    },
  };
}

export function offsetsHandlers(group: BrokerGroup): Handlers<typeof OFFSETS_SERVICE> {
  return {
    claim: {
      unary: async (request, { signal }) => {
        demandQueues(group, request.group, request.queues);
        const answer = await group.execute({ claim: request }, { signal });
        demandDone(answer);
        return { queues: answer.claimed };
      },
    },
    commit: {
      unary: async (request, { signal }) => {
        demandQueues(group, request.group, request.offsets);
        const answer = await group.execute({ commitOffsets: request }, { signal });
        demandDone(answer);
        return { errors: answer.errors };
      },
    },
    getOffsets: {
      unary: async (request, { signal }) => {
        demandQueues(group, request.group, request.queues);
        await group.readBarrier(signal);
        const { offsets, queues } = group.machine;
        const wanted = request.queues.length > 0 ? request.queues : offsets.queuesOf(request.group);
        return {
          offsets: wanted.map((ref) => {
            const { topicId, queue } = placeOf(ref);
            const { offset, committedAt } = offsets.get(request.group, ref);
            const endOffset = queues.end(queueKey(topicId, queue));
            return {
              topicId,
              queue,
              committedOffset: offset,
              committedAtMs: committedAt,
              endOffset,
            };
          }),
        };
      },
    },
  };
}

/** What a command was refused with, if it was. */
export function demandDone(answer: CommandAnswer): void {
  if (answer.error) throw operationError(answer.error);
}

function demandQueues(
  group: BrokerGroup,
  consumerGroup: string,
  queues: readonly QueueRef.$Properties[],
): void {
  const problem = groupNameProblem(consumerGroup);
  if (problem !== undefined) throw invalid("group", problem);
  if (queues.length > QUEUES_MAX)
    throw invalid("queues", `${queues.length} are more than ${QUEUES_MAX}`);
  for (const ref of queues) demandQueue(group, placeOf(ref));
}

function demandQueue(
  { machine, groupId }: BrokerGroup,
  { topicId, queue }: { readonly topicId: number; readonly queue: number },
): void {
  const topic = machine.metadata.topicById(topicId);
  if (topic === undefined)
    throw new OperationError("UNKNOWN_TOPIC", `there is no topic ${topicId} any more, or not yet`);
  const owner = topic.queueGroupIds[queue];
  if (owner === undefined)
    throw new OperationError("UNKNOWN_QUEUE", `"${topic.name}" has no queue ${queue}`);
  if (owner !== groupId)
    throw new OperationError("WRONG_GROUP", `queue ${queue} of "${topic.name}" is of ${owner}`);
}

function placeOf({ topicId, queue }: QueueRef.$Properties): {
  readonly topicId: number;
  readonly queue: number;
} {
  return { topicId: topicId ?? 0, queue: queue ?? 0 };
}

function invalid(field: string, problem: string): OperationError {
  return new OperationError("INVALID_ARGUMENT", `${field}: ${problem}`, {
    problems: [{ field, problem }],
  });
}
