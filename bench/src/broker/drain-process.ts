/**
 * A consumer of a whole topic, as a process: `node drain-process.js JSON`. It begins at once, and
 * answers how far it is.
 */

import { PullConsumer } from "@quorumlog/client";
import { QUEUE_COUNT } from "./ledger.ts";

export interface DrainConfig {
  readonly nameServer: string;
  readonly topic: string;
}

export interface DrainProgress {
  readonly consumed: number;
  /** Offsets that were not the next one of their queue. */
  readonly wrong: number;
}

const POLL_MS = 1_000;
const POLL_MESSAGES = 2_000;

const { nameServer, topic } = JSON.parse(process.argv[2] ?? "{}") as DrainConfig;
const consumer = await PullConsumer.open({ nameServers: [nameServer], startFrom: "earliest" });
const next = Array.from({ length: QUEUE_COUNT }, () => 0);
let consumed = 0;
let wrong = 0;

async function drain(): Promise<never> {
  await consumer.assign(next.map((_, queue) => ({ topic, queue })));
  for (;;)
    for (const { queue, offset } of await consumer.poll({
      timeoutMs: POLL_MS,
      maxMessages: POLL_MESSAGES,
    })) {
      consumed += 1;
      if (offset !== next[queue]) wrong += 1;
      next[queue] = offset + 1;
    }
}

process.on("message", () => {
  process.send?.({ consumed, wrong } satisfies DrainProgress);
});
process.on("disconnect", () => process.exit(0));
process.send?.({ consumed, wrong } satisfies DrainProgress);
await drain();
