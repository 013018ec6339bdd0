/** Messages with numbers as their bodies, and what became of them. */

import { Producer } from "@quorumlog/client";

export interface Publication {
  readonly nameServers: readonly string[];
  readonly topic: string;
  readonly from: number;
  readonly to: number;
  /** Message groups, in turn; default 16. */
  readonly groupCount?: number;
}

/** Resolves once all of `[from, to)` is acknowledged. */
export async function publishNumbers(publication: Publication): Promise<void> {
  const { nameServers, topic, from, to, groupCount = 16 } = publication;
  await using producer = await Producer.open({ nameServers, producerGroup: "numbers" });
  const sends: Promise<unknown>[] = [];
  for (let i = from; i < to; i++) {
    const message = { body: String(i), messageGroup: `g${i % groupCount}` };
    sends.push(producer.send(topic, message, { timeoutMs: 60_000 }));
  }
  await Promise.all(sends);
}

export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Each once, in order. */
export function sortedSet(values: Iterable<number>): number[] {
  return [...new Set(values)].toSorted((a, b) => a - b);
}
