/**
 * Applies one history of records, most of them damaged, to four machines at once: one record by
 * record, two in batches, and one that is restored from a snapshot again and again.
 *
 * No record may make one throw but those of a later version, which no leader takes from a client,
 * and which are left out then; all give the same answers and have the same state, to the byte; and
 * whatever a queue has is without a gap, and ends where the state says.
 */

import { crc32 } from "node:zlib";
import { RulesVersionError } from "@quorumlog/broker";
import { type BrokerMachine, parsePublishAnswer, queueKey } from "@quorumlog/broker/testing";
import { batchMessages, RecordBatch, RecordError } from "@quorumlog/protocol";
import { CommandAnswer } from "@quorumlog/protocol/messages";
import { Prng } from "@quorumlog/std";
import { demand, Finding } from "../finding.ts";
import { imageOf, loneMachine, restored } from "./lone-machine.ts";
import { RecordSource } from "./record-source.ts";

const TURNS = 40;
const RECORDS_PER_TURN_MAX = 6;
const LENGTH_AT = 4;

export interface ApplyOutcome {
  readonly records: number;
  /** Those in front of which a node stops. */
  readonly stops: number;
}

/** @throws Finding with the record that does it, in hex */
export function runApply(seed: number): ApplyOutcome {
  const prng = new Prng(seed);
  const groupId = 1 + prng.below(2);
  const source = new RecordSource(prng, groupId);
  const machines = [loneMachine(groupId), loneMachine(groupId)] as const;
  const first = loneMachine(groupId);
  let third = loneMachine(groupId);
  let stops = 0;
  let offset = 0;
  let timestamp = 1_700_000_000_000;
  for (let turn = 0; turn < TURNS; turn++) {
    const drawn =
      turn === 0
        ? source.first()
        : Array.from({ length: 1 + prng.below(RECORDS_PER_TURN_MAX) }, () => source.next());
    let next = offset;
    const records = drawn.filter((record) => {
      const isTaken = isApplied(first, record, { offset: next, timestamp });
      next += isTaken ? 1 : 0;
      return isTaken;
    });
    stops += drawn.length - records.length;
    if (records.length === 0) continue;
    for (const record of records) readAsConsumer(record);
    const batch = { offset, records, timestamp };
    const answers = [...machines, third].map((machine) => applied(machine, batch));
    demandEqual(answers, records);
    for (const [i, answer] of (answers[0] ?? []).entries()) demandReadable(answer, records[i]);
    offset += records.length;
    timestamp += prng.below(3);
    const image = imageOf(machines[0]);
    demand(image.equals(imageOf(machines[1])), `turn ${turn}: two states of one history differ`);
    demand(image.equals(imageOf(first)), `turn ${turn}: records by themselves do something else`);
    demand(image.equals(imageOf(third)), `turn ${turn}: a restored state goes on differently`);
    demandWhole(machines[0]);
    if (prng.below(4) === 0) third = restored(image, { index: offset + 10, offset }, groupId);
  }
  return { records: offset, stops };
}

/** @returns whether it may be in the log of a node: of a later version it has to stop the node. */
function isApplied(
  machine: BrokerMachine,
  record: Buffer,
  place: { readonly offset: number; readonly timestamp: number },
): boolean {
  try {
    machine.apply({ ...place, records: [Buffer.from(record)] });
    return true;
  } catch (error) {
    const hex = record.toString("hex");
    if (!(error instanceof RulesVersionError))
      throw new Finding(`apply has thrown: ${String(error)}\n${hex}`, { cause: error });
    const isSummed = crc32(record.subarray(LENGTH_AT)) === record.readUInt32LE(0);
    demand(isSummed, `bytes that nobody has summed stop a node: ${hex}`);
    const isTaken = typeof RecordBatch.check(record) !== "string";
    demand(!isTaken, `a batch that a leader takes stops a node: ${hex}`);
    return false;
  }
}

function applied(
  machine: BrokerMachine,
  batch: { readonly offset: number; readonly records: Buffer[]; readonly timestamp: number },
): Uint8Array[] {
  try {
    // Its own bytes: what it keeps of them must be a copy, as the log uses their memory again.
    const records = batch.records.map((record) => Buffer.from(record));
    const answers = machine.apply({ ...batch, records });
    for (const record of records) record.fill(0xee);
    return answers;
  } catch (error) {
    const hex = batch.records.map((record) => record.toString("hex")).join("\n");
    throw new Finding(`apply has thrown: ${String(error)}\n${hex}`, { cause: error });
  }
}

function demandEqual(
  answers: readonly (readonly Uint8Array[])[],
  records: readonly Buffer[],
): void {
  for (const others of answers.slice(1))
    for (const [i, record] of records.entries())
      if (!Buffer.from(answers[0]?.[i] ?? []).equals(others[i] ?? Buffer.of(0)))
        throw new Finding(`two answers to one record differ: ${record.toString("hex")}`);
}

/** Each is that of a batch, or that of a command: by what the record is. */
function demandReadable(answer: Uint8Array, record: Buffer | undefined): void {
  const isCommand = (record?.length ?? 0) >= 8 && record?.readUInt32LE(LENGTH_AT) === 0;
  if (isCommand) CommandAnswer.decode(answer);
  else parsePublishAnswer(answer);
}

/** What the index has of a queue follows one another, up to its end. */
function demandWhole(machine: BrokerMachine): void {
  for (const { topicId, queueGroupIds } of machine.metadata.topics())
    for (const queue of queueGroupIds.keys()) {
      const key = queueKey(topicId, queue);
      let next = machine.index.firstOffset(key) ?? machine.queues.end(key);
      for (const { baseOffset, endOffset } of machine.index.range(key, next, { bytes: 1e9 })) {
        demand(baseOffset === next, `queue ${topicId}/${queue} has a gap at ${next}`);
        demand(endOffset > baseOffset, `queue ${topicId}/${queue} has nothing at ${baseOffset}`);
        next = endOffset;
      }
      demand(next === machine.queues.end(key), `queue ${topicId}/${queue} ends at ${next}`);
    }
}

/** A consumer gets all messages of a batch, or an error that says it is none. */
function readAsConsumer(record: Buffer): void {
  try {
    const count = [...batchMessages(record)].length;
    const batch = RecordBatch.check(record);
    demand(typeof batch !== "string", "what cannot be a batch was read as one");
    demand(count === batch.recordCount, `a batch of ${batch.recordCount} gave ${count} messages`);
  } catch (error) {
    if (error instanceof RecordError) return;
    throw new Finding(`a batch could not be read: ${String(error)}\n${record.toString("hex")}`, {
      cause: error,
    });
  }
}
