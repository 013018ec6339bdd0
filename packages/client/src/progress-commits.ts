/**
 * Notes in the log of the cluster how far queues are finished, and keeps their leases: one call to
 * each owner, for all of its queues. No owner's queues wait for the answer of another one.
 */

import type { OperationError } from "@quorumlog/protocol";
import type { FetchedQueue } from "./fetched-queue.ts";
import { byOwner, type CommitPlace, type GroupOffsets } from "./group-offsets.ts";
import type { QueueProgress } from "./queue-progress.ts";
import type { WaitOptions } from "./waiting.ts";

export interface ProgressCommitsInit {
  readonly offsets: GroupOffsets;
  /** Of an orderly consumer; 0: there are no leases. */
  readonly leaseMs: number;
  /** By a broker group: it was not noted, and is tried again; `undefined`: it was. */
  readonly onSaid: (groupId: number, error: OperationError | undefined) => void;
  /** Others have these, or they were reset: whatever they are finished by now counts no more. */
  readonly onFenced: () => void;
}

/** How far queues are finished at one moment. */
export type FinishedOffsets = ReadonlyMap<QueueProgress, number>;

/** What there is to say of a queue. */
interface Due {
  readonly groupId: number;
  readonly progress: QueueProgress;
  readonly offset: number;
}

export function finishedOffsets(queues: Iterable<QueueProgress>): FinishedOffsets {
  return new Map([...queues].map((progress) => [progress, progress.finished]));
}

export class ProgressCommits {
  readonly #init: ProgressCommitsInit;

  constructor(init: ProgressCommitsInit) {
    this.#init = init;
  }

  /**
   * Notes what is finished since, and renews leases.
   *
   * @returns why something was not noted; fenced queues are told by `isFenced`.
   */
  async commit(
    finished: FinishedOffsets,
    epoch: number,
    wait: WaitOptions = {},
  ): Promise<OperationError | undefined> {
    const { leaseMs } = this.#init;
    // A lease is counted from before it is asked for: its owner counts from later.
    const leasedUntil = performance.now() + leaseMs;
    return this.#say(finished, { ...wait, epoch, leaseMs }, leasedUntil);
  }

  /** Notes what is finished, and gives the leases up. */
  async release(
    queues: Iterable<QueueProgress>,
    epoch: number,
    wait: WaitOptions = {},
  ): Promise<void> {
    await this.#say(finishedOffsets(queues), { ...wait, epoch, isRelease: true }, 0);
  }

  async #say(
    finished: FinishedOffsets,
    options: Parameters<GroupOffsets["commit"]>[1],
    leasedUntil: number,
  ): Promise<OperationError | undefined> {
    const { leaseMs, onSaid } = this.#init;
    const due: Due[] = [];
    for (const [progress, offset] of finished)
      if (!progress.isFenced && (leaseMs > 0 || offset !== progress.committed))
        due.push({ groupId: progress.queue.groupId, progress, offset });
    const failures = await Promise.all(
      byOwner(due).map(async ([groupId, own]) => {
        const failure = await this.#sayTo(own, options, leasedUntil);
        // It is tried again; and whoever takes a queue over begins a little earlier.
        onSaid(groupId, failure);
        return failure;
      }),
    );
    return failures.find((each) => each !== undefined);
  }

  /** To one owner. */
  async #sayTo(
    due: readonly Due[],
    options: Parameters<GroupOffsets["commit"]>[1],
    leasedUntil: number,
  ): Promise<OperationError | undefined> {
    const { offsets, leaseMs, onFenced } = this.#init;
    const places = new Map<FetchedQueue, CommitPlace>();
    for (const { progress, offset } of due) {
      const { queue, fencingToken, committed } = progress;
      places.set(queue, { fencingToken, offset: offset === committed ? undefined : offset });
    }
    const refusals = await offsets.commit(places, options);
    let failure: OperationError | undefined;
    let hasFenced = false;
    for (const { progress, offset } of due) {
      const refusal = refusals.get(progress.queue);
      if (refusal === undefined) {
        progress.committed = offset;
        if (leaseMs > 0 && leasedUntil > 0) progress.renew(leasedUntil);
      } else if (isFence(refusal)) {
        progress.isFenced = true;
        hasFenced = true;
      } else failure ??= refusal;
    }
    if (hasFenced) onFenced();
    return failure;
  }
}

export function isFence({ code }: OperationError): boolean {
  return code === "STALE_FENCING_TOKEN" || code === "STALE_EPOCH";
}
