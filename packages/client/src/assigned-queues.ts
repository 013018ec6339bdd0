/**
 * The queues that a member of a consumer group has: taken over when they are assigned, consumed,
 * committed, and given up when they are lost.
 *
 * One assignment is adopted at a time. What is lost is stopped first, and as far as it is finished
 * committed; then the coordinator is told; then what is new is claimed, which fences whoever had
 * it. A queue whose offset was reset is lost and gained at once.
 */

import { OperationError, parseTagExpression } from "@quorumlog/protocol";
import type { CoordinatorMessage } from "@quorumlog/protocol/messages";
import type { ClusterLink } from "./cluster-link.ts";
import { FetchedQueue } from "./fetched-queue.ts";
import type { Fetcher } from "./fetcher.ts";
import type { ClaimedOffset, GroupOffsets } from "./group-offsets.ts";
import type { MessageWorkers } from "./message-workers.ts";
import {
  type FinishedOffsets,
  finishedOffsets,
  isFence,
  ProgressCommits,
} from "./progress-commits.ts";
import type { PushConsumerEvent, PushConsumerSettings } from "./push-consumer-options.ts";
import { type Claimed, QueueProgress } from "./queue-progress.ts";
import type { UndecodableHandling } from "./undecodable-messages.ts";
import { Bell, pause, type WaitOptions } from "./waiting.ts";

export interface AssignedQueuesInit {
  readonly settings: PushConsumerSettings;
  readonly link: ClusterLink;
  readonly fetcher: Fetcher;
  readonly workers: MessageWorkers;
  /** None of a consumer that commits nothing. */
  readonly offsets: GroupOffsets | undefined;
  /** 0: queues are not leased. */
  readonly leaseMs: number;
  readonly onEvent: (event: PushConsumerEvent) => void;
  /** What was assigned before is given up here. */
  readonly onAdopted: (epoch: number) => void;
}

type Assignment = Pick<CoordinatorMessage, "epoch" | "queues" | "resetEpoch">;

const RETRY_MS = 200;
/** A lease may be given up before it is over. */
const RETRY_MS_MAX = 1_000;
const COMMIT_MS = 10_000;
const TOPICS_MS = 5_000;
/** How long a listener may still be at work with what is somebody else's by now. */
const RELEASE_MS_MAX = 2_000;
/** Of the last commit, with nobody to ask any more. */
const LAST_COMMIT_MS = { min: 1_000, max: 10_000 };

export class AssignedQueues {
  readonly #init: AssignedQueuesInit;
  readonly #commits: ProgressCommits | undefined;
  readonly #stop = new AbortController();
  readonly #queues = new Map<string, QueueProgress>();
  #epoch = 0;
  /** The last one that was told of. */
  #assignment: Assignment | undefined;
  #wanted: Assignment | undefined;
  #adopting: Promise<void> | undefined;
  #committing: Promise<OperationError | undefined> | undefined;
  /** Rings when a commit is over. */
  readonly #noted = new Bell();

