/** What a producer knows of a message that was acknowledged. */

import { messageId as idOf } from "@quorumlog/protocol";
import { Durability as WireDurability, Reached as WireReached } from "@quorumlog/protocol/messages";

/** Where a message has to be before it is acknowledged. */
export type Durability = "quorum" | "leader" | "async";
/** How well it is kept there: on the disk; written, and on the disk soon; in memory. */
export type Reached = "synced" | "written" | "memory";

export const WIRE_DURABILITY: Readonly<Record<Durability, WireDurability>> = {
  quorum: WireDurability.DURABILITY_QUORUM,
  leader: WireDurability.DURABILITY_LEADER,
  async: WireDurability.DURABILITY_ASYNC,
};

export function reachedOf(reached: WireReached): Reached {
  if (reached === WireReached.REACHED_SYNCED) return "synced";
  return reached === WireReached.REACHED_WRITTEN ? "written" : "memory";
}

/** Of a whole batch. */
export interface BatchReceipt {
  readonly topic: string;
  readonly topicId: number;
  readonly queue: number;
  readonly reached: Reached;
  /** Of its first message; `undefined` below `quorum`, as nothing is decided yet. */
  readonly baseOffset: number | undefined;
  readonly storeTimestamp: number | undefined;
  readonly isDuplicate: boolean;
}

export class SendReceipt {
  readonly #batch: BatchReceipt;
  /** In its queue; `undefined` below `quorum`: it is not decided yet. */
  readonly offset: number | undefined;

  constructor(batch: BatchReceipt, number: number) {
    this.#batch = batch;
    this.offset = batch.baseOffset === undefined ? undefined : batch.baseOffset + number;
  }

  get topic(): string {
    return this.#batch.topic;
  }

  get queue(): number {
    return this.#batch.queue;
  }

  /** Names it for good: see `Admin.messageById`. */
  get messageId(): string | undefined {
    const { topicId, queue } = this.#batch;
    return this.offset === undefined ? undefined : idOf({ topicId, queue, offset: this.offset });
  }

  /** How well it is kept on the nodes that the durability names. */
  get reached(): Reached {
    return this.#batch.reached;
  }

  /** When the leader took it in, milliseconds since 1970; `undefined` below `quorum`. */
  get storeTimestamp(): number | undefined {
    return this.#batch.storeTimestamp;
  }

  /** An earlier attempt had stored it: it is there once. */
  get isDuplicate(): boolean {
    return this.#batch.isDuplicate;
  }

  toJSON(): object {
    const { topic, queue, offset, messageId, reached, storeTimestamp, isDuplicate } = this;
    return { topic, queue, offset, messageId, reached, storeTimestamp, isDuplicate };
  }
}
