/** `quorumlog producer ...`: who publishes, to what, and who of them is there. */

import type { LiveProducer, ProducerGroup } from "@quorumlog/client";
import { OperationError } from "@quorumlog/protocol";
import { CLUSTER_SETTINGS, clusterProblems, openAdmin } from "../cluster-settings.ts";
import { type Command, command } from "../command.ts";
import { tellResult } from "../output.ts";
import { tableOf } from "../table.ts";
import { timeText } from "../time-text.ts";

export const PRODUCER_LIST: Command = command(
  { ...CLUSTER_SETTINGS, topic: { type: "text", about: "those that publish to it" } },
  {
    name: "producer list",
    about: "lists the producer groups, what they publish to, and how many of them are there",
    examples: ["quorumlog producer list --topic orders"],
    relations: clusterProblems,
    async run({ settings: { json, topic, ...settings }, signal }) {
      await using admin = await openAdmin(settings, signal);
      const { groups, isTruncated } = await admin.listProducers({
        ...(topic === undefined ? {} : { topic }),
        signal,
      });
      if (json) for (const group of groups) console.log(JSON.stringify(group));
      else console.log(listed(groups));
      if (isTruncated) console.error("there are more producers than brokers tell of");
    },
  },
);

export const PRODUCER_SHOW: Command = command(CLUSTER_SETTINGS, {
  name: "producer show",
  operand: { name: "GROUP" },
  about: "shows a producer group: its topics, and the producers that are there",
  relations: clusterProblems,
  async run({ settings: { json, ...settings }, operand: producerGroup, signal }) {
    await using admin = await openAdmin(settings, signal);
    const { groups, isTruncated } = await admin.listProducers({ producerGroup, signal });
    const [group] = groups;
    if (group === undefined) {
      const message = `no producer group "${producerGroup}" publishes, or did of late`;
      throw new OperationError("UNKNOWN_GROUP", message);
    }
    tellResult(json, group, described(group));
    if (isTruncated) console.error("there are more producers than brokers tell of");
  },
});

function listed(groups: readonly ProducerGroup[]): string {
  const heads = ["group", "topic", "producers", "since", "last noted"];
  const rows = groups.flatMap(({ producerGroup, topics, producers }) =>
    topics.map(({ topic, since, seen }) => {
      const count = producers.filter((each) => each.topics.includes(topic)).length;
      return [producerGroup, topic, count, timeText(since), timeText(seen)];
    }),
  );
  return tableOf(heads, rows);
}

function described({ producerGroup, topics, producers }: ProducerGroup): string {
  const noted = topics.map(({ topic, since, seen }) => [topic, timeText(since), timeText(seen)]);
  return [
    `producer group ${producerGroup}: ${producers.length} producers`,
    "",
    tableOf(["topic", "since", "last noted"], noted),
    "",
    producers.length === 0 ? "no producer is there" : producerTable(producers),
  ].join("\n");
}

function producerTable(producers: readonly LiveProducer[]): string {
  const heads = ["client id", "connected ms", "silent ms", "topics", "from"];
  const rows = producers.map(({ clientId, connectedMs, silentMs, topics, addresses }) => {
    return [clientId, connectedMs, silentMs, topics.join(","), addresses.join(",")];
  });
  return tableOf(heads, rows);
}
