/** Decodes the messages of a batch, for those who consume them. */

import { inflateRawSync } from "node:zlib";
import { COMPRESSION, RecordBatch, recordsProblem } from "./record-batch.ts";
import { readRecord, RecordError } from "./record-codec.ts";

/** A message and which one of its batch it is; `undefined` for what it does not have. */
export interface BatchMessage {
  readonly number: number;
  /** A view of the batch, if that is not compressed. */
  readonly body: Buffer;
  readonly bornTimestamp: number;
  readonly tag: string | undefined;
  readonly keys: readonly string[] | undefined;
  readonly messageGroup: string | undefined;
  readonly properties: Readonly<Record<string, string>> | undefined;
}

/**
 * Checks a batch, and reads its messages from one on.
 *
 * @param bytes - Borrowed: bodies of what is not compressed are views of it.
 * @param from - Number of the first wanted.
 * @param onUnreadable - Told of a record that is none, which is passed over then: the lengths that
 *   its batch has say where the next one begins. Default: it is thrown.
 * @throws RecordError for bytes that are no batch: they were damaged on their way, or written by
 *   something else
 */
export function* batchMessages(
  bytes: Buffer,
  from = 0,
  onUnreadable?: (error: RecordError & { readonly number: number }) => void,
): Generator<BatchMessage, void, void> {
  const batch = RecordBatch.check(bytes);
  if (typeof batch === "string") {
    const isDamage = !RecordBatch.isIntact(bytes);
    const what = isDamage ? "is damaged" : "is none that is known here";
    throw new RecordError(`the batch ${what}: ${batch}`, { isDamage });
  }
  const records = unpacked(batch);
  const tags = batch.tags();
  const tagNumbers = batch.tagNumbers();
  const { bornTimestamp, recordCount } = batch;
  let at = 0;
  for (let number = 0; number < recordCount; number++) {
    const length = records.readUInt32LE(at);
    const record = number < from ? undefined : readable(records, at + 4, { number, length });
    at += 4 + length;
    if (record === undefined) continue;
    if (record instanceof RecordError) {
      if (onUnreadable === undefined) throw record;
      onUnreadable(record as RecordError & { readonly number: number });
      continue;
    }
    const { body, bornDelay, keys, messageGroup, properties } = record;
    yield {
      number,
      body,
      bornTimestamp: bornTimestamp + bornDelay,
      tag: tagNumbers === undefined ? undefined : tags[(tagNumbers[number] ?? 0) - 1],
      keys,
      messageGroup,
      properties,
    };
  }
}

/** @returns why it cannot be read, if so. */
function readable(
  records: Buffer,
  at: number,
  { number, length }: { readonly number: number; readonly length: number },
): ReturnType<typeof readRecord> | RecordError {
  try {
    return readRecord(records, at, length);
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return new RecordError(error.message, { number, cause: error });
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
