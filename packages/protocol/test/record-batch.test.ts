// Goal: what goes into a batch comes out of it, and bytes that lie are refused with the reason.
// Method: random messages there and back; then each byte of a batch is changed.

import {
  array,
  assert,
  boolean,
  constantFrom,
  dictionary,
  integer,
  property,
  record,
  string,
  uint8Array,
} from "fast-check";
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import {
  batchMessages,
  type EncodedMessage,
  keyHash,
  RecordBatch,
  RecordBatchBuilder,
  repeatedBatch,
} from "../src/index.ts";
import { BATCH_FIELD } from "../src/record-batch.ts";

const PLACE = {
  topicId: 7,
  queue: 3,
  messageType: 1,
  producerId: 2 ** 40 + 5,
  producerEpoch: 2,
  sequence: 9,
};

const text = string({ minLength: 1, maxLength: 20 });
const messages = array(
  record(
    {
      body: uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      bornTimestamp: integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
      tag: constantFrom("a", "b", "ü"),
      keys: array(text, { minLength: 1, maxLength: 3 }),
      messageGroup: text,
      properties: dictionary(text, string({ maxLength: 300 }), { minKeys: 1, maxKeys: 4 }),
    },
    { requiredKeys: ["body", "bornTimestamp"] },
  ),
  { minLength: 1, maxLength: 40 },
);

function batchOf(list: readonly EncodedMessage[], compress: boolean): Buffer {
  const builder = new RecordBatchBuilder(64);
  for (const message of list) expect(builder.add(message)).toBe(true);
  return builder.build(PLACE, { compress });
}

test.each([
  ["version", BATCH_FIELD.version, 2, "version 2 of batches"],
  ["flag", BATCH_FIELD.flags, 0x40, "flag 0x40"],
  ["compression", BATCH_FIELD.flags, 0x07, "compression 7"],
])("a %s of a later version is refused, and who has to be upgraded is said", (...row) => {
  const [, field, value, said] = row;
  const bytes = batchOf([{ body: Buffer.from("a"), bornTimestamp: 1_700_000_000_000 }], false);
  bytes.writeUInt8(value, field);
  bytes.writeUInt32LE(crc32(bytes.subarray(BATCH_FIELD.length)), BATCH_FIELD.checksum);

  const why = `${said} is not known here: its client is of a later version`;
  expect(RecordBatch.check(bytes)).toContain(why);
  expect(RecordBatch.logged(bytes)).toContain(why);
});

test.each([false, true])("a batch that is sent again says so, compressed: %s", (compress) => {
  const body = Buffer.from("a".repeat(5_000));
  const first = batchOf([{ body, bornTimestamp: 1_700_000_000_000 }], compress);

  const again = repeatedBatch(first);

  expect(RecordBatch.trusted(first).isRepeated).toBe(false);
  const checked = RecordBatch.check(again) as RecordBatch;
  expect(checked).toMatchObject({ isRepeated: true, sequence: 9, recordCount: 1 });
  expect(checked.compression).toBe(RecordBatch.trusted(first).compression);
  expect([...batchMessages(again)].map((message) => message.body)).toEqual([body]);
  expect(repeatedBatch(again)).toBe(again);
});

test("messages come out as they went in, compressed or not", () => {
  assert(
    property(messages, boolean(), (list, compress) => {
      const sorted = list.toSorted((a, b) => a.bornTimestamp - b.bornTimestamp);

      const batch = batchOf(sorted, compress);

      const read = [...batchMessages(batch)].map((message) => ({
        ...message,
        number: undefined,
        body: Buffer.from(message.body),
        ...(message.properties === undefined ? {} : { properties: { ...message.properties } }),
      }));
      expect(read).toEqual(sorted.map((message) => message));
    }),
    { numRuns: 300 },
  );
});

test("the header says what a broker has to know", () => {
  const bornTimestamp = 1_700_000_000_000;
  const batch = RecordBatch.check(
    batchOf(
      [
        { body: Buffer.from("1"), bornTimestamp, tag: "x", keys: ["k"] },
        { body: Buffer.from("2"), bornTimestamp },
        { body: Buffer.from("3"), bornTimestamp, tag: "y", keys: ["k", "l"] },
      ],
      false,
    ),
  ) as RecordBatch;

  const { topicId, queue, messageType, producerId, producerEpoch, sequence } = batch;
  expect({ topicId, queue, messageType, producerId, producerEpoch, sequence }).toEqual(PLACE);
  expect(batch.recordCount).toBe(3);
  expect(batch.tags()).toEqual(["x", "y"]);
  expect([...(batch.tagNumbers() ?? [])]).toEqual([1, 0, 2]);
  expect(batch.keyHashes()).toEqual([keyHash("k"), keyHash("l")]);
  expect(batch.bornTimestamp).toBe(bornTimestamp);
});

test("reading from a record on leaves out those before it", () => {
  const list = [0, 1, 2, 3].map((n) => ({ body: Buffer.of(n), bornTimestamp: 1 }));

  const read = [...batchMessages(batchOf(list, false), 2)];

  expect(read.map(({ number, body }) => [number, body[0]])).toEqual([
    [2, 2],
    [3, 3],
  ]);
});

test("no byte of a batch can be changed unnoticed", () => {
  const batch = batchOf([{ body: Buffer.from("body"), bornTimestamp: 1, tag: "t" }], false);

  for (let at = 0; at < batch.length; at++) {
    const changed = Buffer.from(batch);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(RecordBatch.check(changed)).toEqual(expect.any(String));
  }
  for (let length = 0; length < batch.length; length++)
    expect(RecordBatch.check(batch.subarray(0, length))).toEqual(expect.any(String));
});