  constructor(init: AssignedQueuesInit) {
    this.#init = init;
    const { offsets, leaseMs, onEvent } = init;
    if (offsets === undefined) return;
    this.#commits = new ProgressCommits({
      offsets,
      leaseMs,
      onFailed: (error) => {
        onEvent({ type: "commit-failed", error });
      },
      onFenced: () => {
        this.#claimAnew();
      },
    });
  }

  /**
   * The newest one counts. Nothing of it is done before whoever calls is through: that may be
   * somebody who looks through the queues, and finds out that one is lost.
   */
  assign(assignment: Assignment): void {
    if (this.#stop.signal.aborted) return;
    this.#assignment = assignment;
    this.#wanted = assignment;
    this.#adopting ??= Promise.resolve().then(() => this.#adoptAll());
  }

  /** Others may have them by now. */
  loseAll(): void {
    this.assign({ epoch: this.#epoch, queues: [], resetEpoch: 0 });
  }

  /** Its owner has given it to another one since, or has reset it. */
  onFenced(progress: QueueProgress): void {
    progress.isFenced = true;
    this.#claimAnew();
  }

  /** A commit now and then: left out while one is under way. Never rejects; failures are events. */
  tick(): void {
    if (this.#committing === undefined) void this.commit();
  }

  /**
   * Notes in the log of the cluster how far the queues are finished now, and renews leases: behind
   * what is being noted already.
   *
   * @returns why that was not done for all of them.
   * @throws OperationError `ABORTED`
   */
  async commit(wait: WaitOptions = {}): Promise<OperationError | undefined> {
    const finished = finishedOffsets(this.#queues.values());
    const { timeoutMs = COMMIT_MS, signal } = wait;
    while (this.#committing !== undefined)
      if (!(await this.#noted.wait(timeoutMs, signal)))
        return new OperationError("TIMEOUT", "the commit before this one is under way");
    this.#committing = this.#commit(finished, wait).finally(() => {
      this.#committing = undefined;
      this.#noted.ring();
    });
    return this.#committing;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#adopting;
    for (const { lost } of this.#queues.values()) lost.abort();
    await this.#committing;
    const { min, max } = LAST_COMMIT_MS;
    const timeoutMs = Math.max(min, Math.min(max, this.#init.settings.closeTimeoutMs));
    await this.#commits?.release(this.#queues.values(), this.#epoch, { timeoutMs });
    this.#queues.clear();
  }

  async #adoptAll(): Promise<void> {
    while (this.#wanted !== undefined && !this.#isStopped()) {
      const assignment = this.#wanted;
      this.#wanted = undefined;
      try {
        await this.#adopt(assignment);
      } catch (error) {
        if (this.#isStopped()) break;
        if (!isWait(error)) this.#init.onEvent({ type: "refused", error: error as Error });
        if (!(error instanceof OperationError)) break;
        // Unless there is a newer one by then.
        this.#wanted ??= assignment;
        await this.#pause(Math.min(Math.max(RETRY_MS, error.retryAfterMs), RETRY_MS_MAX));
      }
    }
    // In the turn of the last look: what is assigned from now on is adopted by another one.
    this.#adopting = undefined;
  }

  async #adopt({ epoch, queues, resetEpoch }: Assignment): Promise<void> {
    const assigned = new Set(queues.map((each) => nameOf(each.topicId ?? 0, each.queue ?? 0)));
    const reset = [...this.#queues.values()].filter((each) => each.epoch < resetEpoch);
    const lost = [...this.#queues].filter(([name, progress]) => {
      return !assigned.has(name) || progress.isFenced || progress.epoch < resetEpoch;
    });
    await this.#release(lost.map(([, progress]) => progress));
    const isNew = epoch > this.#epoch;
    this.#epoch = epoch;
    if (isNew) this.#init.onAdopted(epoch);
    const gained = await this.#meet(
      queues.filter((each) => !this.#queues.has(nameOf(each.topicId ?? 0, each.queue ?? 0))),
    );
    if (gained.length > 0) await this.#claim(gained, epoch);
    if (reset.length > 0)
      this.#init.onEvent({ type: "reset", queues: reset.map(({ queue }) => queue.source) });
    if (lost.length === 0 && gained.length === 0 && !isNew) return;
    const sources = [...this.#queues.values()].map(({ queue: { source } }) => source);
    this.#init.onEvent({ type: "assigned", epoch, queues: sources });
  }

  async #release(lost: readonly QueueProgress[]): Promise<void> {
    if (lost.length === 0) return;
    const { fetcher, workers, settings } = this.#init;
    for (const progress of lost) {
      workers.remove(progress);
      fetcher.remove(progress.queue);
      progress.lost.abort();
    }
    const patienceMs = Math.min(RELEASE_MS_MAX, settings.sessionTimeoutMs / 3);
    await Promise.all(lost.map((progress) => progress.idle(patienceMs)));
    // A renewal on its way would lease them again.
    await this.#committing;
    await this.#commits?.release(lost, this.#epoch, { timeoutMs: RELEASE_MS_MAX });
    for (const { queue } of lost)
      this.#queues.delete(nameOf(queue.source.topicId, queue.source.queue));
  }

  /** A topic may be assigned before its route has come round. */
  #meet(refs: Assignment["queues"]): Promise<FetchedQueue[]> {
    const { link, settings, onEvent } = this.#init;
    const undecodable: UndecodableHandling = {
      policy: settings.onUndecodable,
      group: settings.consumerGroup,
      onUndecodable: (told) => {
        onEvent({ type: "undecodable", ...told });
      },
    };
    return link.routes.until(
      (route) => {
        const queues: FetchedQueue[] = [];
        for (const { topicId, queue } of refs) {
          const topic = route.topicOfId(topicId ?? 0);
          if (topic?.groupIds[queue ?? 0] === undefined) return undefined;
          const tags = parseTagExpression(settings.subscriptions[topic.name] ?? "");
          queues.push(new FetchedQueue(topic, queue ?? 0, tags, undecodable));
        }
        return queues;
      },
      {
        timeoutMs: TOPICS_MS,
        signal: this.#stop.signal,
        why: "a queue was assigned whose topic is not known",
      },
    );
  }

  async #claim(queues: readonly FetchedQueue[], epoch: number): Promise<void> {
    const { offsets, leaseMs } = this.#init;
    const { signal } = this.#stop;
    const leasedUntil = leaseMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + leaseMs;
    const claims: ClaimedOffset<FetchedQueue>[] =
      offsets === undefined
        ? queues.map((queue) => ({ queue, committedOffset: -1, fencingToken: 0, error: undefined }))
        : await offsets.claim(queues, epoch, { signal, leaseMs });
    let refusal: OperationError | undefined;
    await Promise.all(
      claims.map(async ({ queue, committedOffset: committed, fencingToken, error }) => {
        // With a newer epoch it is another member's, and a newer assignment is on its way.
        if (error === undefined)
          await this.#begin(queue, { committed, fencingToken, epoch, leasedUntil });
        else if (!isFence(error)) refusal = error;
      }),
    );
    if (refusal !== undefined) throw refusal;
  }

  async #begin(queue: FetchedQueue, claimed: Claimed): Promise<void> {
    const { fetcher, workers, settings, leaseMs } = this.#init;
    const { committed } = claimed;
    const wait = { signal: this.#stop.signal };
    const start =
      committed >= 0 ? committed : await fetcher.offsetOf(queue, settings.startFrom, wait);
    queue.seek(start);
    if (leaseMs > 0) queue.fencingToken = claimed.fencingToken;
    const progress = new QueueProgress(queue, claimed);
    this.#queues.set(nameOf(queue.source.topicId, queue.source.queue), progress);
    fetcher.add(queue);
    workers.add(progress);
  }

  async #commit(finished: FinishedOffsets, wait: WaitOptions): Promise<OperationError | undefined> {
    const failure = await this.#commits?.commit(finished, this.#epoch, wait);
    // Some may have waited for their leases.
    if (this.#init.leaseMs > 0) this.#init.workers.pump();
    return failure;
  }

  /** What was fenced is dropped, and claimed if it is still assigned. */
  #claimAnew(): void {
    if (this.#assignment !== undefined) this.assign(this.#wanted ?? this.#assignment);
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async #pause(ms: number): Promise<void> {
    try {
      await pause(ms, this.#stop.signal);
    } catch {
      // It was closed: the loop sees that.
    }
  }
}

/** Whoever had the queue has a lease on it; that passes, and is no news. */
function isWait(error: unknown): boolean {
  return error instanceof OperationError && error.code === "QUEUE_LEASED";
}

function nameOf(topicId: number, queue: number): string {
  return `${topicId}/${queue}`;
}
