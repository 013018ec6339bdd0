/** Record batches that lie about themselves, with a checksum that says they do not. */

import { crc32 } from "node:zlib";
import { RecordBatchBuilder } from "@quorumlog/protocol";
import type { Prng } from "@quorumlog/std";
import { mutateBytes } from "./byte-mutator.ts";

/**
 * Where the fixed part of a batch has its numbers, and their bytes: as record-batch.ts draws it.
 */
const FIELDS: readonly (readonly [number, number])[] = [
  [8, 1],
  [9, 1],
  [10, 2],
  [12, 4],
  [16, 4],
  [20, 4],
  [24, 4],
  [28, 4],
  [32, 4],
  [36, 4],
  [40, 4],
  [44, 4],
  [48, 2],
  [50, 1],
  [51, 1],
  [52, 4],
];
const LENGTH_AT = 4;
const HEADER_BYTES = 56;
const TAGS = ["a", "b", "ü"];

export interface BatchTarget {
  readonly topicId: number;
  readonly queue: number;
}

/** One as a producer makes it; of no idempotent one, unless there is a sequence. */
export function validBatch(prng: Prng, target: BatchTarget, sequence = 0): Buffer {
  const builder = new RecordBatchBuilder();
  for (let left = 1 + prng.below(5); left > 0; left--)
    builder.add({
      body: Buffer.from(`body ${prng.uint32()}`),
      bornTimestamp: 1_700_000_000_000 + prng.below(1_000),
      ...(prng.below(2) === 0 ? { tag: prng.pick(TAGS) } : {}),
      ...(prng.below(3) === 0 ? { keys: [`key ${prng.below(5)}`] } : {}),
      ...(prng.below(3) === 0 ? { messageGroup: `group ${prng.below(3)}` } : {}),
      ...(prng.below(4) === 0 ? { properties: { name: "value" } } : {}),
    });
  const producerId = sequence === 0 ? 0 : 1 + (prng.uint32() % 3);
  const place = { ...target, messageType: 1, producerId, producerEpoch: 0, sequence };
  return builder.build(place, { compress: prng.below(4) === 0 });
}

export function mutateBatch(prng: Prng, batch: Uint8Array): Buffer {
  const changed = prng.below(2) === 0 ? changedField(prng, batch) : mutateBytes(prng, batch);
  if (prng.below(4) > 0 && changed.length > LENGTH_AT + 4)
    changed.writeUInt32LE(changed.length, LENGTH_AT);
  if (prng.below(8) > 0 && changed.length > LENGTH_AT)
    changed.writeUInt32LE(crc32(changed.subarray(LENGTH_AT)), 0);
  return changed;
}

function changedField(prng: Prng, batch: Uint8Array): Buffer {
  const changed = Buffer.from(batch);
  if (changed.length < HEADER_BYTES) return changed;
  const [at, bytes] = prng.pick(FIELDS);
  const max = 2 ** (8 * bytes);
  const former = changed.readUIntLE(at, bytes);
  const value = prng.pick([
    0,
    1,
    max - 1,
    former + 1,
    former - 1,
    prng.below(Math.min(max, 2 ** 31)),
  ]);
  changed.writeUIntLE(((value % max) + max) % max, at, bytes);
  return changed;
}
