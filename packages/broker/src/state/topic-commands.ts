/** Commands about topics and configuration, in the metadata group: each is decided here alone. */

import {
  errorDetail,
  groupNameProblem,
  OperationError,
  type OperationErrorDetails,
  topicNameProblem,
  type ErrorCode,
} from "@quorumlog/protocol";
import {
  type AlterTopicCommand,
  type CommandAnswer,
  ConfigurationValue,
  type CreateTopicCommand,
  type DeleteTopicCommand,
  MessageType,
  type PutConfigurationCommand,
  type RegisterGroupCommand,
  Topic,
} from "@quorumlog/protocol/messages";
import {
  CONFIGURATION_COUNT_MAX,
  configurationProblem,
  QUEUE_COUNT_MAX,
  TOPIC_COUNT_MAX,
} from "./metadata-limits.ts";
import type { MetadataTable } from "./metadata-table.ts";

/** As a NameServer takes them. */
const GROUP_COUNT_MAX = 1_024;
const GROUP_ID_MAX = 65_535;

type Answer = CommandAnswer.$Properties;

export function createTopic(table: MetadataTable, command: CreateTopicCommand): Answer {
  const { name, messageType, queueCount, isIdempotent } = command;
  const problem = topicNameProblem(name);
  if (problem !== undefined) return refused("INVALID_ARGUMENT", `name: ${problem}`);
  if (queueCount < 1 || queueCount > QUEUE_COUNT_MAX)
    return refused(
      "INVALID_ARGUMENT",
      `queueCount: ${queueCount} is not in [1, ${QUEUE_COUNT_MAX}]`,
    );
  if (
    messageType !== MessageType.MESSAGE_TYPE_NORMAL &&
    messageType !== MessageType.MESSAGE_TYPE_FIFO
  )
    return refused("INVALID_ARGUMENT", `messageType: ${messageType} is none`);
  const former = table.topic(name);
  if (former !== undefined) {
    if (command.isAutomatic) return { topic: former, version: table.version };
    const isEqual =
      former.messageType === messageType && former.queueGroupIds.length === queueCount;
    if (isIdempotent && isEqual) return { topic: former, version: table.version };
    return refused("TOPIC_EXISTS", `there is a topic "${name}"`);
  }
  if (table.topicCount >= TOPIC_COUNT_MAX)
    return refused("TOO_MANY", `there are ${TOPIC_COUNT_MAX} topics`);
  if (command.groupIds.length > GROUP_COUNT_MAX)
    return refused(
      "INVALID_ARGUMENT",
      `groupIds: ${command.groupIds.length} are more than ${GROUP_COUNT_MAX}`,
    );
  const known = table.groups().map(({ groupId }) => groupId);
  const groupIds = command.groupIds.length === 0 ? known : command.groupIds;
  const unknown = groupIds.find((groupId) => !known.includes(groupId));
  if (unknown !== undefined)
    return refused("INVALID_ARGUMENT", `groupIds: there is no broker group ${unknown}`);
  if (groupIds.length === 0) return refused("NOT_READY", "no broker group has registered yet");
  const topicId = table.nextTopicId;
  const topic = new Topic({
    name,
    topicId,
    messageType,
    isReadable: true,
    isWritable: true,
    // Each topic begins at another group, so that many small ones are spread, too.
    queueGroupIds: Array.from(
      { length: queueCount },
      (_, queue) => groupIds[(topicId + queue) % groupIds.length] as number,
    ),
  });
  const problemOfRoom = table.topicRoomProblem(topic);
  if (problemOfRoom !== undefined) return refused("TOO_MANY", problemOfRoom);
  table.takeTopicId();
  table.putTopic(topic);
  return { topic, version: table.version };
}

