/**
 * From messages of others to values that are valid by construction; nothing else looks at messages.
 *
 * Every field is checked, and every problem is told, up to a number of them: whoever has made the
 * message should not have to mend it one error at a time.
 */

import { groupNameProblem, topicNameProblem } from "@quorumlog/protocol";
import type {
  Cluster as ClusterMessage,
  ConfigurationValue,
  GroupRoute as GroupRouteMessage,
  GroupView as GroupViewMessage,
  Metadata,
  NodeRoute as NodeRouteMessage,
  Registration as RegistrationMessage,
  Topic,
} from "@quorumlog/protocol/messages";
import { AddressError, parseAddress } from "@quorumlog/transport";
import type {
  Cluster,
  ClusterMetadata,
  ConfigurationEntry,
  GroupRoute,
  GroupView,
  NodeRoute,
  Registration,
  TopicRoute,
} from "./cluster.ts";
import { FieldCheck } from "./field-check.ts";

export interface MessageLimits {
  /** Of the metadata. */
  readonly topicCountMax: number;
  readonly configurationCountMax: number;
}

const CLUSTER_ID_BYTES_MAX = 256;
const KEY_BYTES_MAX = 256;
const VALUE_BYTES_MAX = 64 * 1024;
const ADDRESS_LENGTH_MAX = 300;
const MEMBER_COUNT_MAX = 64;
const QUEUE_COUNT_MAX = 1_024;
const GROUP_COUNT_MAX = 1_024;
const CONTROL = /\p{Cc}/u;

/** @throws OperationError `INVALID_ARGUMENT`, with what is wrong with each field */
export function checkedRegistration(
  message: RegistrationMessage.$Properties,
  limits: MessageLimits,
): Registration {
  const check = new FieldCheck();
  const { group, metadata } = message;
  const registration: Registration = {
    clusterId: check.text(message.clusterId, "cluster_id", clusterIdProblem),
    nodeId: check.uint32(message.nodeId, "node_id", 1),
    address: check.text(message.address, "address", addressProblem),
    group: group ? groupView(group, check) : undefined,
    metadata: metadata ? metadataOf(metadata, limits, check) : undefined,
  };
  check.end("the registration");
  return registration;
}

/** @throws OperationError `INVALID_ARGUMENT`, with what is wrong with each field */
export function checkedCluster(
  message: ClusterMessage.$Properties,
  limits: MessageLimits,
): Cluster {
  const check = new FieldCheck();
  const groups = check.list(message.groups, "groups", GROUP_COUNT_MAX);
  const cluster: Cluster = {
    clusterId: check.text(message.clusterId, "cluster_id", clusterIdProblem),
    groups: groups.map((group, i) => groupRoute(group, `groups[${i}]`, check)),
    metadata: message.metadata ? metadataOf(message.metadata, limits, check) : undefined,
  };
  check.end("the cluster");
  return cluster;
}

/** @returns what is wrong with it. */
export function clusterIdProblem(id: string): string | undefined {
  return textProblem(id, 1, CLUSTER_ID_BYTES_MAX);
}

/** @returns what is wrong with it, where `parse` is to read it. */
export function addressProblem(
  address: string,
  parse: (text: string) => unknown = parseAddress,
): string | undefined {
  if (address.length > ADDRESS_LENGTH_MAX)
    return `${address.length} characters are more than ${ADDRESS_LENGTH_MAX}`;
  try {
    parse(address);
    return undefined;
  } catch (error) {
    if (error instanceof AddressError) return error.message;
    throw error;
  }
}

function groupView(message: GroupViewMessage.$Properties, check: FieldCheck): GroupView {
  const memberIds = (ids: readonly number[] | null | undefined, field: string) =>
    check.list(ids, field, MEMBER_COUNT_MAX).map((id, i) => check.uint32(id, `${field}[${i}]`, 1));
  const voterNodeIds = memberIds(message.voterNodeIds, "group.voter_node_ids");
  const learnerNodeIds = memberIds(message.learnerNodeIds, "group.learner_node_ids");
  check.unique([...voterNodeIds, ...learnerNodeIds], "group: a member");
  return {
    groupId: check.uint32(message.groupId, "group.group_id"),
    name: check.text(message.name, "group.name", groupNameProblem),
    term: check.count(message.term, "group.term"),
    leaderNodeId: check.uint32(message.leaderNodeId, "group.leader_node_id"),
    voterNodeIds,
    learnerNodeIds,
  };
}

