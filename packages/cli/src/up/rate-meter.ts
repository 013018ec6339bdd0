/** Messages per second of each node, from one look at it to the next. */

import type { NodeLook } from "../cluster-look.ts";

export class RateMeter {
  readonly #counts = new Map<number, number>();
  #lookedAt = performance.now();

  /** @returns by the nodes' ids; 0 at the first look, and after a restart. */
  rates(looks: readonly NodeLook[]): Map<number, number> {
    const now = performance.now();
    const seconds = Math.max(0.001, (now - this.#lookedAt) / 1_000);
    this.#lookedAt = now;
    const rates = new Map<number, number>();
    for (const { nodeId, status } of looks) {
      const count = status?.messagesApplied ?? 0;
      const before = this.#counts.get(nodeId) ?? count;
      rates.set(nodeId, Math.max(0, count - before) / seconds);
      this.#counts.set(nodeId, count);
    }
    return rates;
  }
}
