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

export class FollowerReads {
  readonly #group: BrokerGroup;
  /** Of the log, kept in memory. */
  readonly #tailBytes: number;
  readonly #bytesMin: number;

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

  /** Each queue has its own, so that several are read from several disks. */
  #followerFor(key: QueueKey): number | undefined {
    const { nodeId, commitIndex, progress } = this.#group.replica.status();
    const fit = progress.filter(({ id, state, recentActive, isSuspect, matchIndex }) => {
      const isThere = id !== nodeId && recentActive && state === "replicate" && !isSuspect;
      return isThere && commitIndex - matchIndex < LAG_MAX;
    });
    return fit[key % Math.max(1, fit.length)]?.id;
  }
}
