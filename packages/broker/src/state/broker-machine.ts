/**
 * What a broker group's nodes agree on: each applies the same records in the same order.
 *
 *     record ──> a batch:    topic, producer's sequence ──> its offsets in its queue, index row
 *            └─> a command:  topics, configuration, consumers' offsets
 *
 * It reads its own state, the record and the log's time, and nothing else. What makes no sense is
 * answered; what only a later version can have written stops the node: see rules.ts.
 */

import { OperationError, RecordBatch } from "@quorumlog/protocol";
import type {
  CommandAnswer,
  DeleteTopicCommand,
  ExpireOffsetsCommand,
  Metadata,
  ResetOffsetsRequest,
} from "@quorumlog/protocol/messages";
import type { Machine, RecordBatch as LogBatch, StatePosition } from "@quorumlog/replica";
import { unreachable } from "@quorumlog/std";
import type { Tables } from "@quorumlog/tables";
import { type BrokerCommand, commandAnswer, isCommand, parseCommand } from "./command-record.ts";
import { ConsumerGroups } from "./consumer-groups.ts";
import { ConsumerOffsets } from "./consumer-offsets.ts";
import {
  consumerGroupCodec,
  metadataNodesCodec,
  progressCodec,
  reignCodec,
} from "./message-codec.ts";
import { LeaderAddresses } from "./leader-addresses.ts";
import { MetadataNodes } from "./metadata-nodes.ts";
import { MetadataTable } from "./metadata-table.ts";
import { ProducerGroups } from "./producer-groups.ts";
import { ProducerSequences, type SequenceVerdict } from "./producer-sequences.ts";
import { type PublishRefusal, refusedAnswer, storedAnswer } from "./publish-answer.ts";
import { Queues } from "./queues.ts";
import type { QueueIndex } from "../queue-index/queue-index.ts";
import { type QueueKey, queueKey, topicIdOf } from "./queue-key.ts";
import { numbersCodec } from "./row-codec.ts";
import { Rules, RULES_VERSION } from "./rules.ts";
import {
  alterTopic,
  createTopic,
  deleteTopic,
  putConfiguration,
  refused,
  registerGroup,
} from "./topic-commands.ts";

/** The group whose log has the cluster's metadata. */
export const METADATA_GROUP_ID = 1;
/** Of producers and queues together; whoever was quiet for longest is forgotten. */
const PRODUCER_COUNT_MAX = 100_000;

/** Commands about the queues that a group has, whoever it is. */
const OF_EVERY_GROUP: ReadonlySet<BrokerCommand["kind"]> = new Set([
  "beginReign",
  "claim",
  "commitBatch",
  "deleteOffsets",
  "expireOffsets",
  "noteProducers",
  "raiseRules",
  "resetOffsets",
]);

/** Commands about what the metadata group has decided, and where it is. */
const OF_FOLLOWING_GROUPS: ReadonlySet<BrokerCommand["kind"]> = new Set([
  "metadata",
  "noteMetadataNodes",
]);

export const TABLE_NAMES: readonly string[] = [
  ...MetadataTable.tableNames,
  "consumerGroups",
  "consumerProgress",
  "leaders",
  "metadataNodes",
  "pastEpochs",
  "producerGroups",
  "producerHorizon",
  "producers",
  "queues",
  "reigns",
  "rules",
];

export interface BrokerMachineInit {
  readonly groupId: number;
  readonly tables: Tables;
  /** Called once, when it is first needed: the log is this process's alone by then. */
  readonly openIndex: () => QueueIndex;
  /** These queues have more than before. */
  readonly onStored: (keys: ReadonlySet<QueueKey>) => void;
  /** This consumer group has another assignment. */
  readonly onAssigned: (group: string) => void;
  /** Topics, groups or configuration are others than before. */
  readonly onMetadata: () => void;
  /** The newest that are known; default {@link RULES_VERSION}. Of tests: a later version. */
  readonly rulesVersion?: number;
}

/** What this node has applied since it was started. */
export interface AppliedCounts {
  messages: number;
  bytes: number;
  /** Consumer groups that were forgotten, here or by the coordinator. */
  groupsExpired: number;
}

interface At {
  readonly timestamp: number;
  readonly logOffset: number;
}

