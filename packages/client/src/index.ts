export { Admin, type ClusterView } from "./admin.ts";
export type { MembershipChange } from "./membership-change.ts";
export type {
  AddNodeOptions,
  AdminOptions,
  AlterTopicOptions,
  CreateTopicOptions,
  ReplaceNodeOptions,
} from "./admin-options.ts";
export type { GroupRoute, TopicRoute } from "./cluster-route.ts";
export type { FindOptions, TimeRange } from "./message-finder.ts";
export { type ClusterOptions } from "./cluster-link.ts";
export type {
  ConsumerGroupDescription,
  ConsumerGroupMember,
  ConsumerGroupSummary,
  GroupQueueOffset,
  OffsetMove,
  ResetOffsets,
} from "./group-admin.ts";
export type { ConsumedMessage } from "./consumed-message.ts";
export type { QueuePlace, ResetPolicy } from "./fetcher.ts";
export type { OutgoingMessage } from "./outgoing-message.ts";
export type {
  ListProducersOptions,
  LiveProducer,
  ProducerGroup,
  ProducerGroups,
  ProducerGroupTopic,
} from "./producer-admin.ts";
export { Producer } from "./producer.ts";
export type { ProducerOptions, SendOptions } from "./producer-options.ts";
export { type PollOptions, PullConsumer } from "./pull-consumer.ts";
export type {
  PullConsumerEvent,
  PullConsumerOptions,
  QueueAssignment,
  QueueName,
} from "./pull-consumer-options.ts";
export type { ConsumeOrder, MessageContext, MessageListener } from "./message-workers.ts";
export { PushConsumer } from "./push-consumer.ts";
export type {
  AssignmentStrategy,
  PushConsumerEvent,
  PushConsumerOptions,
} from "./push-consumer-options.ts";
export type { Durability, Reached, SendReceipt } from "./send-receipt.ts";
export type { RetriedWork, RetryEvent } from "./retry-notices.ts";
export type { UndecodableMessages, UndecodablePolicy } from "./undecodable-messages.ts";
export type { QueueSelector } from "./topic-queues.ts";
export type { WaitOptions } from "./waiting.ts";

export type { ConfigurationEntry } from "@quorumlog/nameserver";

// What calls are refused with, and what messages have.
export {
  type ChannelTls,
  type ErrorCode,
  type FieldProblem,
  type LeaderHint,
  type MessageFields,
  type OffsetRange,
  type OperationAdvice,
  OperationError,
  type OperationOutcome,
} from "@quorumlog/protocol";
