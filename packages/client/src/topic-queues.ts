/** The queues of a topic that is published to, and which one a message goes to. */

import { keyHash, OperationError } from "@quorumlog/protocol";
import type { TopicRoute } from "./cluster-route.ts";
import { said } from "./option-problems.ts";
import type { OutgoingMessage } from "./outgoing-message.ts";
import { type LaneOptions, QueueLane } from "./queue-lane.ts";

/** Chooses a queue, in `[0, queueCount)`. */
export type QueueSelector = (message: OutgoingMessage, queueCount: number) => number;

export interface TopicQueuesInit {
  readonly topic: TopicRoute;
  readonly lane: LaneOptions;
  readonly selector: QueueSelector | undefined;
  readonly isSlow: (groupId: number) => boolean;
}

const FIFO = 2;

export class TopicQueues {
  readonly #init: TopicQueuesInit;
  readonly #lanes: QueueLane[];
  #topic: TopicRoute;
  /** Messages without a group stay with one queue until its batch is closed. */
  #sticky: number;
  #stickyClosedCount = -1;

  constructor(init: TopicQueuesInit) {
    this.#init = init;
    this.#topic = init.topic;
    this.#lanes = init.topic.groupIds.map(
      (_, queue) => new QueueLane(init.topic, queue, init.lane),
    );
    // Producers that begin together do not all begin with the same queue.
    this.#sticky = Math.floor(Math.random() * Math.max(1, this.#lanes.length));
  }

  get topic(): TopicRoute {
    return this.#topic;
  }

  /** The topic was changed: it may have more queues. */
  update(topic: TopicRoute): void {
    this.#topic = topic;
    for (let queue = this.#lanes.length; queue < topic.groupIds.length; queue++)
      this.#lanes.push(new QueueLane(topic, queue, this.#init.lane));
  }

  /** @throws OperationError if the topic, or its producer's selector, does not let it */
  laneFor(message: OutgoingMessage): QueueLane {
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
      return this.#lanes[keyHash(messageGroup) % this.#lanes.length] as QueueLane;
    return this.#stickyLane();
  }

  #selected(selector: QueueSelector, message: OutgoingMessage): QueueLane {
    const queue = selector(message, this.#lanes.length);
    const lane = this.#lanes[queue];
    if (lane !== undefined) return lane;
    const problem = `${said(queue)} is not a queue in [0, ${this.#lanes.length})`;
    throw new OperationError("INVALID_ARGUMENT", `queueSelector: ${problem}`, {
      problems: [{ field: "queueSelector", problem }],
    });
  }

  #stickyLane(): QueueLane {
    const current = this.#lanes[this.#sticky] as QueueLane;
    if (current.closedCount === this.#stickyClosedCount) return current;
    const count = this.#lanes.length;
    // The next one whose broker is not slow; if all are, just the next one.
    let next = (this.#sticky + 1) % count;
    for (let step = 1; step <= count; step++) {
      const queue = (this.#sticky + step) % count;
      if (this.#init.isSlow((this.#lanes[queue] as QueueLane).groupId)) continue;
      next = queue;
      break;
    }
    this.#sticky = next;
    const lane = this.#lanes[next] as QueueLane;
    this.#stickyClosedCount = lane.closedCount;
    return lane;
  }
}
