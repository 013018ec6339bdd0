/**
 * How far each consumer group is in each queue of this group, and which assignment may move it on.
 *
 * Whoever is assigned a queue claims it, with the epoch of the assignment. From then on a commit of
 * an older epoch is refused: the member that had the queue before may still be at work, and knows
 * it is too late.
 */

import { errorDetail, groupNameProblem, OperationError } from "@quorumlog/protocol";
import type {
  ClaimCommand,
  CommandAnswer,
  CommitOffsetsCommand,
  QueueOffset,
  QueueRef,
} from "@quorumlog/protocol/messages";
import type { Table } from "@quorumlog/tables";
import {
  parseQueueRowKey,
  queueKey,
  queueOf,
  queueRowKey,
  QUEUES_PER_TOPIC,
  topicIdOf,
} from "./queue-key.ts";
import { refused } from "./topic-commands.ts";

/** Of a queue and a consumer group. */
export interface ConsumerOffset {
  /** -1: nothing was committed yet. */
  readonly offset: number;
  /** Of the assignment that was claimed last. */
  readonly epoch: number;
  /** Counts claims. */
  readonly fencingToken: number;
  /** When, by the log's time: milliseconds since 1970. */
  readonly committedAt: number;
}

const NONE: ConsumerOffset = { offset: -1, epoch: 0, fencingToken: 0, committedAt: 0 };
const QUEUES_PER_COMMAND_MAX = 100_000;

export class ConsumerOffsets {
  readonly #table: Table<readonly number[]>;

  constructor(table: Table<readonly number[]>) {
    this.#table = table;
  }

  get(group: string, queue: QueueRef.$Properties): ConsumerOffset {
    const row = this.#table.get(rowKeyOf(group, queue));
    if (row === undefined) return NONE;
    const [offset, epoch, fencingToken, committedAt] = row as [number, number, number, number];
    return { offset, epoch, fencingToken, committedAt };
  }

  /** Those that the group has claimed or committed, ever. */
  queuesOf(group: string): QueueRef.$Properties[] {
    const prefix = `${group}/`;
    const queues: QueueRef.$Properties[] = [];
    for (const [rowKey] of this.#table.entries()) {
      if (!rowKey.startsWith(prefix)) continue;
      const key = parseQueueRowKey(rowKey.slice(prefix.length));
      queues.push({ topicId: topicIdOf(key), queue: queueOf(key) });
    }
    return queues;
  }

  claim(command: ClaimCommand): CommandAnswer.$Properties {
    const { group, epoch, queues } = command;
    const problem = commandProblem(command, queues);
    if (problem !== undefined) return refused("INVALID_ARGUMENT", problem);
    const claimed = queues.map((queue) => {
      const known = this.get(group, queue);
      const { topicId, queue: number } = queue;
      const place = { topicId: topicId ?? 0, queue: number ?? 0 };
      if (epoch < known.epoch) return { ...place, error: staleEpoch(epoch, known.epoch) };
      const fencingToken = known.fencingToken + 1;
      this.#set(group, queue, { ...known, epoch, fencingToken });
      return { ...place, committedOffset: known.offset, fencingToken };
    });
    return { claimed };
  }

  /** @param at - The log's time. */
  commit(command: CommitOffsetsCommand, at: number): CommandAnswer.$Properties {
    const { group, epoch, offsets } = command;
    const problem = commandProblem(command, offsets);
    if (problem !== undefined) return refused("INVALID_ARGUMENT", problem);
    const errors = offsets.map((queue) => {
      const known = this.get(group, queue);
      if (epoch < known.epoch) return staleEpoch(epoch, known.epoch);
      this.#set(group, queue, { ...known, epoch, offset: queue.offset ?? 0, committedAt: at });
      return {};
    });
    return { errors };
  }

  #set(group: string, queue: QueueRef.$Properties, to: ConsumerOffset): void {
    const { offset, epoch, fencingToken, committedAt } = to;
    this.#table.set(rowKeyOf(group, queue), [offset, epoch, fencingToken, committedAt]);
  }
}

function rowKeyOf(group: string, { topicId, queue }: QueueRef.$Properties): string {
  return `${group}/${queueRowKey(queueKey(topicId ?? 0, queue ?? 0))}`;
}

/** @returns what is wrong: a number that is none would stay there, above all that is true. */
function commandProblem(
  { group, epoch }: Pick<ClaimCommand, "epoch" | "group">,
  queues: readonly QueueOffset.$Properties[],
): string | undefined {
  const problem = groupNameProblem(group);
  if (problem !== undefined) return `group: ${problem}`;
  if (!Number.isSafeInteger(epoch)) return `epoch: ${epoch} is not below 2^53`;
  if (queues.length > QUEUES_PER_COMMAND_MAX)
    return `queues: ${queues.length} are more than ${QUEUES_PER_COMMAND_MAX}`;
  for (const { queue, offset } of queues) {
    if ((queue ?? 0) >= QUEUES_PER_TOPIC) return `queue: ${queue} is not below ${QUEUES_PER_TOPIC}`;
    if (!Number.isSafeInteger(offset ?? 0)) return `offset: ${offset} is not below 2^53`;
  }
  return undefined;
}

function staleEpoch(epoch: number, newest: number): ReturnType<typeof errorDetail> {
  const message = `the assignment of epoch ${epoch} is over: the queue was claimed with ${newest}`;
  return errorDetail(new OperationError("STALE_EPOCH", message));
}
