/** Records of a broker's log: sound ones, and ones that no leader would have proposed. */

import { crc32 } from "node:zlib";
import { commandRecord } from "@quorumlog/broker/testing";
import {
  AssignmentStrategy,
  Command,
  ConsumeMode,
  MessageType,
} from "@quorumlog/protocol/messages";
import type { Prng } from "@quorumlog/std";
import { mutateBatch, validBatch } from "../batch-mutator.ts";
import { mutateBytes, randomBytes } from "../byte-mutator.ts";
import { mutateMessage } from "../message-mutator.ts";

const NORMAL = MessageType.MESSAGE_TYPE_NORMAL;
const TYPES = [NORMAL, MessageType.MESSAGE_TYPE_FIFO];
const MODES = [ConsumeMode.CONSUME_MODE_CLUSTERING, ConsumeMode.CONSUME_MODE_BROADCASTING];
const STRATEGIES = [
  AssignmentStrategy.ASSIGNMENT_STRATEGY_AVERAGE,
  AssignmentStrategy.ASSIGNMENT_STRATEGY_CIRCLE,
  AssignmentStrategy.ASSIGNMENT_STRATEGY_CONSISTENT_HASH,
  AssignmentStrategy.ASSIGNMENT_STRATEGY_STICKY,
];
const NAMES = ["orders", "stock", "x", ""];
/** Checksum, and a zero where a batch has its length. */
const COMMAND_HEADER_BYTES = 8;
const CHECKSUM_BYTES = 4;

export class RecordSource {
  readonly #prng: Prng;
  readonly #groupId: number;
  #sequence = 0;
  #version = 0;

  constructor(prng: Prng, groupId: number) {
    this.#prng = prng;
    this.#groupId = groupId;
  }

  /** What every history begins with, so that most of what follows means something. */
  first(): Buffer[] {
    const topic = { messageType: NORMAL, isReadable: true, isWritable: true, version: 1 };
    if (this.#groupId !== 1)
      return [
        commandRecord({
          metadata: {
            version: 1,
            topics: [{ ...topic, name: "topic-0", topicId: 1, queueGroupIds: [2, 1, 2, 2] }],
          },
        }),
      ];
    return [
      commandRecord({ registerGroup: { groupId: 1, name: "broker-a" } }),
      commandRecord({ createTopic: { name: "orders", messageType: NORMAL, queueCount: 4 } }),
    ];
  }

  next(): Buffer {
    const prng = this.#prng;
    const dice = prng.below(20);
    if (dice === 0) return randomBytes(prng, prng.below(200));
    if (dice < 7) return this.#batch();
    if (dice < 10) return mutateBatch(prng, this.#batch());
    if (dice < 15) return commandRecord(this.#command());
    if (dice < 16) return mutateBytes(prng, commandRecord(this.#command()));
    const body = Command.encode(this.#command()).finish();
    return sealed(mutateMessage(prng, body) ?? mutateBytes(prng, body));
  }

  #batch(): Buffer {
    const prng = this.#prng;
    const target = { topicId: 1 + prng.below(3), queue: prng.below(5) };
    const isNumbered = prng.below(2) === 0;
    if (isNumbered && prng.below(4) > 0) this.#sequence += 1;
    return validBatch(prng, target, isNumbered ? Math.max(1, this.#sequence % 40) : 0);
  }

  #command(): Command.$Properties {
    const prng = this.#prng;
    const name = prng.pick(NAMES);
    const group = prng.pick(["billing", "audit"]);
    const memberId = `member ${prng.below(3)}`;
    const epoch = prng.below(10);
    const queue = { topicId: 1 + prng.below(3), queue: prng.below(4) };
    this.#version += 1;
    return prng.pick<() => Command.$Properties>([
      () => ({ createTopic: { name, messageType: prng.pick(TYPES), queueCount: prng.below(6) } }),
      () => ({ alterTopic: { name, queueCount: prng.below(9), isWritable: prng.below(4) > 0 } }),
      () => ({ deleteTopic: { name: prng.pick(["stock", "x"]) } }),
      () => ({
        putConfiguration: {
          namespace: name,
          key: group,
          ...(prng.below(3) > 0 ? { value: "v".repeat(prng.below(100)) } : {}),
        },
      }),
      () => ({ registerGroup: { groupId: 1 + prng.below(3), name: `broker-${prng.below(3)}` } }),
      () => ({ metadata: this.#metadata() }),
      () => ({ claim: { group, memberId, epoch, queues: [queue], leaseMs: 0 } }),
      () => ({ claim: { group, memberId, epoch, queues: [queue], leaseMs: 1_000 * epoch } }),
      () => ({
        commitBatch: {
          commits: [
            {
              group,
              memberId,
              epoch,
              offsets: [{ ...queue, offset: prng.below(20), fencingToken: prng.below(50) }],
              leaseMs: 1_000 * prng.below(3),
              isRelease: prng.below(4) === 0,
            },
          ],
        },
      }),
      () => ({ resetOffsets: { group, offsets: [{ ...queue, offset: prng.below(9) }] } }),
      () => ({ deleteOffsets: { group, epoch } }),
      () => ({ beginReign: {} }),
      () => ({ expireGroups: { retentionMs: prng.below(100) } }),
      () => ({ expireOffsets: { retentionMs: prng.below(100), groups: [{ group, epoch }, {}] } }),
      () => ({
        noteProducers: { notes: [{ producerGroup: group, topicId: prng.below(5) }, {}] },
      }),
      () => ({ refreshGroup: { group } }),
      () => ({ deleteGroup: { group } }),
      () => ({
        joinGroup: {
          group,
          memberId,
          mode: prng.pick(MODES),
          strategy: prng.pick(STRATEGIES),
          subscriptions: [{ topic: name, tagExpression: prng.pick(["*", "a || b", "", "a"]) }],
          sessionTimeoutMs: 10_000,
        },
      }),
      () => ({ raiseRules: { rulesVersion: prng.below(3) } }),
      () => ({ leaveGroup: { group, memberIds: [memberId] } }),
    ])();
  }

  #metadata(): NonNullable<Command.$Properties["metadata"]> {
    const prng = this.#prng;
    return {
      version: this.#version,
      topics: Array.from({ length: prng.below(4) }, (_, i) => ({
        name: prng.below(8) === 0 ? prng.pick(NAMES) : `topic-${i}`,
        topicId: 1 + i + prng.below(2) * prng.below(3),
        messageType: NORMAL,
        isReadable: true,
        isWritable: true,
        queueGroupIds: [this.#groupId, 1, 2],
        version: this.#version,
      })),
      configuration: [{ namespace: "n", key: `k${prng.below(3)}`, value: "v" }],
    };
  }
}

/** A command's record of any bytes. */
function sealed(body: Uint8Array): Buffer {
  const record = Buffer.concat([Buffer.alloc(COMMAND_HEADER_BYTES), body]);
  record.writeUInt32LE(crc32(record.subarray(CHECKSUM_BYTES)), 0);
  return record;
}