export class BrokerMachine implements Machine {
  readonly copiesRecords = true;
  readonly metadata: MetadataTable;
  readonly queues: Queues;
  readonly offsets: ConsumerOffsets;
  readonly consumerGroups: ConsumerGroups;
  readonly producerGroups: ProducerGroups;
  readonly leaders: LeaderAddresses;
  readonly metadataNodes: MetadataNodes;
  readonly rules: Rules;
  readonly applied: AppliedCounts = { messages: 0, bytes: 0, groupsExpired: 0 };
  readonly #init: BrokerMachineInit;
  readonly #producers: ProducerSequences;
  readonly #stored = new Set<QueueKey>();
  #index: QueueIndex | undefined;
  /** Of the state that this node starts from, before it is loaded. */
  #asked: StatePosition | undefined;
  #isLoaded = false;

  constructor(init: BrokerMachineInit) {
    const { tables } = init;
    this.#init = init;
    this.rules = new Rules(tables.table("rules", numbersCodec), init.rulesVersion ?? RULES_VERSION);
    this.metadata = new MetadataTable(tables);
    this.queues = new Queues(tables);
    this.metadataNodes = new MetadataNodes(tables.table("metadataNodes", metadataNodesCodec));
    this.leaders = new LeaderAddresses(tables.table("leaders", reignCodec));
    this.offsets = new ConsumerOffsets({
      table: tables.table("consumerProgress", progressCodec),
      reigns: tables.table("reigns", numbersCodec),
      problemOf: (ref) => this.queueProblem(ref),
      endOf: (key) => this.queues.end(key),
    });
    this.consumerGroups = new ConsumerGroups({
      table: tables.table("consumerGroups", consumerGroupCodec),
      pastEpochs: tables.table("pastEpochs", numbersCodec),
      metadata: this.metadata,
      onAssigned: init.onAssigned,
    });
    this.producerGroups = new ProducerGroups({
      table: tables.table("producerGroups", numbersCodec),
      hasTopic: (topicId) => this.hasQueuesOf(topicId),
    });
    this.#producers = new ProducerSequences(tables, this.queues, PRODUCER_COUNT_MAX);
  }

  get rulesVersion(): number {
    return this.rules.known;
  }

  get index(): QueueIndex {
    this.#index ??= this.#init.openIndex();
    return this.#index;
  }

  /** Of the index's files, if they were opened; nothing is applied any more. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#index === undefined) resolve();
      else this.#index.close(resolve);
    });
  }

  /** @throws RulesVersionError: nothing of that record is applied, and nothing behind it. */
  apply({ offset, records, timestamp }: LogBatch): Uint8Array[] {
    this.load();
    const { version } = this.metadata;
    const answers = records.map((record, i) => {
      const bytes = asBuffer(record);
      const at = { timestamp, logOffset: offset + i };
      return isCommand(bytes) ? this.#execute(bytes, at) : this.#publish(bytes, at);
    });
    this.index.coverTo(offset + records.length);
    if (this.#stored.size > 0) {
      this.#init.onStored(this.#stored);
      this.#stored.clear();
    }
    if (this.metadata.version !== version) this.#init.onMetadata();
    return answers;
  }

  /**
   * The index's files: the state that was asked of last is the one that this node starts from.
   *
   * @throws RulesVersionError of a checkpoint, which is in the tables by now.
   */
  covers(position: StatePosition): boolean {
    this.rules.demandKnown();
    this.#asked = position;
    return this.index.covers(position.offset);
  }

  snapshot(): Iterable<Uint8Array> {
    return this.#init.tables.snapshot();
  }

  /** @throws RulesVersionError before any file is changed. */
  restore(chunks: Iterable<Uint8Array>, position: StatePosition): void {
    this.#init.tables.restore(chunks);
    this.rules.demandKnown();
    // Of a state that a leader has sent, nothing was asked: the log begins there.
    if (this.#asked === undefined) this.index.reset(position.offset);
    this.#isLoaded = false;
    this.load();
    // Of a running node, all may be other than before: topics, and the ends of queues.
    this.#init.onMetadata();
  }

  /** Reads the tables, which a checkpoint may have filled, before anything is applied to them. */
  load(): void {
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    this.metadata.load();
    this.queues.load();
    this.offsets.load();
    this.consumerGroups.load();
    this.#producers.load();
    const start = this.#asked?.offset;
    this.#asked = undefined;
    if (start === undefined) return;
    if (this.index.covers(start)) this.index.cutBack(start);
    else this.index.reset(start);
  }

  /**
   * As of now: whether its topic takes a batch. Asked before one is proposed, and decides at apply.
   * Of a batch that was stored before, the topic is not asked any more.
   */
  refusalOf(batch: RecordBatch): PublishRefusal | undefined {
    const refusal = this.#topicRefusalOf(batch);
    return refusal === undefined || this.#wasStored(batch) ? undefined : refusal;
  }

  #topicRefusalOf(batch: RecordBatch): PublishRefusal | undefined {
    const topic = this.metadata.topicById(batch.topicId);
    if (topic === undefined) return "UNKNOWN_TOPIC";
    const groupId = topic.queueGroupIds[batch.queue];
    if (groupId === undefined) return "UNKNOWN_QUEUE";
    if (groupId !== this.#init.groupId) return "WRONG_GROUP";
    if (!topic.isWritable) return "TOPIC_NOT_WRITABLE";
    const messageType: number = topic.messageType;
    return messageType === batch.messageType ? undefined : "MESSAGE_TYPE_MISMATCH";
  }

  /** By an earlier attempt, as far as is remembered. */
  #wasStored(batch: RecordBatch): boolean {
    if (batch.producerId === 0) return false;
    const queue = this.queues.find(queueKey(batch.topicId, batch.queue));
    if (queue === undefined) return false;
    const { kind } = this.#producers.judge(queue, batch);
    return kind === "duplicate" || kind === "tooOld";
  }

