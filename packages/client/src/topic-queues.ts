/** The queues of a topic that is published to, and which one a message goes to. */

import { keyHash, OperationError } from "@quorumlog/protocol";
import { valueInWords } from "@quorumlog/std";
import type { TopicRoute } from "./cluster-route.ts";
import type { OutgoingMessage } from "./outgoing-message.ts";
import { type OutboxOptions, QueueOutbox } from "./queue-outbox.ts";

/** Chooses a queue, in `[0, queueCount)`. */
export type QueueSelector = (message: OutgoingMessage, queueCount: number) => number;

export interface TopicQueuesInit {
  readonly topic: TopicRoute;
  readonly outbox: OutboxOptions;
  readonly selector: QueueSelector | undefined;
  readonly isSlow: (groupId: number) => boolean;
}

const FIFO = 2;

export class TopicQueues {
  readonly #init: TopicQueuesInit;
  readonly #outboxes: QueueOutbox[];
  #topic: TopicRoute;
  /** Messages without a group stay with one queue until its batch is closed. */
  #sticky: number;
  #stickyClosedCount = -1;

  constructor(init: TopicQueuesInit) {
    this.#init = init;
    this.#topic = init.topic;
    this.#outboxes = init.topic.groupIds.map(
      (_, queue) => new QueueOutbox(init.topic, queue, init.outbox),
    );
    // Producers that begin together do not all begin with the same queue.
    this.#sticky = Math.floor(Math.random() * Math.max(1, this.#outboxes.length));
  }

  get topic(): TopicRoute {
    return this.#topic;
  }

  /** The topic was changed: it may have more queues. */
  update(topic: TopicRoute): void {
    this.#topic = topic;
    for (let queue = this.#outboxes.length; queue < topic.groupIds.length; queue++)
      this.#outboxes.push(new QueueOutbox(topic, queue, this.#init.outbox));
  }

  /** @throws OperationError if the topic, or its producer's selector, does not let it */
  outboxFor(message: OutgoingMessage): QueueOutbox {
    const { name, isWritable, messageType } = this.#topic;
    const { messageGroup } = message;
    if (!isWritable)
      throw new OperationError("TOPIC_NOT_WRITABLE", `topic ${name} cannot be written to`);
    if (messageType === FIFO && messageGroup === undefined)
      throw new OperationError("MESSAGE_TYPE_MISMATCH", `topic ${name} is fifo: a message group`, {
        problems: [{ field: "messageGroup", problem: "missing; a fifo topic needs one" }],
      });
    const { selector } = this.#init;
    if (selector !== undefined) return this.#selected(selector, message);
    if (messageGroup !== undefined)
      return this.#outboxes[keyHash(messageGroup) % this.#outboxes.length] as QueueOutbox;
    return this.#stickyOutbox();
  }

  #selected(selector: QueueSelector, message: OutgoingMessage): QueueOutbox {
    const queue = selector(message, this.#outboxes.length);
    const outbox = this.#outboxes[queue];
    if (outbox !== undefined) return outbox;
    const problem = `${valueInWords(queue)} is not a queue in [0, ${this.#outboxes.length})`;
    throw new OperationError("INVALID_ARGUMENT", `queueSelector: ${problem}`, {
      problems: [{ field: "queueSelector", problem }],
    });
  }

  #stickyOutbox(): QueueOutbox {
    const current = this.#outboxes[this.#sticky] as QueueOutbox;
    if (current.closedCount === this.#stickyClosedCount) return current;
    const count = this.#outboxes.length;
    // The next one whose broker is not slow; if all are, just the next one.
    let next = (this.#sticky + 1) % count;
    for (let step = 1; step <= count; step++) {
      const queue = (this.#sticky + step) % count;
      if (this.#init.isSlow((this.#outboxes[queue] as QueueOutbox).groupId)) continue;
      next = queue;
      break;
    }
    this.#sticky = next;
    const outbox = this.#outboxes[next] as QueueOutbox;
    this.#stickyClosedCount = outbox.closedCount;
    return outbox;
  }
}
