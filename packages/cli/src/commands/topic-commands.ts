/** `quorumlog topic ...`: makes, lists and deletes topics. */

import { ADMIN_SERVICE } from "@quorumlog/protocol";
import { MessageType } from "@quorumlog/protocol/messages";
import { ClusterAccess } from "../cluster-access.ts";
import {
  CLUSTER_SETTINGS,
  type Command,
  type CommandRun,
  integer,
  list,
  text,
} from "../command.ts";
import { tableOf } from "../table.ts";
import { UsageError } from "../settings.ts";

const MESSAGE_TYPES: Readonly<Record<string, MessageType>> = {
  normal: MessageType.MESSAGE_TYPE_NORMAL,
  fifo: MessageType.MESSAGE_TYPE_FIFO,
};

const FIFO: number = MessageType.MESSAGE_TYPE_FIFO;

export const TOPIC_CREATE: Command = {
  name: "topic create",
  operands: "NAME",
  about: "makes a topic",
  settings: {
    ...CLUSTER_SETTINGS,
    queues: { type: "integer", about: "how many", min: 1, max: 1024, fallback: 4 },
    type: {
      type: "text",
      about: "fifo: in order within a message group",
      oneOf: ["normal", "fifo"],
      fallback: "normal",
    },
    ifMissing: { type: "flag", about: "an equal topic that is there is no error", fallback: false },
  },
  async run({ settings, operands, signal }) {
    await using access = new ClusterAccess(list(settings, "nameServers"));
    const request = {
      name: nameOf(operands),
      queueCount: integer(settings, "queues"),
      messageType: MESSAGE_TYPES[text(settings, "type")] as MessageType,
      isIdempotent: settings["ifMissing"] === true,
    };
    const topic = await access.askMetadataLeader(ADMIN_SERVICE.createTopic, request, signal);
    const { name, topicId, queueGroupIds } = topic;
    if (settings["json"] === true) console.log(JSON.stringify({ name, topicId, queueGroupIds }));
    else console.log(`topic "${name}" has ${queueGroupIds.length} queues`);
  },
};

export const TOPIC_LIST: Command = {
  name: "topic list",
  about: "lists the topics",
  settings: CLUSTER_SETTINGS,
  async run({ settings, signal }: CommandRun) {
    await using access = new ClusterAccess(list(settings, "nameServers"));
    const { metadata, groups } = await access.cluster(signal);
    const topics = metadata?.topics ?? [];
    if (settings["json"] === true) {
      for (const topic of topics) console.log(JSON.stringify(topic));
      return;
    }
    const names = new Map(groups.map(({ groupId, name }) => [groupId, name]));
    const rows = topics.map((topic) => [
      topic.name,
      topic.messageType === FIFO ? "fifo" : "normal",
      topic.queueGroupIds.length,
      [...new Set(topic.queueGroupIds)].map((id) => names.get(id) ?? String(id)).join(","),
      `${topic.isReadable ? "r" : "-"}${topic.isWritable ? "w" : "-"}`,
    ]);
    console.log(tableOf(["topic", "type", "queues", "groups", "permission"], rows));
  },
};

export const TOPIC_DELETE: Command = {
  name: "topic delete",
  operands: "NAME",
  about: "deletes a topic; its messages are not found any more",
  settings: CLUSTER_SETTINGS,
  async run({ settings, operands, signal }) {
    await using access = new ClusterAccess(list(settings, "nameServers"));
    const name = nameOf(operands);
    await access.askMetadataLeader(ADMIN_SERVICE.deleteTopic, { name }, signal);
    console.log(`topic "${name}" is deleted`);
  },
};

/** @throws UsageError */
function nameOf(operands: readonly string[]): string {
  const [name] = operands;
  if (name === undefined || operands.length > 1) throw new UsageError(["give one topic's NAME"]);
  return name;
}