  /** Some of its queues are in this broker group. */
  hasQueuesOf(topicId: number): boolean {
    const topic = this.metadata.topicById(topicId);
    return topic?.queueGroupIds.includes(this.#init.groupId) === true;
  }

  /** As of now: why nobody can be anywhere in a queue of this group. */
  queueProblem({ topicId, queue }: { topicId: number; queue: number }): OperationError | undefined {
    const topic = this.metadata.topicById(topicId);
    if (topic === undefined) return new OperationError("UNKNOWN_TOPIC", `no topic is ${topicId}`);
    const owner = topic.queueGroupIds[queue];
    if (owner === undefined)
      return new OperationError("UNKNOWN_QUEUE", `"${topic.name}" has no queue ${queue}`);
    if (owner === this.#init.groupId) return undefined;
    return new OperationError("WRONG_GROUP", `queue ${queue} of "${topic.name}" is of ${owner}`);
  }

  /**
   * The leader has looked through it; whatever else is in the log is of a defect, and is answered.
   */
  #publish(bytes: Buffer, at: At): Uint8Array {
    const batch = RecordBatch.logged(bytes);
    if (typeof batch === "string") {
      if (RecordBatch.isOfLaterVersion(bytes)) throw this.rules.beyond("a batch");
      return refusedAnswer("INVALID_BATCH");
    }
    const { topicId, recordCount } = batch;
    const refusal = this.refusalOf(batch);
    if (refusal !== undefined) return refusedAnswer(refusal);
    const key = queueKey(topicId, batch.queue);
    const queue = this.queues.queue(key);
    const baseOffset = queue.end;
    const { logOffset, timestamp: storeTimestamp } = at;
    if (batch.producerId !== 0) {
      const verdict = this.#producers.judge(queue, batch);
      if (verdict.kind !== "next") return answerTo(verdict);
      this.#producers.note(queue, batch, { baseOffset, storeTimestamp, stamp: logOffset });
    }
    const endOffset = baseOffset + recordCount;
    this.queues.advance(queue, recordCount);
    const { length } = bytes;
    const keyHashes = batch.keyHashes();
    const row = { key, keyHashes, baseOffset, endOffset, logOffset, storeTimestamp, bytes: length };
    this.index.add(row);
    this.#stored.add(key);
    this.applied.messages += recordCount;
    this.applied.bytes += length;
    return storedAnswer({ baseOffset, storeTimestamp, isDuplicate: false });
  }

  #execute(bytes: Buffer, at: At): Uint8Array {
    const command = parseCommand(bytes);
    if (command === "later") throw this.rules.beyond("a command");
    if (command === undefined)
      return commandAnswer(refused("INVALID_ARGUMENT", "these bytes are no command"));
    if (!isTakenBy(this.#init.groupId, command.kind))
      return commandAnswer(refused("WRONG_GROUP", `this group takes no ${command.kind}`));
    const { version } = this.metadata;
    const answer = this.#answer(command, at);
    this.applied.groupsExpired += answer.expiredGroups?.length ?? 0;
    const topic = topicOf(command);
    if (topic !== undefined && this.metadata.version !== version)
      this.consumerGroups.onTopic(topic);
    return commandAnswer(answer);
  }

  #answer(command: BrokerCommand, at: At): CommandAnswer.$Properties {
    switch (command.kind) {
      case "createTopic":
        return createTopic(this.metadata, command.value);
      case "alterTopic":
        return alterTopic(this.metadata, command.value);
      case "deleteTopic":
        return this.#deleteTopic(command.value);
      case "putConfiguration":
        return putConfiguration(this.metadata, command.value);
      case "registerGroup":
        return registerGroup(this.metadata, command.value);
      case "metadata":
        return this.#follow(command.value);
      case "claim":
        return this.offsets.claim(command.value, at);
      case "commitBatch":
        return this.offsets.commit(command.value, at);
      case "resetOffsets":
        return this.#resetOffsets(command.value, at);
      case "deleteOffsets":
        return this.offsets.delete(command.value);
      case "beginReign":
        this.leaders.note(command.value);
        return this.offsets.beginReign(at.timestamp);
      case "noteProducers":
        return this.producerGroups.note(command.value, at.timestamp);
      case "joinGroup":
        return this.consumerGroups.join(command.value);
      case "leaveGroup":
        return this.consumerGroups.leave(command.value, at.timestamp);
      case "refreshGroup":
        return this.consumerGroups.refresh(command.value);
      case "deleteGroup":
        return this.consumerGroups.delete(command.value);
      case "expireGroups":
        return this.consumerGroups.expire(command.value, at.timestamp);
      case "expireOffsets":
        return this.#expireOffsets(command.value, at);
      case "noteMetadataNodes":
        this.metadataNodes.note(command.value);
        return {};
      case "raiseRules":
        this.rules.raise(command.value);
        return {};
      default:
        return unreachable(command);
    }
  }

  /** Whoever waits for something to come there hears of it. */
  #resetOffsets(command: ResetOffsetsRequest, at: At): CommandAnswer.$Properties {
    const answer = this.offsets.reset(command, at);
    if (!answer.error)
      for (const { topicId, queue } of command.offsets)
        this.#stored.add(queueKey(topicId ?? 0, queue ?? 0));
    return answer;
  }

