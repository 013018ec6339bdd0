/** Asks for topics that a producer has met and nobody knows: brokers may be set up to make them. */

import { ADMIN_SERVICE, OperationError } from "@quorumlog/protocol";
import type { ClusterLink } from "./cluster-link.ts";

const METADATA_GROUP_ID = 1;

export class TopicCreator {
  readonly #link: ClusterLink;
  readonly #stop = new AbortController();
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(link: ClusterLink) {
    this.#link = link;
  }

  /**
   * Once at a time for each topic. That it was made comes round by the routes.
   *
   * @param onFailed - It was not: brokers do not make topics so, or nobody could be asked in time.
   */
  create(name: string, onFailed: (error: OperationError) => void): void {
    if (this.#underWay.has(name)) return;
    const asked = this.#ask(name, onFailed).finally(() => {
      this.#underWay.delete(name);
    });
    this.#underWay.set(name, asked);
  }

  /** Gives up what is under way. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#underWay.values());
  }

  async #ask(name: string, onFailed: (error: OperationError) => void): Promise<void> {
    // Whoever asks twice gets the topic that the first one has made.
    const target = {
      seeker: this.#link.seeker(METADATA_GROUP_ID),
      isRepeatable: true,
      signal: this.#stop.signal,
    };
    const request = { name, isAutomatic: true };
    try {
      await this.#link.callLeader(target, ADMIN_SERVICE.createTopic, request);
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      onFailed(error);
    }
  }
}
