/** Where queues begin and end, and how far consumer groups are in them. */

import {
  type BROKER_SERVICE,
  groupNameProblem,
  type Handlers,
  type OFFSETS_SERVICE,
  OperationError,
  operationError,
} from "@quorumlog/protocol";
import type {
  ClaimRequest,
  CommandAnswer,
  CommitAnswer,
  CommitRequest,
  ErrorDetail,
  GetOffsetsReply,
  GetOffsetsRequest,
  GroupOffset,
  QueueRef,
} from "@quorumlog/protocol/messages";
import type { BrokerGroup } from "../broker-group.ts";
import { QUEUES_PER_COMMAND_MAX, resetProblem } from "../state/consumer-offsets.ts";
import { memberOf, ownerOf, type ProgressPlace } from "../state/progress-table.ts";
import { type QueueKey, queueKey, queueOf, topicIdOf } from "../state/queue-key.ts";
import { CommitDesk } from "./commit-desk.ts";
import { noPage, pageOf, pageOfNames } from "./pages.ts";

/** A new leader has to put into the log that it has begun. */
const REIGN_MS = 20;

export function queryOffsetsHandler(
  group: BrokerGroup,
): Handlers<Pick<typeof BROKER_SERVICE, "queryOffsets">>["queryOffsets"] {
  return {
    unary: async ({ topicId, queue, storeTimestampMs }, { signal }) => {
      await group.readBarrier(signal);
      const { machine, replica } = group;
      const problem = machine.queueProblem({ topicId, queue });
      if (problem !== undefined) throw problem;
      machine.index.trim(replica.status().firstOffset);
      const key = queueKey(topicId, queue);
      const endOffset = machine.queues.end(key);
      const row = storeTimestampMs < 0 ? undefined : machine.index.findTime(key, storeTimestampMs);
      return {
        firstOffset: firstOffsetOf(group, key),
        endOffset,
        offsetAtTime: row?.baseOffset ?? endOffset,
      };
    },
  };
}

/** @param recordBytesMax - What the log takes. */
export function offsetsHandlers(
  group: BrokerGroup,
  recordBytesMax: number,
): Handlers<typeof OFFSETS_SERVICE> {
  const desk = new CommitDesk(group, recordBytesMax);
  return {
    claim: {
      unary: async (request, { signal }) => {
        demandRequest(request.group, request.queues.length);
        demandReign(group, request);
        const answer = await group.execute({ claim: request }, { signal });
        demandDone(answer);
        return { queues: answer.claimed };
      },
    },
    commit: {
      unary: async (request) => {
        demandRequest(request.group, request.offsets.length);
        group.demandLeader();
        return { errors: withRanges(group, request, await desk.commit(request)) };
      },
    },
    getOffsets: {
      unary: async (request, { signal }) => {
        demandRequest(request.group, request.queues.length);
        await group.readBarrier(signal);
        if (request.queues.length === 0) return allOffsetsOf(group, request);
        return { offsets: offsetsOf(group, request) };
      },
    },
    resetOffsets: {
      unary: async (request, { signal }) => {
        demandRequest(request.group, request.offsets.length);
        // It is refused as it is applied, too: here it costs the log nothing.
        const problem = resetProblem(request);
        if (problem !== undefined) throw problem;
        demandDone(await group.execute({ resetOffsets: request }, { signal }));
        return {};
      },
    },
    deleteOffsets: {
      unary: async (request, { signal }) => {
        demandRequest(request.group, 0);
        demandDone(await group.execute({ deleteOffsets: request }, { signal }));
        return {};
      },
    },
    listOffsetGroups: {
      unary: async ({ page }, { signal }) => {
        await group.readBarrier(signal);
        const { rows, nextPage } = pageOfNames(group.machine.offsets.rows.groups(), page);
        return { groups: [...rows], nextPage };
      },
    },
  };
}

/** What a command was refused with, if it was. */
export function demandDone(answer: CommandAnswer): void {
  if (answer.error) throw operationError(answer.error);
}

/**
 * A lease of the former leader's time may look as if it were over, because nobody could renew it:
 * until the new one's beginning is in the log, nobody takes a queue over.
 */
