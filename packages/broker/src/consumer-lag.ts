/** How many messages consumer groups have before them: of the topics with most, on this group. */

import type { MetricSample } from "@quorumlog/protocol";
import type { BrokerMachine } from "./state/broker-machine.ts";
import { topicIdOf } from "./state/queue-key.ts";

/** Series cost whoever keeps them: groups and topics beyond these are left out. */
const SERIES_MAX = 1_000;
/** To look through all offsets takes time that nothing else has: a second for some millions. */
const LOOK_MS = 10_000;

export class ConsumerLag {
  readonly #machine: BrokerMachine;
  #samples: readonly MetricSample[] = [];
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(machine: BrokerMachine) {
    this.#machine = machine;
  }

  /** As of at most ten seconds ago. */
  samples(): readonly MetricSample[] {
    const now = performance.now();
    if (now - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = now;
      this.#samples = this.#look();
    }
    return this.#samples;
  }

  #look(): MetricSample[] {
    const { offsets, queues, metadata } = this.#machine;
    const lags = new Map<string, { group: string; topicId: number; value: number }>();
    for (const { group, key, offset } of offsets.rows.committed()) {
      const topicId = topicIdOf(key);
      const lag = Math.max(0, queues.end(key) - offset);
      const known = lags.get(`${group}/${topicId}`);
      if (known === undefined) lags.set(`${group}/${topicId}`, { group, topicId, value: lag });
      else known.value += lag;
    }
    return [...lags.values()]
      .toSorted((a, b) => b.value - a.value)
      .slice(0, SERIES_MAX)
      .flatMap(({ group, topicId, value }) => {
        const topic = metadata.topicById(topicId)?.name;
        return topic === undefined ? [] : [{ labels: { group, topic }, value }];
      });
  }
}
