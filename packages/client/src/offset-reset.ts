/**
 * Moves a consumer group to another place, while nobody consumes: it joins as a member of its own,
 * which gives it the epoch that nobody's claim is newer than, commits, and leaves.
 */

import { randomUUID } from "node:crypto";
import { OperationError } from "@quorumlog/protocol";
import {
  AssignmentStrategy,
  ConsumeMode,
  type CoordinatorMessage,
} from "@quorumlog/protocol/messages";
import type { ClusterLink } from "./cluster-link.ts";
import type { TopicRoute } from "./cluster-route.ts";
import type { FetchedQueue } from "./fetched-queue.ts";
import { GroupMembership } from "./group-membership.ts";
import { GroupOffsets } from "./group-offsets.ts";
import { Bell, demandNotAborted, type WaitOptions } from "./waiting.ts";

const SESSION_MS = 6_000;
const TIMEOUT_MS = 10_000;

export interface OffsetResetInit {
  readonly link: ClusterLink;
  readonly group: string;
  readonly topic: TopicRoute;
}

/**
 * @throws OperationError `MEMBERSHIP_REFUSED` while the group has members; nothing has moved then
 */
export async function resetOffsets(
  { link, group, topic }: OffsetResetInit,
  offsets: ReadonlyMap<FetchedQueue, number>,
  wait: WaitOptions,
): Promise<void> {
  const memberId = `reset-${randomUUID()}`;
  const news = new Bell();
  let assignment: CoordinatorMessage | undefined;
  let refusal: OperationError | undefined;
  const membership = new GroupMembership({
    link,
    join: {
      group,
      memberId,
      mode: ConsumeMode.CONSUME_MODE_CLUSTERING,
      strategy: AssignmentStrategy.ASSIGNMENT_STRATEGY_STICKY,
      subscriptions: [{ topic: topic.name, tagExpression: "*" }],
      sessionTimeoutMs: SESSION_MS,
    },
    onAssignment: (told) => {
      assignment = told;
      membership.adopt(told.epoch);
      news.ring();
    },
    onLapsed: () => undefined,
    onRefused: (error) => {
      refusal = error;
      news.ring();
    },
  });
  membership.start();
  try {
    const deadline = Date.now() + (wait.timeoutMs ?? TIMEOUT_MS);
    const isAlone = (): boolean => assignment?.queues.length === topic.groupIds.length;
    while (!isAlone()) {
      demandNotAborted(wait.signal);
      const left = deadline - Date.now();
      if (refusal !== undefined || left <= 0) throw busy(group, refusal);
      await news.wait(left, wait.signal);
    }
    const seeker = (groupId: number): ReturnType<ClusterLink["seeker"]> => link.seeker(groupId);
    const target = new GroupOffsets({ link, group, memberId, seeker });
    const epoch = assignment?.epoch ?? 0;
    await target.claim([...offsets.keys()], epoch, { ...wait, leaseMs: 0 });
    await target.commit(offsets, epoch, wait);
  } finally {
    await membership.leave();
  }
}

function busy(group: string, cause: OperationError | undefined): OperationError {
  const why = cause === undefined ? "others have its queues" : cause.message;
  return new OperationError("MEMBERSHIP_REFUSED", `group ${group} has members: ${why}`, { cause });
}
