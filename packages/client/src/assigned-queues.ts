/**
 * The queues that a member of a consumer group has: taken over when they are assigned, consumed,
 * committed, and given up when they are lost.
 *
 * One assignment is adopted at a time. What is lost is stopped first, and as far as it is finished
 * committed; then the coordinator is told; then what is new is claimed, which fences whoever had
 * it. A queue whose offset was reset is lost and gained at once.
 */

import { OperationError, parseTagExpression } from "@quorumlog/protocol";
import type { CoordinatorMessage, QueueRef } from "@quorumlog/protocol/messages";
import type { ClusterLink } from "./cluster-link.ts";
import { FetchedQueue } from "./fetched-queue.ts";
import type { Fetcher } from "./fetcher.ts";
import { byOwner, type ClaimedOffset, type GroupOffsets } from "./group-offsets.ts";
import type { MessageWorkers } from "./message-workers.ts";
import { finishedOffsets, isFence, ProgressCommits } from "./progress-commits.ts";
import type { PushConsumerEvent, PushConsumerSettings } from "./push-consumer-options.ts";
import { type Claimed, QueueProgress } from "./queue-progress.ts";
import type { UndecodableHandling } from "./undecodable-messages.ts";
import { asUnknown } from "./unknown-outcome.ts";
import type { RetryNotices } from "./retry-notices.ts";
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
  readonly notices: RetryNotices;
  /** What was assigned before is given up here. */
  readonly onAdopted: (epoch: number) => void;
}

type Assignment = Pick<CoordinatorMessage, "epoch" | "queues" | "resetEpoch">;

