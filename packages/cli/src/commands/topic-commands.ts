/** `quorumlog topic ...`: makes, lists, shows, changes and deletes topics. */

import type { Admin, TopicRoute } from "@quorumlog/client";
import { OperationError } from "@quorumlog/protocol";
import { MessageType } from "@quorumlog/protocol/messages";
import { CLUSTER_SETTINGS, clusterProblems, openAdmin } from "../cluster-settings.ts";
import { type Command, command } from "../command.ts";
import { tellResult } from "../output.ts";
import { tableOf } from "../table.ts";

const FIFO: number = MessageType.MESSAGE_TYPE_FIFO;
const TOPIC = { name: "TOPIC" } as const;

export const TOPIC_CREATE: Command = command(
  {
    ...CLUSTER_SETTINGS,
    queues: { type: "integer", about: "how many", min: 1, max: 1024, fallback: 4 },
    type: {
      type: "text",
      about: "fifo: in order within a message group",
      oneOf: ["normal", "fifo"],
      fallback: "normal",
    },
    groupIds: {
      type: "list",
      about: "broker groups it is spread over; default: all",
      fallback: [],
    },
    ifMissing: { type: "flag", about: "an equal topic that is there already is no error" },
  },
  {
    name: "topic create",
    operand: TOPIC,
    about: "makes a topic",
    examples: ["quorumlog topic create orders --queues 8 --type fifo"],
    relations: clusterProblems,
    async run({ settings, operand: name, signal }) {
      const { queues: queueCount, type, groupIds, ifMissing: isIdempotent, json } = settings;
      await using admin = await openAdmin(settings, signal);
      const ids = groupIds.length === 0 ? {} : { groupIds: groupIds.map(Number) };
      const options = { name, type, queueCount, isIdempotent, ...ids, signal };
      const topic = await admin.createTopic(options);
      const { length } = topic.groupIds;
      tellResult(json, topicObject(topic), `topic "${name}" has ${length} queues`);
    },
  },
);

export const TOPIC_LIST: Command = command(CLUSTER_SETTINGS, {
  name: "topic list",
  about: "lists the topics",
  relations: clusterProblems,
  async run({ settings, signal }) {
    await using admin = await openAdmin(settings, signal);
    const { topics, groups } = admin.cluster();
    if (settings.json) {
      for (const topic of topics) console.log(JSON.stringify(topicObject(topic)));
      return;
    }
    const names = new Map(groups.map(({ groupId, name }) => [groupId, name]));
    const rows = topics.map((topic) => [
      topic.name,
      typeOf(topic),
      topic.groupIds.length,
      [...new Set(topic.groupIds)].map((id) => names.get(id) ?? String(id)).join(","),
      `${topic.isReadable ? "r" : "-"}${topic.isWritable ? "w" : "-"}`,
    ]);
    console.log(tableOf(["topic", "type", "queues", "groups", "permission"], rows));
  },
});

export const TOPIC_SHOW: Command = command(CLUSTER_SETTINGS, {
  name: "topic show",
  operand: TOPIC,
  about: "shows the queues of a topic, and what they hold",
  relations: clusterProblems,
  async run({ settings, operand, signal }) {
    await using admin = await openAdmin(settings, signal);
    const topic = topicOf(admin, operand);
    const [firsts, ends] = await Promise.all(
      (["earliest", "latest"] as const).map((place) =>
        admin.queueOffsets({ topic: operand, place }, { signal }),
      ),
    );
    const queues = topic.groupIds.map((groupId, queue) => {
      return { queue, groupId, firstOffset: firsts?.[queue] ?? 0, endOffset: ends?.[queue] ?? 0 };
    });
    if (settings.json) {
      console.log(JSON.stringify({ ...topicObject(topic), queues }));
      return;
    }
    const names = new Map(admin.cluster().groups.map(({ groupId, name }) => [groupId, name]));
    const { isReadable, isWritable } = topic;
    const may = [
      isReadable ? "readable" : "not readable",
      isWritable ? "writable" : "not writable",
    ];
    console.log(`${topic.name}: ${typeOf(topic)}, id ${topic.topicId}, ${may.join(", ")}`);
    const rows = queues.map(({ queue, groupId, firstOffset, endOffset }) => {
      const group = names.get(groupId) ?? String(groupId);
      return [queue, group, firstOffset, endOffset, endOffset - firstOffset];
    });
    console.log(tableOf(["queue", "group", "first", "end", "messages"], rows));
  },
});

export const TOPIC_ALTER: Command = command(
  {
    ...CLUSTER_SETTINGS,
    queues: { type: "integer", about: "more than now; not of a fifo topic", min: 1, max: 1024 },
    readable: { type: "text", about: "whether it may be consumed", oneOf: ["yes", "no"] },
    writable: { type: "text", about: "whether it may be published to", oneOf: ["yes", "no"] },
  },
  {
    name: "topic alter",
    operand: TOPIC,
    about: "changes what is said of a topic, and leaves the rest as it is",
    examples: ["quorumlog topic alter orders --writable no"],
    relations: (settings) => [
      ...clusterProblems(settings),
      ...([settings.queues, settings.readable, settings.writable].every((it) => it === undefined)
        ? ["say at least one of --queues, --readable, --writable"]
        : []),
    ],
    async run({ settings, operand: name, signal }) {
      const { queues, readable, writable, json } = settings;
      await using admin = await openAdmin(settings, signal);
      const topic = await admin.alterTopic({
        name,
        ...(queues === undefined ? {} : { queueCount: queues }),
        ...(readable === undefined ? {} : { isReadable: readable === "yes" }),
        ...(writable === undefined ? {} : { isWritable: writable === "yes" }),
        signal,
      });
      tellResult(json, topicObject(topic), `topic "${name}" is altered`);
    },
  },
);

export const TOPIC_DELETE: Command = command(CLUSTER_SETTINGS, {
  name: "topic delete",
  operand: TOPIC,
  about: "deletes a topic; its messages are not found any more",
  relations: clusterProblems,
  async run({ settings, operand: name, signal }) {
    await using admin = await openAdmin(settings, signal);
    await admin.deleteTopic(name, { signal });
    tellResult(settings.json, { name, isDeleted: true }, `topic "${name}" is deleted`);
  },
});

/** @throws OperationError `UNKNOWN_TOPIC` */
export function topicOf(admin: Admin, name: string): TopicRoute {
  const topic = admin.cluster().topics.find((each) => each.name === name);
  if (topic !== undefined) return topic;
  throw new OperationError("UNKNOWN_TOPIC", `there is no topic "${name}"`);
}

function topicObject(topic: TopicRoute): object {
  const { name, topicId, isReadable, isWritable, groupIds } = topic;
  return { name, topicId, type: typeOf(topic), isReadable, isWritable, groupIds };
}

function typeOf({ messageType }: TopicRoute): string {
  return messageType === FIFO ? "fifo" : "normal";
}