  #expireOffsets(command: ExpireOffsetsCommand, at: At): CommandAnswer.$Properties {
    const answer = this.offsets.expire(command, at);
    if (!answer.error) this.producerGroups.expire(command.retentionMs, at.timestamp);
    return answer;
  }

  #follow(metadata: Metadata): CommandAnswer.$Properties {
    const gone = this.metadata.follow(metadata);
    if (typeof gone === "string") return refused("INVALID_ARGUMENT", gone);
    this.#forgetTopics(gone);
    return { version: this.metadata.version };
  }

  #deleteTopic(command: DeleteTopicCommand): CommandAnswer.$Properties {
    const { answer, topicId } = deleteTopic(this.metadata, command);
    if (topicId !== undefined) this.#forgetTopics([topicId]);
    return answer;
  }

  /** Their messages stay in the log until it is trimmed, and nobody finds them. */
  #forgetTopics(topicIds: readonly number[]): void {
    const gone = new Set(topicIds);
    if (gone.size === 0) return;
    for (const topicId of gone)
      for (const queue of this.queues.takeTopic(topicId)) this.#producers.forgetQueue(queue);
    this.offsets.forgetTopics(gone);
    this.producerGroups.forgetTopics(gone);
    this.index.forgetTopics((key) => gone.has(topicIdOf(key)));
    for (const key of this.#stored) if (gone.has(topicIdOf(key))) this.#stored.delete(key);
  }
}

/** @returns the name of the topic that it is about. */
function topicOf({ kind, value }: BrokerCommand): string | undefined {
  return kind === "createTopic" || kind === "alterTopic" || kind === "deleteTopic"
    ? value.name
    : undefined;
}

/** What the metadata group decides, the others are told; how far consumers are is every group's. */
function isTakenBy(groupId: number, kind: BrokerCommand["kind"]): boolean {
  if (OF_EVERY_GROUP.has(kind)) return true;
  return (groupId === METADATA_GROUP_ID) !== OF_FOLLOWING_GROUPS.has(kind);
}

function answerTo(verdict: Exclude<SequenceVerdict, { kind: "next" }>): Uint8Array {
  switch (verdict.kind) {
    case "duplicate": {
      const { baseOffset, storeTimestamp } = verdict;
      return storedAnswer({ baseOffset, storeTimestamp, isDuplicate: true });
    }
    case "staleEpoch":
      return refusedAnswer("STALE_PRODUCER_EPOCH");
    case "unknownProducer":
      return refusedAnswer("UNKNOWN_PRODUCER");
    case "gap":
      return refusedAnswer("SEQUENCE_GAP");
    case "tooOld":
      return refusedAnswer("SEQUENCE_TOO_OLD");
    default:
      return unreachable(verdict);
  }
}

/** The log gives buffers; whoever implements it otherwise gives their bytes. */
function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
