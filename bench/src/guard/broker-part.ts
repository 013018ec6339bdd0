/** A broker group and its client, beside a bare program that moves the same bytes; both stay up. */

import { answered } from "../broker/client-answer.ts";
import { BrokerCluster } from "../broker/broker-cluster.ts";
import { BARE_SERVERS, bareLoad, SpikeGroup } from "../spike/spike-group.ts";
import type { GuardPart, RunningPart } from "./guard-part.ts";

const MESSAGE_BYTES = 1_024;
const IN_FLIGHT = [1, 1_000];
/** Of each load: V8 optimizes what has run often, which one at a time seldom does. */
const WARMUPS: readonly { readonly inFlight: number; readonly ms: number }[] = [
  { inFlight: 1_000, ms: 2_000 },
  { inFlight: 1, ms: 4_000 },
];
const BARE_WARMUP_MS = 500;
const TOPIC = "guard";

export const BROKER_PART: GuardPart = {
  bench: 'broker --only "quorum 1 KB"',
  cases: IN_FLIGHT.map(nameOf),
  async start(folder) {
    const bare = await SpikeGroup.start(BARE_SERVERS, folder);
    try {
      const cluster = await BrokerCluster.start(folder);
      try {
        return await warmedUp(bare, cluster);
      } catch (error) {
        await cluster.stop();
        throw error;
      }
    } catch (error) {
      bare.stop();
      throw error;
    }
  },
};

async function warmedUp(bare: SpikeGroup, cluster: BrokerCluster): Promise<RunningPart> {
  await cluster.admin.createTopic({ name: TOPIC });
  for (const { inFlight, ms } of WARMUPS) {
    await barePerSecond(bare, inFlight, BARE_WARMUP_MS);
    await publishedPerSecond(cluster, inFlight, ms);
  }
  const pairs = IN_FLIGHT.map((inFlight) => ({
    name: nameOf(inFlight),
    bare: (ms: number) => barePerSecond(bare, inFlight, ms),
    ours: (ms: number) => publishedPerSecond(cluster, inFlight, ms),
  }));
  const stop = async (): Promise<void> => {
    bare.stop();
    await cluster.stop();
  };
  return { pairs, stop };
}

function nameOf(inFlight: number): string {
  return `broker 1 KB x ${inFlight}`;
}

async function barePerSecond(bare: SpikeGroup, inFlight: number, ms: number): Promise<number> {
  const load = bareLoad({ messageBytes: MESSAGE_BYTES, inFlight });
  return (await bare.load(load, ms)).messagesPerSecond;
}

async function publishedPerSecond(
  { client }: BrokerCluster,
  inFlight: number,
  ms: number,
): Promise<number> {
  const load = { messageBytes: MESSAGE_BYTES, inFlight, durability: "quorum" } as const;
  await client.ask({ type: "begin", topics: [TOPIC], load });
  const published = answered(await client.ask({ type: "publish", ms }), "published");
  const { messages, seconds, failed } = published;
  if (failed > 0) throw new Error(`${failed} messages were not published`);
  return messages / seconds;
}
