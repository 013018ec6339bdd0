/**
 * Consumer groups of one member each, as a process: `node groups-process.js JSON`. It answers
 * `ready` when all of them have queues, and then how many messages they have had so far. They are
 * paused until they are told not to be.
 */

import { PushConsumer } from "@quorumlog/client";

export interface GroupsConfig {
  readonly nameServer: string;
  /** Of each group, the topics that it reads. */
  readonly groups: readonly (readonly string[])[];
}

export interface GroupsWish {
  readonly isPaused: boolean;
}

export interface GroupsUsage {
  readonly consumed: number;
  readonly cpuMicros: number;
}

/** Joined at a time. */
const JOINS = 8;

const { nameServer, groups } = JSON.parse(process.argv[2] ?? "{}") as GroupsConfig;
const consumers: PushConsumer[] = [];
let consumed = 0;
let next = 0;

async function joinAll(): Promise<void> {
  for (let at = next++; at < groups.length; at = next++) await join(at);
}

async function join(at: number): Promise<void> {
  const topics = groups[at] ?? [];
  await new Promise<void>((resolve, reject) => {
    PushConsumer.open({
      nameServers: [nameServer],
      consumerGroup: `group-${at}`,
      subscriptions: Object.fromEntries(topics.map((topic) => [topic, "*"])),
      listener: () => {
        consumed += 1;
      },
      onEvent: ({ type }) => {
        if (type === "assigned") resolve();
      },
    }).then((consumer) => consumers.push(consumer), reject);
  });
}

await Promise.all(Array.from({ length: JOINS }, joinAll));
for (const consumer of consumers) consumer.pause();
process.on("message", ({ isPaused }: GroupsWish) => {
  for (const consumer of consumers)
    if (isPaused) consumer.pause();
    else consumer.resume();
  const { user, system } = process.cpuUsage();
  process.send?.({ consumed, cpuMicros: user + system } satisfies GroupsUsage);
});
process.on("disconnect", () => process.exit(0));
process.send?.({ consumed: 0, cpuMicros: 0 } satisfies GroupsUsage);
