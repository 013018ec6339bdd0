/** How far a consumer group is, asked and told at the leaders that own its queues. */

import {
  groupNameProblem,
  OFFSETS_SERVICE,
  OperationError,
  operationError,
} from "@quorumlog/protocol";
import type { ClusterLink } from "./cluster-link.ts";
import type { BatchSource } from "./consumed-message.ts";
import type { LeaderSeeker } from "./leader-seeker.ts";
import { type Check, textThat } from "./option-problems.ts";
import type { WaitOptions } from "./waiting.ts";

/** A queue, and who has it. */
export interface OwnedQueue {
  readonly source: BatchSource;
  readonly groupId: number;
}

export interface ClaimedOffset<Queue> {
  readonly queue: Queue;
  /** -1: nothing was committed yet. */
  readonly committedOffset: number;
  readonly fencingToken: number;
  readonly error: OperationError | undefined;
}

export interface GroupOffsetsInit {
  readonly link: ClusterLink;
  readonly group: string;
  readonly memberId: string;
  readonly seeker: (groupId: number) => LeaderSeeker;
}

export const consumerGroup: Check = textThat(groupNameProblem);

export class GroupOffsets {
  readonly #init: GroupOffsetsInit;

  constructor(init: GroupOffsetsInit) {
    this.#init = init;
  }

  /** @returns -1 for a queue in which nothing was committed. */
  async committed(queue: OwnedQueue, wait: WaitOptions): Promise<number> {
    const { group } = this.#init;
    const request = { group, queues: [refOf(queue)] };
    const target = this.#target(queue.groupId, wait);
    const { offsets } = await this.#init.link.callLeader(
      target,
      OFFSETS_SERVICE.getOffsets,
      request,
    );
    return offsets[0]?.committedOffset ?? -1;
  }

  /**
   * @throws OperationError of an owner that cannot be asked; what one queue is refused is beside it
   */
  async claim<Queue extends OwnedQueue>(
    queues: readonly Queue[],
    epoch: number,
    wait: WaitOptions & { readonly leaseMs: number },
  ): Promise<ClaimedOffset<Queue>[]> {
    const { group, memberId } = this.#init;
    const { leaseMs } = wait;
    const claims = byOwner(queues).map(async ([groupId, own]) => {
      const request = { group, memberId, epoch, queues: own.map(refOf), leaseMs };
      const target = this.#target(groupId, wait);
      const reply = await this.#init.link.callLeader(target, OFFSETS_SERVICE.claim, request);
      return own.map((queue, i) => {
        const told = reply.queues[i];
        return {
          queue,
          committedOffset: told?.committedOffset ?? -1,
          fencingToken: told?.fencingToken ?? 0,
          error: told?.error ? operationError(told.error) : undefined,
        };
      });
    });
    return (await Promise.all(claims)).flat();
  }

  /** @throws OperationError of the first queue that was refused, once all owners were asked */
  async commit(
    offsets: ReadonlyMap<OwnedQueue, number>,
    epoch: number,
    wait: WaitOptions,
  ): Promise<void> {
    const { group, memberId } = this.#init;
    const commits = byOwner([...offsets.keys()]).map(async ([groupId, own]) => {
      const places = own.map((queue) => ({ ...refOf(queue), offset: offsets.get(queue) ?? 0 }));
      const request = { group, memberId, epoch, offsets: places };
      const target = this.#target(groupId, wait);
      const { errors } = await this.#init.link.callLeader(target, OFFSETS_SERVICE.commit, request);
      const refusal = errors.find(({ code }) => code !== undefined && code !== "");
      if (refusal !== undefined) throw operationError(refusal);
    });
    for (const result of await Promise.allSettled(commits))
      if (result.status === "rejected") throw result.reason as Error;
  }

  #target(
    groupId: number,
    { signal, timeoutMs }: WaitOptions,
  ): { readonly seeker: LeaderSeeker; readonly isRepeatable: true } & WaitOptions {
    return {
      seeker: this.#init.seeker(groupId),
      isRepeatable: true,
      ...(signal === undefined ? {} : { signal }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
  }
}

function refOf({ source: { topicId, queue } }: OwnedQueue): { topicId: number; queue: number } {
  return { topicId, queue };
}

function byOwner<Queue extends OwnedQueue>(queues: readonly Queue[]): [number, Queue[]][] {
  const owners = new Map<number, Queue[]>();
  for (const queue of queues) {
    const own = owners.get(queue.groupId);
    if (own === undefined) owners.set(queue.groupId, [queue]);
    else own.push(queue);
  }
  return [...owners];
}
