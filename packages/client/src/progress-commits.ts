/**
 * Notes in the log of the cluster how far queues are finished, and keeps their leases: one call to
 * each owner, for all of its queues.
 */

import type { OperationError } from "@quorumlog/protocol";
import type { CommitPlace, GroupOffsets } from "./group-offsets.ts";
import type { QueueProgress } from "./queue-progress.ts";
import type { WaitOptions } from "./waiting.ts";

export interface ProgressCommitsInit {
  readonly offsets: GroupOffsets;
  /** Of an orderly consumer; 0: there are no leases. */
  readonly leaseMs: number;
  /** It was not noted, and is tried again; unless whoever asked for it is told. */
  readonly onFailed: (error: OperationError) => void;
  /** Others have these, or they were reset: whatever they are finished by now counts no more. */
  readonly onFenced: () => void;
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
    queues: readonly QueueProgress[],
    epoch: number,
    wait: WaitOptions = {},
  ): Promise<OperationError | undefined> {
    const { leaseMs } = this.#init;
    const live = queues.filter(({ isFenced }) => !isFenced);
    // A lease is counted from before it is asked for: its owner counts from later.
    const leasedUntil = performance.now() + leaseMs;
    const due = leaseMs > 0 ? live : live.filter(isDue);
    const failure = await this.#say(due, { ...wait, epoch, leaseMs }, leasedUntil);
    if (due.some(({ isFenced }) => isFenced)) this.#init.onFenced();
    return failure;
  }

  /** Notes what is finished, and gives the leases up. */
  async release(
    queues: readonly QueueProgress[],
    epoch: number,
    wait: WaitOptions = {},
  ): Promise<void> {
    const live = queues.filter(({ isFenced }) => !isFenced);
    const due = this.#init.leaseMs > 0 ? live : live.filter(isDue);
    await this.#say(due, { ...wait, epoch, isRelease: true }, 0);
  }

  async #say(
    due: readonly QueueProgress[],
    options: Parameters<GroupOffsets["commit"]>[1],
    leasedUntil: number,
  ): Promise<OperationError | undefined> {
    if (due.length === 0) return undefined;
    const { offsets, leaseMs, onFailed } = this.#init;
    const places = new Map(due.map((progress) => [progress.queue, placeOf(progress)]));
    const refusals = await offsets.commit(places, options);
    let failure: OperationError | undefined;
    for (const progress of due) {
      const refusal = refusals.get(progress.queue);
      const offset = places.get(progress.queue)?.offset;
      if (refusal === undefined) {
        progress.committed = offset ?? progress.committed;
        if (leaseMs > 0 && leasedUntil > 0) progress.renew(leasedUntil);
      } else if (isFence(refusal)) progress.isFenced = true;
      else failure ??= refusal;
    }
    // It is tried again; and whoever takes a queue over begins a little earlier.
    if (failure !== undefined) onFailed(failure);
    return failure;
  }
}

function isDue({ finished, committed }: QueueProgress): boolean {
  return finished !== committed;
}

function placeOf(progress: QueueProgress): CommitPlace {
  const { fencingToken, finished } = progress;
  return { fencingToken, offset: isDue(progress) ? finished : undefined };
}

export function isFence({ code }: OperationError): boolean {
  return code === "STALE_FENCING_TOKEN" || code === "STALE_EPOCH";
}
