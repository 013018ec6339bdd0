/**
 * The queues that a member of a consumer group has: taken over when they are assigned, consumed,
 * committed, and given up when they are lost.
 *
 * One assignment is adopted at a time. What is lost is stopped first, and as far as it is finished
 * committed; then the coordinator is told; then what is new is claimed, which fences whoever had
 * it.
 */

import { OperationError, parseTagExpression } from "@quorumlog/protocol";
import type { CoordinatorMessage } from "@quorumlog/protocol/messages";
import type { ClusterLink } from "./cluster-link.ts";
import { FetchedQueue } from "./fetched-queue.ts";
import type { Fetcher } from "./fetcher.ts";
import type { ClaimedOffset, GroupOffsets } from "./group-offsets.ts";
import type { MessageWorkers } from "./message-workers.ts";
import type { PushConsumerEvent, PushConsumerSettings } from "./push-consumer-options.ts";
import { QueueProgress } from "./queue-progress.ts";
import { pause } from "./waiting.ts";

export interface AssignedQueuesInit {
  readonly settings: PushConsumerSettings;
  readonly link: ClusterLink;
  readonly fetcher: Fetcher;
  readonly workers: MessageWorkers;
  /** None of a consumer that commits nothing. */
  readonly offsets: GroupOffsets | undefined;
  readonly onEvent: (event: PushConsumerEvent) => void;
  /** What was assigned before is given up here. */
  readonly onAdopted: (epoch: number) => void;
}

type Assignment = Pick<CoordinatorMessage, "epoch" | "queues">;

const RETRY_MS = 200;
const TOPICS_MS = 5_000;
/** How long a listener may still be at work with what is somebody else's by now. */
const RELEASE_MS_MAX = 2_000;

export class AssignedQueues {
  readonly #init: AssignedQueuesInit;
  readonly #stop = new AbortController();
  readonly #queues = new Map<string, QueueProgress>();
  #epoch = 0;
  #wanted: Assignment | undefined;
  #adopting: Promise<void> | undefined;
  #committing: Promise<void> | undefined;

  constructor(init: AssignedQueuesInit) {
    this.#init = init;
  }

  /** The newest one counts. */
  assign(assignment: Assignment): void {
    if (this.#stop.signal.aborted) return;
    this.#wanted = assignment;
    this.#adopting ??= this.#adoptAll().finally(() => {
      this.#adopting = undefined;
    });
  }

  /** Others may have them by now. */
  loseAll(): void {
    this.assign({ epoch: this.#epoch, queues: [] });
  }

  /** Notes in the log of the cluster how far the queues are finished. */
  commit(): Promise<void> {
    this.#committing ??= this.#commit([...this.#queues.values()]).finally(() => {
      this.#committing = undefined;
    });
    return this.#committing;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#adopting;
    for (const { lost } of this.#queues.values()) lost.abort();
    await this.#committing;
    await this.commit();
  }

  async #adoptAll(): Promise<void> {
    while (this.#wanted !== undefined && !this.#isStopped()) {
      const assignment = this.#wanted;
      this.#wanted = undefined;
      try {
        await this.#adopt(assignment);
      } catch (error) {
        if (this.#isStopped()) return;
        this.#init.onEvent({ type: "refused", error: error as Error });
        if (!(error instanceof OperationError)) return;
        // Unless there is a newer one by then.
        this.#wanted ??= assignment;
        await this.#pause();
      }
    }
  }

  async #adopt({ epoch, queues }: Assignment): Promise<void> {
    const assigned = new Set(queues.map((each) => nameOf(each.topicId ?? 0, each.queue ?? 0)));
    const lost = [...this.#queues].filter(([name]) => !assigned.has(name));
    await this.#release(lost.map(([, progress]) => progress));
    const isNew = epoch > this.#epoch;
    this.#epoch = epoch;
    if (isNew) this.#init.onAdopted(epoch);
    const gained = await this.#meet(
      queues.filter((each) => !this.#queues.has(nameOf(each.topicId ?? 0, each.queue ?? 0))),
    );
    if (gained.length > 0) await this.#claim(gained, epoch);
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
    await this.#commit(lost);
    for (const { queue } of lost)
      this.#queues.delete(nameOf(queue.source.topicId, queue.source.queue));
  }

  /** A topic may be assigned before its route has come round. */
  #meet(refs: Assignment["queues"]): Promise<FetchedQueue[]> {
    const { link, settings } = this.#init;
    return link.routes.until(
      (route) => {
        const queues: FetchedQueue[] = [];
        for (const { topicId, queue } of refs) {
          const topic = route.topicOfId(topicId ?? 0);
          if (topic?.groupIds[queue ?? 0] === undefined) return undefined;
          const tags = parseTagExpression(settings.subscriptions[topic.name] ?? "");
          queues.push(new FetchedQueue(topic, queue ?? 0, tags));
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
    const { offsets, settings } = this.#init;
    const { signal } = this.#stop;
    const leaseMs = settings.order === "orderly" ? settings.sessionTimeoutMs : 0;
    const claims: ClaimedOffset<FetchedQueue>[] =
      offsets === undefined
        ? queues.map((queue) => ({ queue, committedOffset: -1, fencingToken: 0, error: undefined }))
        : await offsets.claim(queues, epoch, { signal, leaseMs });
    let refusal: OperationError | undefined;
    await Promise.all(
      claims.map(async ({ queue, committedOffset, fencingToken, error }) => {
        if (error !== undefined) refusal = error;
        else await this.#begin(queue, { committed: committedOffset, fencingToken });
      }),
    );
    // With a newer epoch it is another member's, and a newer assignment is on its way.
    if (refusal !== undefined && refusal.code !== "STALE_EPOCH") throw refusal;
  }

  async #begin(
    queue: FetchedQueue,
    claimed: { readonly committed: number; readonly fencingToken: number },
  ): Promise<void> {
    const { fetcher, workers, settings } = this.#init;
    const { committed } = claimed;
    const wait = { signal: this.#stop.signal };
    const start =
      committed >= 0 ? committed : await fetcher.offsetOf(queue, settings.startFrom, wait);
    queue.seek(start);
    const progress = new QueueProgress(queue, claimed);
    this.#queues.set(nameOf(queue.source.topicId, queue.source.queue), progress);
    fetcher.add(queue);
    workers.add(progress);
  }

  async #commit(queues: readonly QueueProgress[]): Promise<void> {
    const { offsets, onEvent } = this.#init;
    const due = queues.filter(({ finished, committed }) => finished !== committed);
    if (offsets === undefined || due.length === 0) return;
    const places = new Map(due.map((progress) => [progress.queue, progress.finished]));
    try {
      await offsets.commit(places, this.#epoch, {});
      for (const progress of due) progress.committed = places.get(progress.queue) as number;
    } catch (error) {
      // It is tried again; and whoever takes the queue over begins a little earlier.
      onEvent({ type: "commit-failed", error: error as Error });
    }
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async #pause(): Promise<void> {
    try {
      await pause(RETRY_MS, this.#stop.signal);
    } catch {
      // It was closed: the loop sees that.
    }
  }
}

function nameOf(topicId: number, queue: number): string {
  return `${topicId}/${queue}`;
}
