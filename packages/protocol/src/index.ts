// What producers and consumers see.
export type { EncodedMessage, MessageFields } from "./message.ts";
export {
  type ErrorCode,
  type FieldProblem,
  type LeaderHint,
  type OffsetRange,
  type OperationAdvice,
  OperationError,
  type OperationErrorDetails,
  type OperationOutcome,
} from "./operation-error.ts";

// For other packages of the project.
export {
  errorDetail,
  fromGrpcFailure,
  type GrpcFailure,
  grpcFailure,
  operationError,
} from "./operation-error.ts";
export { keyHash } from "./key-hash.ts";
export { MESSAGE_LIMITS, messageProblem } from "./message.ts";
export { type MessageAddress, messageId, parseMessageId } from "./message-id.ts";
export { groupNameProblem, topicNameProblem } from "./names.ts";
export {
  BATCH_HEADER_BYTES,
  BATCH_RECORDS_MAX,
  COMPRESSION,
  CONTAINER_BATCHES_MAX,
  MESSAGE_BYTES_MAX,
  RecordBatch,
  repeatedBatch,
  sequenceAfter,
} from "./record-batch.ts";
export { type BatchPlace, RecordBatchBuilder } from "./record-batch-builder.ts";
export { type BatchMessage, batchMessages } from "./record-batch-reader.ts";
export { RecordError } from "./record-codec.ts";
export { Histogram, type Metric, type MetricSample, metricsText } from "./metrics.ts";
export { MetricsPort } from "./metrics-port.ts";
export type { Method } from "./rpc.ts";
export {
  ADMIN_SERVICE,
  BROKER_SERVICE,
  COORDINATOR_SERVICE,
  NAME_SERVER_SERVICE,
  NODE_SERVICE,
  OFFSETS_SERVICE,
} from "./services.ts";
export { parseTagExpression } from "./tag-expression.ts";
export type { ChannelTls } from "./channel-credentials.ts";
export { RpcChannel, type RpcChannelOptions, type UnaryOptions } from "./rpc-channel.ts";
export {
  type CallContext,
  endWith,
  type Handler,
  type Handlers,
  RpcServer,
  type RpcServerOptions,
  type RpcTls,
} from "./rpc-server.ts";

// The streams of calls, for those who handle them or make them.
export type {
  ClientDuplexStream,
  ClientReadableStream,
  ServerDuplexStream,
  ServerWritableStream,
} from "@grpc/grpc-js";
export { SpareMemory, type SpareMemoryOptions } from "./spare-memory.ts";