const RETRY_MS = 200;
/** A lease may be given up before it is over. */
const RETRY_MS_MAX = 1_000;
const COMMIT_MS = 10_000;
/** Of one attempt at a commit or a claim: what a broker group that is away costs the others. */
const ATTEMPT_MS_MAX = 3_000;
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
    const { offsets, leaseMs, notices } = init;
    if (offsets === undefined) return;
    this.#commits = new ProgressCommits({
      offsets,
      leaseMs,
      onSaid: (groupId, error) => {
        notices.note("commit", groupId, error);
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
    if (this.#committing === undefined) void this.#commitNow({});
  }

  /**
   * Notes in the log of the cluster how far the queues are finished now, and renews leases: behind
   * what is being noted already, and again while that fails and may pass.
   *
   * @returns why that was not done for all of them.
   * @throws OperationError `ABORTED`
   */
  async commit(wait: WaitOptions = {}): Promise<OperationError | undefined> {
    const { timeoutMs = COMMIT_MS, signal } = wait;
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      while (this.#committing !== undefined)
        if (!(await this.#noted.wait(Math.max(0, deadline - performance.now()), signal)))
          return new OperationError("TIMEOUT", "the commit before this one is under way");
      const left = Math.max(1, deadline - performance.now());
      const failure = await this.#commitNow({ ...wait, timeoutMs: left });
      if (failure === undefined || failure.advice === "do-not-retry") return failure;
      if (performance.now() + RETRY_MS >= deadline || this.#isStopped()) return failure;
      await pause(RETRY_MS, signal).catch((error: OperationError) => {
        throw failure.outcome === "unknown" ? asUnknown(error) : error;
      });
    }
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
        this.#init.notices.note("claim", undefined, undefined);
      } catch (error) {
        if (this.#isStopped()) break;
        if (!(error instanceof OperationError)) {
          this.#init.onEvent({ type: "refused", error: error as Error });
          break;
        }
        if (!isWait(error)) this.#init.notices.note("claim", undefined, error);
        // Unless there is a newer one by then.
        this.#wanted ??= assignment;
        await this.#pause(Math.min(Math.max(RETRY_MS, error.retryAfterMs), RETRY_MS_MAX));
      }
    }
    // In the turn of the last look: what is assigned from now on is adopted by another one.
    this.#adopting = undefined;
  }

  async #adopt({ epoch, queues, resetEpoch }: Assignment): Promise<void> {
    const assigned = new Set(queues.map(nameOf));
    // Whoever keeps no offsets has none that could be reset: it goes on where it is.
    const resetBefore = this.#commits === undefined ? 0 : resetEpoch;
    const reset = [...this.#queues.values()].filter((each) => each.epoch < resetBefore);
    const lost = [...this.#queues].filter(([name, progress]) => {
      return !assigned.has(name) || progress.isFenced || progress.epoch < resetBefore;
    });
    await this.#release(lost.map(([, progress]) => progress));
    const isNew = epoch > this.#epoch;
    this.#epoch = epoch;
    if (isNew) this.#init.onAdopted(epoch);
    const missing = queues.filter((each) => !this.#queues.has(nameOf(each)));
    const known = this.#known(missing);
    if (known.length > 0) await this.#claim(known, epoch);
    if (known.length < missing.length) await this.#claim(await this.#meet(missing), epoch);
    if (reset.length > 0)
      this.#init.onEvent({ type: "reset", queues: reset.map(({ queue }) => queue.source) });
    if (lost.length === 0 && missing.length === 0 && !isNew) return;
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
    for (const { queue } of lost) this.#queues.delete(nameOf(queue.source));
  }

  /** Those of topics whose routes have come round, and which are not had yet. */
  #known(refs: Assignment["queues"]): FetchedQueue[] {
    const { link, settings, onEvent } = this.#init;
    const undecodable: UndecodableHandling = {
      policy: settings.onUndecodable,
      group: settings.consumerGroup,
      onUndecodable: (told) => {
        onEvent({ type: "undecodable", ...told });
      },
    };
    return refs.flatMap((ref) => {
      const topic = link.routes.route.topicOfId(ref.topicId ?? 0);
      const queue = ref.queue ?? 0;
      if (topic?.groupIds[queue] === undefined || this.#queues.has(nameOf(ref))) return [];
      const tags = parseTagExpression(settings.subscriptions[topic.name] ?? "");
      return [new FetchedQueue(topic, queue, tags, undecodable)];
    });
  }

  /** A topic may be assigned before its route has come round. */
  #meet(refs: Assignment["queues"]): Promise<FetchedQueue[]> {
    const isKnown = ({ topicId, queue }: Assignment["queues"][number]): boolean =>
      this.#init.link.routes.route.topicOfId(topicId ?? 0)?.groupIds[queue ?? 0] !== undefined;
    return this.#init.link.routes.until(
      () => (refs.every(isKnown) ? this.#known(refs) : undefined),
      {
        timeoutMs: TOPICS_MS,
        signal: this.#stop.signal,
        why: "a queue was assigned whose topic is not known",
      },
    );
  }

  /** Of each owner by itself: one that is away keeps nobody from the queues of the others. */
  async #claim(queues: readonly FetchedQueue[], epoch: number): Promise<void> {
    const claims = byOwner(queues).map(([groupId, own]) => this.#claimAt(groupId, own, epoch));
    // All of them are over before anything is claimed again.
    for (const claim of await Promise.allSettled(claims))
      if (claim.status === "rejected") throw claim.reason as Error;
  }

  async #claimAt(groupId: number, queues: readonly FetchedQueue[], epoch: number): Promise<void> {
    const { offsets, leaseMs } = this.#init;
    const wait = { signal: this.#stop.signal, timeoutMs: ATTEMPT_MS_MAX };
    const leasedUntil = leaseMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + leaseMs;
    const claims: ClaimedOffset<FetchedQueue>[] =
      offsets === undefined
        ? queues.map((queue) => ({ queue, committedOffset: -1, fencingToken: 0, error: undefined }))
        : await offsets.claim(groupId, queues, { ...wait, epoch, leaseMs });
    const begun = claims.map(async ({ queue, committedOffset, fencingToken, error }) => {
      const claimed = { committed: committedOffset, fencingToken, epoch, leasedUntil };
      if (error === undefined) await this.#begin(queue, claimed);
      // With a newer epoch it is another member's, and a newer assignment is on its way.
      else if (!isFence(error)) throw error;
    });
    for (const each of await Promise.allSettled(begun))
      if (each.status === "rejected") throw each.reason as Error;
  }

  async #begin(queue: FetchedQueue, claimed: Claimed): Promise<void> {
    const { fetcher, workers, settings, leaseMs } = this.#init;
    const { committed } = claimed;
    const wait = { signal: this.#stop.signal, timeoutMs: ATTEMPT_MS_MAX };
    const start =
      committed >= 0 ? committed : await fetcher.offsetOf(queue, settings.startFrom, wait);
    queue.seek(start);
    if (leaseMs > 0) queue.fencingToken = claimed.fencingToken;
    const progress = new QueueProgress(queue, claimed);
    this.#queues.set(nameOf(queue.source), progress);
    fetcher.add(queue);
    workers.add(progress);
  }

  /** While no other one is under way. */
  #commitNow({ timeoutMs = ATTEMPT_MS_MAX, signal }: WaitOptions): ReturnType<typeof this.commit> {
    const { leaseMs } = this.#init;
    // What is renewed is good for a while yet when an owner that is away has had its time.
    const patienceMs = leaseMs === 0 ? ATTEMPT_MS_MAX : Math.min(ATTEMPT_MS_MAX, leaseMs / 3);
    const wait = {
      timeoutMs: Math.min(timeoutMs, patienceMs),
      ...(signal === undefined ? {} : { signal }),
    };
    this.#committing = this.#commit(wait).finally(() => {
      this.#committing = undefined;
      this.#noted.ring();
    });
    return this.#committing;
  }

  async #commit(wait: WaitOptions): Promise<OperationError | undefined> {
    // A lease that is being given up is not renewed.
    const own = [...this.#queues.values()].filter(({ lost }) => !lost.signal.aborted);
    const finished = finishedOffsets(own);
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

function nameOf({ topicId, queue }: QueueRef.$Properties): string {
  return `${topicId ?? 0}/${queue ?? 0}`;
}
