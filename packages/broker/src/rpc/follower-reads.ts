/**
 * Sends readers that are far from the log's end to a follower: what they read is not in memory
 * here, and the leader's disk and cache have publishes to serve.
 */

import type { BrokerGroup } from "../broker-group.ts";
import type { BrokerSettings } from "../broker-options.ts";
import type { QueueKey } from "../state/queue-key.ts";

export interface FollowerSuggestion {
  readonly suggestedNodeId: number;
  readonly suggestedUntilOffset: number;
}

/** As the replica has it. */
const TAIL_BYTES = 32 * 1024 * 1024;
/** Entries: a follower that lags further has enough to do. */
const LAG_MAX = 10_000;
const SILENT_MS_MAX = 2_000;

export class FollowerReads {
  readonly #group: BrokerGroup;
  /** Of the log, kept in memory. */
  readonly #tailBytes: number;
  readonly #bytesMin: number;
  /** Followers of whom nothing was heard when they were looked at last: the first time of that. */
  readonly #silentSince = new Map<number, number>();

  constructor(group: BrokerGroup, { replica, followerReadBytes }: BrokerSettings) {
    this.#group = group;
    this.#tailBytes = replica.tuning?.tailBytesMax ?? TAIL_BYTES;
    this.#bytesMin = followerReadBytes === 0 ? Number.POSITIVE_INFINITY : followerReadBytes;
  }

  /**
   * @param logOffset - Of what was read now.
   * @returns where to read on, and up to which offset of the queue; `undefined`: here.
   */
  suggest(key: QueueKey, logOffset: number): FollowerSuggestion | undefined {
    const { replica, machine, isLeader } = this.#group;
    if (!isLeader || !Number.isFinite(this.#bytesMin)) return undefined;
    if (logOffset >= replica.offsetBefore(this.#tailBytes + this.#bytesMin)) return undefined;
    const near = machine.index.findLogOffset(key, replica.offsetBefore(this.#tailBytes));
    const suggestedNodeId = this.#followerFor(key);
    if (suggestedNodeId === undefined) return undefined;
    return { suggestedNodeId, suggestedUntilOffset: near?.baseOffset ?? machine.queues.end(key) };
  }

  /**
   * One that the group can do without: what is published waits for the fastest majority, and a disk
   * and a process that serve a backlog are not among the fast. Queues are spread over those.
   */
  #followerFor(key: QueueKey): number | undefined {
    const { nodeId, commitIndex, progress } = this.#group.replica.status();
    const fit = progress.filter(({ id, state, recentActive, isSuspect, matchIndex }) => {
      const isThere = id !== nodeId && state === "replicate" && !isSuspect;
      return this.#isHeard(id, recentActive) && isThere && commitIndex - matchIndex < LAG_MAX;
    });
    const learners = fit.filter(({ isLearner }) => isLearner);
    const voters = fit.filter(({ isLearner }) => !isLearner);
    const others = progress.filter(({ id, isLearner }) => id !== nodeId && !isLearner);
    const neededCount = Math.ceil(others.length / 2);
    const spareCount = Math.max(learners.length > 0 ? 0 : 1, voters.length - neededCount);
    // Leaders of several groups begin with different ones.
    const readers = [...learners, ...startingBehind(nodeId, voters).slice(0, spareCount)];
    return readers[key % Math.max(1, readers.length)]?.id;
  }

  /**
   * At the beginning of each check-quorum period nobody has been heard: that alone sends no reader
   * to a follower that the majority needs.
   */
  #isHeard(id: number, recentActive: boolean): boolean {
    const now = performance.now();
    if (recentActive) this.#silentSince.delete(id);
    else if (!this.#silentSince.has(id)) this.#silentSince.set(id, now);
    return now - (this.#silentSince.get(id) ?? now) < SILENT_MS_MAX;
  }
}

function startingBehind<T extends { readonly id: number }>(nodeId: number, all: readonly T[]): T[] {
  return [...all.filter(({ id }) => id > nodeId), ...all.filter(({ id }) => id < nodeId)];
}
