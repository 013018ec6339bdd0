/** Decodes the messages of a batch, for those who consume them. */

import { inflateRawSync } from "node:zlib";
import type { EncodedMessage } from "./message.ts";
import { COMPRESSION, RecordBatch, recordsProblem } from "./record-batch.ts";
import { readRecord, RecordError } from "./record-codec.ts";

/** A message and which one of its batch it is. */
export interface BatchMessage extends EncodedMessage {
  readonly number: number;
}

/**
 * Checks a batch, and reads its messages from one on.
 *
 * @param bytes - Borrowed: bodies of what is not compressed are views of it.
 * @param from - Number of the first wanted.
 * @throws RecordError for bytes that are no batch: they were damaged on their way, or written by
 *   something else
 */
export function* batchMessages(bytes: Buffer, from = 0): Generator<BatchMessage, void, void> {
  const batch = RecordBatch.check(bytes);
  if (typeof batch === "string") throw new RecordError(`the batch is damaged: ${batch}`);
  const records = unpacked(batch);
  const tags = batch.tags();
  const tagNumbers = batch.tagNumbers();
  const { bornTimestamp, recordCount } = batch;
  let at = 0;
  for (let number = 0; number < recordCount; number++) {
    const length = records.readUInt32LE(at);
    if (number >= from) {
      const { bornDelay, ...fields } = readRecord(records, at + 4, length);
      const tag = tags[(tagNumbers?.[number] ?? 0) - 1];
      const message = { ...fields, number, bornTimestamp: bornTimestamp + bornDelay };
      yield tag === undefined ? message : { ...message, tag };
    }
    at += 4 + length;
  }
}

function unpacked(batch: RecordBatch): Buffer {
  if (batch.compression === COMPRESSION.none) return batch.records();
  const { recordsBytes } = batch;
  const records = inflated(batch.records(), recordsBytes);
  if (records.length !== recordsBytes)
    throw new RecordError(`its records have ${records.length} bytes, and not ${recordsBytes}`);
  const problem = recordsProblem(records, 0, batch.recordCount);
  if (problem !== undefined) throw new RecordError(problem);
  return records;
}

function inflated(bytes: Buffer, bytesMax: number): Buffer {
  try {
    return inflateRawSync(bytes, { maxOutputLength: Math.max(1, bytesMax) });
  } catch (error) {
    throw new RecordError("its records cannot be unpacked", { cause: error });
  }
}
