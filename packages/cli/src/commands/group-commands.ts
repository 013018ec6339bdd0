/** `quorumlog group ...`: who consumes together, and how far they are. */

import type { ConsumerGroupDescription, ConsumerGroupSummary } from "@quorumlog/client";
import { CLUSTER_SETTINGS, clusterProblems, openAdmin } from "../cluster-settings.ts";
import { type Command, command } from "../command.ts";
import { offsetTable } from "../offset-table.ts";
import { tellResult } from "../output.ts";
import { tableOf } from "../table.ts";

const GROUP = { name: "GROUP" } as const;

export const GROUP_LIST: Command = command(CLUSTER_SETTINGS, {
  name: "group list",
  about: "lists the consumer groups",
  relations: clusterProblems,
  async run({ settings: { json, ...settings }, signal }) {
    await using admin = await openAdmin(settings, signal);
    const groups = await admin.listConsumerGroups({ signal });
    if (json) for (const group of groups) console.log(JSON.stringify(group));
    else {
      const heads = ["group", "members", "mode", "strategy", "order", "subscriptions"];
      const rows = groups.map((each) => {
        const { group, memberCount, mode, strategy = "-", isOrderly } = each;
        const order = isOrderly ? "orderly" : "concurrent";
        return [group, memberCount, mode, strategy, order, subscribed(each)];
      });
      console.log(tableOf(heads, rows));
    }
  },
});

export const GROUP_SHOW: Command = command(CLUSTER_SETTINGS, {
  name: "group show",
  operand: GROUP,
  about: "shows a consumer group: its members, what each has, and the lag",
  relations: clusterProblems,
  async run({ settings: { json, ...settings }, operand: group, signal }) {
    await using admin = await openAdmin(settings, signal);
    const description = await admin.describeConsumerGroup(group, { signal });
    tellResult(json, description, described(description));
  },
});

export const GROUP_DELETE: Command = command(CLUSTER_SETTINGS, {
  name: "group delete",
  operand: GROUP,
  about: "forgets a consumer group that has no members, and how far it was",
  relations: clusterProblems,
  async run({ settings: { json, ...settings }, operand: group, signal }) {
    await using admin = await openAdmin(settings, signal);
    await admin.deleteConsumerGroup(group, { signal });
    tellResult(json, { group, isDeleted: true }, `group "${group}" is deleted`);
  },
});

function described(description: ConsumerGroupDescription): string {
  const { group, mode, epoch, members, queues, lag } = description;
  const heads = ["member", "is", "silent ms", "queues", "lag"];
  const rows = members.map(({ memberId, isConnected, silentMs, queues: own, lag: behind }) => {
    const held = own.map(({ topic, queue }) => `${topic}/${queue}`).join(",");
    return [memberId, isConnected ? "connected" : "silent", silentMs, held, behind];
  });
  return [
    `group ${group}: ${mode}, epoch ${epoch}, ${lag} messages behind`,
    `subscriptions: ${subscribed(description) || "none"}`,
    "",
    ...(rows.length === 0 ? ["no members"] : [tableOf(heads, rows)]),
    "",
    offsetTable(queues),
  ].join("\n");
}

function subscribed({ subscriptions }: ConsumerGroupSummary): string {
  return Object.entries(subscriptions)
    .map(([topic, tags]) => (tags === "*" || tags === "" ? topic : `${topic} (${tags})`))
    .join(", ");
}