export function alterTopic(table: MetadataTable, command: AlterTopicCommand): Answer {
  const { name, queueCount, isReadable, isWritable } = command;
  const former = table.topic(name);
  if (former === undefined) return refused("UNKNOWN_TOPIC", `there is no topic "${name}"`);
  const topic = new Topic(former);
  topic.isReadable = isReadable ?? former.isReadable;
  topic.isWritable = isWritable ?? former.isWritable;
  const count = former.queueGroupIds.length;
  if (queueCount !== 0 && queueCount !== count) {
    const problem = queueCountProblem(former, queueCount);
    if (problem !== undefined) return refused("QUEUE_COUNT_REFUSED", problem);
    const known = table.groups().map(({ groupId }) => groupId);
    if (known.length === 0) return refused("NOT_READY", "no broker group has registered yet");
    topic.queueGroupIds = [...former.queueGroupIds];
    for (let queue = count; queue < queueCount; queue++)
      topic.queueGroupIds.push(known[(former.topicId + queue) % known.length] as number);
    const problemOfRoom = table.topicRoomProblem(topic);
    if (problemOfRoom !== undefined) return refused("TOO_MANY", problemOfRoom);
  }
  table.putTopic(topic);
  return { topic, version: table.version };
}

function queueCountProblem(topic: Topic, queueCount: number): string | undefined {
  const count = topic.queueGroupIds.length;
  if (queueCount < count)
    return `queueCount: ${queueCount} is below ${count}, and the queues behind it have messages`;
  if (queueCount > QUEUE_COUNT_MAX)
    return `queueCount: ${queueCount} is not in [1, ${QUEUE_COUNT_MAX}]`;
  if (topic.messageType === MessageType.MESSAGE_TYPE_FIFO)
    return `"${topic.name}" is in order within message groups, and they would change their queues`;
  return undefined;
}

/** @returns the id of the topic that is no more, beside the answer. */
export function deleteTopic(
  table: MetadataTable,
  { name }: DeleteTopicCommand,
): { readonly answer: Answer; readonly topicId: number | undefined } {
  const topic = table.topic(name);
  if (topic === undefined)
    return { answer: refused("UNKNOWN_TOPIC", `there is no topic "${name}"`), topicId: undefined };
  table.removeTopic(name);
  return { answer: { version: table.version }, topicId: topic.topicId };
}

export function putConfiguration(table: MetadataTable, command: PutConfigurationCommand): Answer {
  const { namespace, key } = command;
  const value = command.value ?? undefined;
  const problem = configurationProblem({ namespace, key, value });
  if (problem !== undefined) return refused("INVALID_ARGUMENT", problem);
  const isMore = value !== undefined && !table.hasConfiguration(namespace, key);
  if (isMore && table.configurationCount >= CONFIGURATION_COUNT_MAX)
    return refused("TOO_MANY", `there are ${CONFIGURATION_COUNT_MAX} values of configuration`);
  const entry = new ConfigurationValue({ namespace, key, value: value ?? "" });
  const problemOfRoom = table.configurationRoomProblem(entry);
  if (problemOfRoom !== undefined) return refused("TOO_MANY", problemOfRoom);
  table.putConfiguration(namespace, key, value);
  return { version: table.version };
}

export function registerGroup(table: MetadataTable, command: RegisterGroupCommand): Answer {
  const { groupId, name } = command;
  if (groupId < 1 || groupId > GROUP_ID_MAX)
    return refused("INVALID_ARGUMENT", `group_id: ${groupId} is not in [1, ${GROUP_ID_MAX}]`);
  const problem = groupNameProblem(name);
  if (problem !== undefined) return refused("INVALID_ARGUMENT", `name: ${problem}`);
  const groups = table.groups();
  const namesake = groups.find((group) => group.name === name && group.groupId !== groupId);
  if (namesake !== undefined)
    return refused(
      "INVALID_ARGUMENT",
      `name: broker group ${namesake.groupId} is called "${name}" already: ` +
        `start the nodes of group ${groupId} anew with another group name`,
    );
  const former = groups.find((group) => group.groupId === groupId);
  if (former === undefined && groups.length >= GROUP_COUNT_MAX)
    return refused("TOO_MANY", `there are ${GROUP_COUNT_MAX} broker groups`);
  if (former?.name !== name) table.putGroup(command);
  return { version: table.version };
}

export function refused(
  code: ErrorCode,
  message: string,
  details: OperationErrorDetails = {},
): { readonly error: ReturnType<typeof errorDetail> } {
  return { error: errorDetail(new OperationError(code, message, details)) };
}
