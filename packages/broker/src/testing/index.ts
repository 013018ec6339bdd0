// For tests of other packages: the state machine by itself, without a node around it.
export { BrokerMachine, TABLE_NAMES } from "../state/broker-machine.ts";
export { commandRecord } from "../state/command-record.ts";
export { type PublishRefusal, parsePublishAnswer, type StoredAt } from "../state/publish-answer.ts";
export { type QueueKey, queueKey } from "../state/queue-key.ts";
export { QueueIndex } from "../queue-index/queue-index.ts";
