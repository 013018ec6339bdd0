// Goal: what was acknowledged and is not stored, or is stored elsewhere, is found: by the ends of
// queues alone as far as that goes, and by reading blocks.
// Method: a ledger of a few thousand acknowledgements by hand, and what a reader would have read.

import { expect, test } from "vitest";
import { mixOf, PlaceLedger, sampleOf } from "../src/scale/place-ledger.ts";

const MESSAGE_BYTES = 100;

/** Of one queue, whose message at an offset has that serial number. */
function ledgerOf(count: number, place = 0): PlaceLedger {
  const ledger = new PlaceLedger(MESSAGE_BYTES);
  for (let offset = 0; offset < count; offset++) ledger.ack(place, offset, offset);
  return ledger;
}

function sumOf(from: number, to: number, serialOf = (offset: number): number => offset): number {
  let sum = 0;
  for (let offset = from; offset < to; offset++)
    sum = (sum + mixOf(offset, serialOf(offset))) >>> 0;
  return sum;
}

test("nothing is wrong if each offset below an end was acknowledged once", () => {
  const ledger = ledgerOf(5_000);
  ledger.ack(3, 0, 7);

  expect(ledger.auditEnds([5_000, 0, 0, 1])).toEqual({ lost: 0, strange: 0 });
  expect(ledger.acked).toBe(5_001);
  expect(ledger.repeated).toBe(0);
});

test("what was acknowledged beyond the end is lost, within a word of bits, too", () => {
  expect(ledgerOf(100).auditEnds([100 - 37]).lost).toBe(37);
  expect(ledgerOf(5_000).auditEnds([4_096]).lost).toBe(904);
  expect(ledgerOf(5).auditEnds([]).lost).toBe(5);
});

test("what is stored and was not acknowledged is strange, in any queue", () => {
  const ledger = new PlaceLedger(MESSAGE_BYTES);
  ledger.ack(0, 0, 0);
  ledger.ack(0, 2, 1);

  expect(ledger.auditEnds([3, 4])).toEqual({ lost: 0, strange: 1 + 4 });
});

test("an offset that is acknowledged again is counted, and is no message more", () => {
  const ledger = ledgerOf(10);
  ledger.ack(0, 9, 10);

  expect(ledger.repeated).toBe(1);
  expect(ledger.acked).toBe(10);
});

test("a block is as it was acknowledged, unless two of its messages have changed places", () => {
  const ledger = ledgerOf(2_500, 2);
  const blocks = ledger.blocks();

  expect(blocks.map(({ from, to }) => [from, to])).toEqual([
    [0, 1_024],
    [1_024, 2_048],
    [2_048, 2_500],
  ]);
  for (const block of blocks) {
    const { from, to } = block;
    expect(ledger.isAsAcknowledged(block, sumOf(from, to))).toBe(true);
    const swapped = (offset: number): number => {
      if (offset === from) return from + 1;
      return offset === from + 1 ? from : offset;
    };
    expect(ledger.isAsAcknowledged(block, sumOf(from, to, swapped))).toBe(false);
    const twice = (offset: number): number => (offset === from ? from + 1 : offset);
    expect(ledger.isAsAcknowledged(block, sumOf(from, to, twice))).toBe(false);
  }
});

test("blocks of large messages are short", () => {
  expect(new PlaceLedger(100).blockLength).toBe(1_024);
  expect(new PlaceLedger(10_240).blockLength).toBe(102);
  expect(new PlaceLedger(4 * 1024 * 1024).blockLength).toBe(1);
});

test("a sample is spread over all, and has the last block", () => {
  const blocks = ledgerOf(10 * 1_024).blocks();

  expect(sampleOf(blocks, 99)).toEqual(blocks);
  expect(sampleOf(blocks, 2).map(({ from }) => from)).toEqual([4 * 1_024, 9 * 1_024]);
});
