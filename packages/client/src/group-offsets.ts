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

/** How far a group is in a queue. */
export interface CommittedOffset {
  /** -1: nothing was committed yet. */
  readonly offset: number;
  /** Of the last claim or reset; 0: there was none. */
  readonly fencingToken: number;
  /** Of the assignment that was claimed last; 0: no member has claimed it. */
  readonly epoch: number;
}

/** What is said of one queue. */
export interface CommitPlace {
  /** `undefined`: as it was; its lease alone is renewed, or given up. */
  readonly offset: number | undefined;
  /** As it was claimed; 0: it was not. */
  readonly fencingToken: number;
}

export interface CommitOptions extends WaitOptions {
  readonly epoch: number;
  /** Leases are good for so long from now on; 0, the default: as they were. */
  readonly leaseMs?: number;
  /** Leases are given up; default false. */
  readonly isRelease?: boolean;
}

export interface GroupOffsetsInit {
  readonly link: ClusterLink;
  readonly group: string;
  readonly memberId: string;
  /** Of a broadcasting member: its progress is its own; default false. */
  readonly isOwnProgress?: boolean;
  readonly seeker: (groupId: number) => LeaderSeeker;
}

export const consumerGroup: Check = textThat(groupNameProblem);

export class GroupOffsets {
  readonly #init: GroupOffsetsInit;

  constructor(init: GroupOffsetsInit) {
    this.#init = init;
  }

  async committed(queue: OwnedQueue, wait: WaitOptions): Promise<CommittedOffset> {
    const { group } = this.#init;
    const request = { group, queues: [refOf(queue)] };
    const target = this.#target(queue.groupId, wait);
    const { offsets } = await this.#init.link.callLeader(
      target,
      OFFSETS_SERVICE.getOffsets,
      request,
    );
    const [told] = offsets;
    return {
      offset: told?.committedOffset ?? -1,
      fencingToken: told?.fencingToken ?? 0,
      epoch: told?.epoch ?? 0,
    };
  }

  /**
   * @param queues - Of one broker group.
   * @throws OperationError if that cannot be asked; what one queue is refused is beside it
   */
  async claim<Queue extends OwnedQueue>(
    groupId: number,
    queues: readonly Queue[],
    options: WaitOptions & { readonly epoch: number; readonly leaseMs: number },
  ): Promise<ClaimedOffset<Queue>[]> {
    const { group, memberId, isOwnProgress = false } = this.#init;
    const { epoch, leaseMs } = options;
    const refs = queues.map(refOf);
    const request = { group, memberId, epoch, queues: refs, leaseMs, isOwnProgress };
    const target = this.#target(groupId, options);
    const reply = await this.#init.link.callLeader(target, OFFSETS_SERVICE.claim, request);
    return queues.map((queue, i) => {
      const told = reply.queues[i];
      return {
        queue,
        committedOffset: told?.committedOffset ?? -1,
        fencingToken: told?.fencingToken ?? 0,
        error: told?.error ? operationError(told.error) : undefined,
      };
    });
  }

  /** @returns why a queue was refused, or its owner could not be asked; none of the others. */
  async commit<Queue extends OwnedQueue>(
    places: ReadonlyMap<Queue, CommitPlace>,
    options: CommitOptions,
  ): Promise<Map<Queue, OperationError>> {
    const refusals = new Map<Queue, OperationError>();
    const commits = byOwner([...places.keys()]).map(async ([groupId, own]) => {
      try {
        const offsets = own.map((queue) => ({
          ...refOf(queue),
          ...(places.get(queue) as CommitPlace),
        }));
        const errors = await this.#commitAt(groupId, offsets, options);
        for (const [i, queue] of own.entries()) {
          const error = errors[i];
          if (error !== undefined) refusals.set(queue, error);
        }
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
        for (const queue of own) refusals.set(queue, error);
      }
    });
    await Promise.all(commits);
    return refusals;
  }

  async #commitAt(
    groupId: number,
    offsets: readonly (CommitPlace & { readonly topicId: number; readonly queue: number })[],
    options: CommitOptions,
  ): Promise<(OperationError | undefined)[]> {
    const { group, memberId, isOwnProgress = false } = this.#init;
    const { epoch, leaseMs = 0, isRelease = false } = options;
    const said = offsets.map(({ offset, ...rest }) => ({ ...rest, offset: offset ?? null }));
    const request = { group, memberId, epoch, offsets: said, leaseMs, isRelease, isOwnProgress };
    const target = this.#target(groupId, options);
    const { errors } = await this.#init.link.callLeader(target, OFFSETS_SERVICE.commit, request);
    return errors.map((error) =>
      error.code === undefined || error.code === "" ? undefined : operationError(error),
    );
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

/** Of things that are a broker group's. */
export function byOwner<Owned extends { readonly groupId: number }>(
  all: readonly Owned[],
): [number, Owned[]][] {
  const owners = new Map<number, Owned[]>();
  for (const each of all) {
    const own = owners.get(each.groupId);
    if (own === undefined) owners.set(each.groupId, [each]);
    else own.push(each);
  }
  return [...owners];
}