function groupRoute(
  message: GroupRouteMessage.$Properties,
  field: string,
  check: FieldCheck,
): GroupRoute {
  const absentNodes = nodeRoutes(message.absentNodes, `${field}.absent_nodes`, check);
  return {
    groupId: check.uint32(message.groupId, `${field}.group_id`),
    name: check.text(message.name, `${field}.name`, groupNameProblem),
    term: check.count(message.term, `${field}.term`),
    leaderNodeId: check.uint32(message.leaderNodeId, `${field}.leader_node_id`),
    nodes: nodeRoutes(message.nodes, `${field}.nodes`, check),
    ...(absentNodes.length === 0 ? {} : { absentNodes }),
  };
}

function nodeRoutes(
  nodes: readonly NodeRouteMessage.$Properties[] | null | undefined,
  field: string,
  check: FieldCheck,
): NodeRoute[] {
  return check.list(nodes, field, MEMBER_COUNT_MAX).map(({ nodeId, address, isVoter }, i) => ({
    nodeId: check.uint32(nodeId, `${field}[${i}].node_id`, 1),
    address: check.text(address, `${field}[${i}].address`, addressProblem),
    isVoter: isVoter ?? false,
  }));
}

function metadataOf(
  message: Metadata.$Properties,
  limits: MessageLimits,
  check: FieldCheck,
): ClusterMetadata {
  const topics = check.list(message.topics, "metadata.topics", limits.topicCountMax);
  const field = "metadata.configuration";
  const configuration = check.list(message.configuration, field, limits.configurationCountMax);
  const metadata: ClusterMetadata = {
    version: check.count(message.version, "metadata.version"),
    topics: topics.map((topic, i) => topicRoute(topic, `metadata.topics[${i}]`, check)),
    configuration: configuration.map((value, i) =>
      configurationEntry(value, `${field}[${i}]`, check),
    ),
  };
  check.unique(
    metadata.topics.map(({ name }) => name),
    "metadata.topics: a name",
  );
  check.unique(
    metadata.topics.map(({ topicId }) => topicId),
    "metadata.topics: a topic_id",
  );
  check.unique(
    metadata.configuration.map(({ namespace, key }) => JSON.stringify([namespace, key])),
    `${field}: a key`,
  );
  return metadata;
}

function topicRoute(message: Topic.$Properties, field: string, check: FieldCheck): TopicRoute {
  const groupIds = check.list(message.queueGroupIds, `${field}.queue_group_ids`, QUEUE_COUNT_MAX);
  return {
    name: check.text(message.name, `${field}.name`, topicNameProblem),
    topicId: check.uint32(message.topicId, `${field}.topic_id`, 1),
    messageType: check.uint32(message.messageType, `${field}.message_type`, 1),
    isReadable: message.isReadable ?? false,
    isWritable: message.isWritable ?? false,
    queueGroupIds: groupIds.map((id, i) => check.uint32(id, `${field}.queue_group_ids[${i}]`)),
    version: check.count(message.version, `${field}.version`),
  };
}

function configurationEntry(
  { namespace, key, value }: ConfigurationValue.$Properties,
  field: string,
  check: FieldCheck,
): ConfigurationEntry {
  const bytes = Buffer.byteLength(value ?? "");
  if (bytes > VALUE_BYTES_MAX)
    check.fail(`${field}.value`, `${bytes} bytes are more than ${VALUE_BYTES_MAX}`);
  return {
    namespace: check.text(namespace, `${field}.namespace`, keyProblem),
    key: check.text(key, `${field}.key`, keyProblem),
    value: value ?? "",
  };
}

function keyProblem(text: string): string | undefined {
  return textProblem(text, 1, KEY_BYTES_MAX);
}

/** Names reach terminals and logs, where a control character is an attack. */
function textProblem(text: string, bytesMin: number, bytesMax: number): string | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes < bytesMin || bytes > bytesMax)
    return `${bytes} bytes are not in [${bytesMin}, ${bytesMax}]`;
  return CONTROL.test(text) ? `${JSON.stringify(text)} has control characters` : undefined;
}
