/**
 * Gathers what members commit, and the leases they renew: however many they are, the log gets one
 * record in a tick. Whoever comes after a quiet time does not wait for one.
 */

import { OperationError, operationError } from "@quorumlog/protocol";
import type { CommitAnswer, CommitRequest } from "@quorumlog/protocol/messages";
import type { BrokerGroup } from "../broker-group.ts";

/** Commits come every few seconds from each member: nobody notices so short a wait. */
const TICK_MS = 20;
/** Of one record. */
const QUEUES_PER_TICK_MAX = 16_384;
const QUEUES_WAITING_MAX = 10 * QUEUES_PER_TICK_MAX;
/** At most, of a commit as it is encoded; of each of its queues; and of a letter of its names. */
const COMMIT_BYTES = 64;
const QUEUE_BYTES = 48;
const LETTER_BYTES = 3;

interface WaitingCommit {
  readonly request: CommitRequest;
  readonly resolve: (answer: CommitAnswer) => void;
  readonly reject: (error: unknown) => void;
}

export class CommitDesk {
  readonly #group: BrokerGroup;
  readonly #recordBytesMax: number;
  #waiting: WaitingCommit[] = [];
  #queueCount = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastAt = 0;
  #isUnderWay = false;

  /** @param recordBytesMax - What the log takes. */
  constructor(group: BrokerGroup, recordBytesMax: number) {
    this.#group = group;
    this.#recordBytesMax = recordBytesMax;
  }

  /**
   * @returns what became of each queue.
   * @throws OperationError of the whole commit: `OVERLOADED` without having asked anybody
   */
  async commit(request: CommitRequest): Promise<CommitAnswer> {
    const count = queueCountOf(request);
    if (this.#queueCount + count > QUEUES_WAITING_MAX)
      throw new OperationError("OVERLOADED", `commits of ${this.#queueCount} queues wait`, {
        retryAfterMs: TICK_MS,
      });
    const answer = await new Promise<CommitAnswer>((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#queueCount += count;
      this.#schedule();
    });
    if (answer.error) throw operationError(answer.error);
    return answer;
  }

  #schedule(): void {
    if (this.#isUnderWay || this.#timer !== undefined || this.#waiting.length === 0) return;
    const waitMs = Math.max(0, this.#lastAt + TICK_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#isUnderWay = true;
      this.#lastAt = performance.now();
      // It settles every commit that it takes, and so never rejects.
      void this.#submit(this.#take()).finally(() => {
        this.#isUnderWay = false;
        this.#schedule();
      });
    }, waitMs);
  }

  /** At least one, and no more queues or bytes than a record may have. */
  #take(): WaitingCommit[] {
    let queues = 0;
    let bytes = COMMIT_BYTES;
    let count = 0;
    for (const { request } of this.#waiting) {
      queues += queueCountOf(request);
      bytes += bytesMaxOf(request);
      const isTooMuch = queues > QUEUES_PER_TICK_MAX || bytes > this.#recordBytesMax;
      if (count > 0 && isTooMuch) break;
      count += 1;
    }
    const taken = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    for (const { request } of taken) this.#queueCount -= queueCountOf(request);
    return taken;
  }

  async #submit(taken: readonly WaitingCommit[]): Promise<void> {
    try {
      const commits = taken.map(({ request }) => request);
      const { commits: answers } = await this.#group.execute({ commitBatch: { commits } });
      for (const [i, { resolve, reject }] of taken.entries()) {
        const answer = answers[i];
        if (answer === undefined) reject(new OperationError("FAILED", "a commit has no answer"));
        else resolve(answer as CommitAnswer);
      }
    } catch (error) {
      for (const { reject } of taken) reject(error);
    }
  }
}

/** One that says nothing takes a place, too. */
function queueCountOf({ offsets }: CommitRequest): number {
  return Math.max(1, offsets.length);
}

/** It may be less: it is not encoded to find out. */
function bytesMaxOf({ group, memberId, offsets }: CommitRequest): number {
  const names = LETTER_BYTES * (group.length + memberId.length);
  return COMMIT_BYTES + names + QUEUE_BYTES * offsets.length;
}
