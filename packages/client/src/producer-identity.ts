/**
 * Who publishes, as brokers are told: on each stream once, and of each topic once. They tell those
 * who ask who publishes to a topic; nothing that is stored depends on it.
 */

import type { ProducerNotice } from "@quorumlog/protocol/messages";

/** What one stream has heard. */
export interface ToldTopics {
  /** The list that it has heard the beginning of. */
  list: readonly number[] | undefined;
  count: number;
}

/** As many as brokers take on one stream: whoever publishes to more is known by these. */
const TOPICS_MAX = 10_000;

export class ProducerIdentity {
  readonly #producerGroup: string;
  readonly #clientId: string;
  /** It only grows; or it is another one. */
  #topicIds: number[] = [];

  constructor(init: { readonly producerGroup: string; readonly clientId: string }) {
    this.#producerGroup = init.producerGroup;
    this.#clientId = init.clientId;
  }

  /** It publishes to this topic from now on. */
  add(topicId: number): void {
    if (this.#topicIds.length >= TOPICS_MAX || this.#topicIds.includes(topicId)) return;
    this.#topicIds.push(topicId);
  }

  /** The topic is gone. */
  forget(topicId: number): void {
    this.#topicIds = this.#topicIds.filter((each) => each !== topicId);
  }

  /**
   * @param told - Of a stream, and noted there.
   * @returns what is to be said with its next request; `undefined`: it has heard everything.
   */
  noticeFor(told: ToldTopics): ProducerNotice.$Properties | undefined {
    const topicIds = this.#topicIds;
    if (told.list === topicIds && told.count === topicIds.length) return undefined;
    const from = told.list === topicIds ? told.count : 0;
    told.list = topicIds;
    told.count = topicIds.length;
    return {
      producerGroup: this.#producerGroup,
      clientId: this.#clientId,
      topicIds: topicIds.slice(from),
    };
  }
}

export function nothingTold(): ToldTopics {
  return { list: undefined, count: 0 };
}