function demandReign(group: BrokerGroup, { leaseMs }: ClaimRequest): void {
  group.demandLeader();
  if (leaseMs === 0 || group.hasBegun) return;
  throw new OperationError("NOT_READY", "this node has just begun to lead", {
    retryAfterMs: REIGN_MS,
  });
}

/** What is committed can be any offset; what can be read begins later, as the index knows. */
function withRanges(
  group: BrokerGroup,
  { offsets }: CommitRequest,
  { errors }: CommitAnswer,
): ErrorDetail.$Properties[] {
  return errors.map((error, i) => {
    if (!error.range) return error;
    const { topicId, queue } = placeOf(offsets[i] ?? {});
    const firstOffset = firstOffsetOf(group, queueKey(topicId, queue));
    return { ...error, range: { ...error.range, firstOffset } };
  });
}

function offsetsOf(
  group: BrokerGroup,
  { group: name, queues, memberId }: GetOffsetsRequest,
): GroupOffset.$Properties[] {
  const owner = ownerOf(name, memberId === "" ? undefined : memberId);
  return queues.map((ref) => {
    const { topicId, queue } = placeOf(ref);
    const problem = group.machine.queueProblem({ topicId, queue });
    if (problem !== undefined) throw problem;
    return offsetOf(group, owner, queueKey(topicId, queue));
  });
}

/** Of a group and its broadcasting members, in each queue that they have ever been in. */
function allOffsetsOf(
  group: BrokerGroup,
  { group: name, page }: GetOffsetsRequest,
): GetOffsetsReply.$Properties {
  const { rows: progress } = group.machine.offsets;
  const from = page === "" ? undefined : progressPlace(name, page);
  const { rows, nextPage } = pageOf(progress.placesOf(name, from), ({ owner, key }) => {
    return `${key}/${memberOf(owner) ?? ""}`;
  });
  return { offsets: rows.map(({ owner, key }) => offsetOf(group, owner, key)), nextPage };
}

/** Where a page has ended. */
function progressPlace(group: string, page: string): ProgressPlace {
  const at = page.indexOf("/");
  const key = Number(page.slice(0, at));
  if (at < 1 || !Number.isSafeInteger(key) || key < 0) throw noPage(page);
  const memberId = page.slice(at + 1);
  return { owner: ownerOf(group, memberId === "" ? undefined : memberId), key: key as QueueKey };
}

function offsetOf(group: BrokerGroup, owner: string, key: QueueKey): GroupOffset.$Properties {
  const { offsets, queues } = group.machine;
  const progress = offsets.rows.get(owner, key);
  const leasedUntilMs = offsets.leasedUntil(progress);
  return {
    topicId: topicIdOf(key),
    queue: queueOf(key),
    committedOffset: progress.offset,
    committedAtMs: progress.committedAt,
    firstOffset: firstOffsetOf(group, key),
    endOffset: queues.end(key),
    fencingToken: progress.fencingToken,
    epoch: progress.epoch,
    leasedUntilMs,
    leaseMemberId: leasedUntilMs === 0 ? "" : progress.memberId,
    memberId: memberOf(owner) ?? "",
  };
}

function firstOffsetOf({ machine }: BrokerGroup, key: QueueKey): number {
  return machine.index.firstOffset(key) ?? machine.queues.end(key);
}

function demandRequest(consumerGroup: string, queueCount: number): void {
  const problem = groupNameProblem(consumerGroup);
  if (problem !== undefined) throw invalid("group", problem);
  if (queueCount > QUEUES_PER_COMMAND_MAX)
    throw invalid("queues", `${queueCount} are more than ${QUEUES_PER_COMMAND_MAX}`);
}

function placeOf({ topicId, queue }: QueueRef.$Properties): { topicId: number; queue: number } {
  return { topicId: topicId ?? 0, queue: queue ?? 0 };
}

function invalid(field: string, problem: string): OperationError {
  return new OperationError("INVALID_ARGUMENT", `${field}: ${problem}`, {
    problems: [{ field, problem }],
  });
}
