// Goal: frames come out as they went in, however the stream is cut; damage is found in any header.
// Method: random frames, random cuts, random damage.

import { releaseBytes, SlabPool } from "@quorumlog/std";
import * as fc from "fast-check";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { bareFrame, FRAME_DATA, FRAME_PING, writeFrameHeader } from "../src/frame.ts";
import { FrameReader } from "../src/frame-reader.ts";

interface Frame {
  readonly groupId: number;
  readonly payload: Buffer;
}

const LENGTH_MAX = 1 << 24;
const MEMORY = new SlabPool();

function encoded({ groupId, payload }: Frame): Buffer {
  const header = Buffer.alloc(16);
  writeFrameHeader(header, { length: payload.byteLength, groupId, kind: FRAME_DATA });
  return Buffer.concat([header, payload]);
}

/** @param sizes - Of the chunks, used in turn. */
function chunks(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const result: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.byteLength; i++) {
    const size = sizes[i % sizes.length] as number;
    // Memory of its own, as the kernel's chunks have.
    result.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return result;
}

function reader(lengthMax = LENGTH_MAX): { reader: FrameReader; frames: Frame[] } {
  const frames: Frame[] = [];
  const made = new FrameReader(lengthMax, MEMORY, (_kind, groupId, payload) => {
    frames.push({ groupId, payload: Buffer.from(payload) });
  });
  return { reader: made, frames };
}

const someFrame: fc.Arbitrary<Frame> = fc.record({
  groupId: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  payload: fc
    .oneof(
      { arbitrary: fc.nat(40), weight: 5 },
      { arbitrary: fc.nat(5_000), weight: 3 },
      { arbitrary: fc.integer({ min: 1_048_500, max: 1_048_700 }), weight: 1 },
      { arbitrary: fc.integer({ min: 1 << 22, max: (1 << 22) + 9 }), weight: 1 },
    )
    .map((bytes) => Buffer.alloc(bytes, `${bytes}/`)),
});

describe("however the stream is cut", () => {
  test("frames come out as they went in", () => {
    const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(65_536)), {
      minLength: 1,
    });
    fc.assert(
      fc.property(fc.array(someFrame, { maxLength: 6 }), cuts, (sent, sizes) => {
        const { reader: made, frames } = reader();
        for (const chunk of chunks(Buffer.concat(sent.map(encoded)), [...sizes, 9_000]))
          expect(made.push(chunk)).toBeUndefined();
        expect(frames.length).toBe(sent.length);
        for (const [i, { groupId, payload }] of frames.entries()) {
          expect(groupId).toBe(sent[i]?.groupId);
          expect(payload.equals(sent[i]?.payload as Buffer)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  }, 30_000);

  test("frames before the damage come out, and none behind it", () => {
    const small = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.nat(15), fc.integer({ min: 1, max: 255 }), small, (at, flip, sizes) => {
        const good = encoded({ groupId: 1, payload: Buffer.from("before") });
        const bad = encoded({ groupId: 1, payload: Buffer.from("damaged") });
        bad[at] = (bad[at] as number) ^ flip;
        const { reader: made, frames } = reader();
        const problems = chunks(Buffer.concat([good, bad, good, good]), sizes).map((chunk) =>
          made.push(chunk),
        );
        expect(frames.map(({ payload }) => payload.toString())).toEqual(["before"]);
        expect(problems.filter((problem) => problem !== undefined)).toEqual(["checksum"]);
      }),
    );
  });
});

test("a longer frame is copied to a slab, which is used again when it is released", () => {
  let freed = 0;
  const memory = new SlabPool({ slabBytes: 10_000, onFree: () => (freed += 1) });
  const payload = Buffer.alloc(9_000, "slab");
  const reading = new FrameReader(LENGTH_MAX, memory, (_kind, _groupId, bytes) => {
    expect(Buffer.from(bytes).equals(payload)).toBe(true);
    releaseBytes(bytes);
  });
  for (const size of [4_000, 65_536])
    for (let i = 0; i < 10; i++)
      for (const chunk of chunks(encoded({ groupId: 1, payload }), [size])) reading.push(chunk);

  expect(freed).toBe(19);
});

test("of a chunk nothing is kept: its memory is used again", () => {
  const lengths = [9, 2_048, 2_049, 9_000];
  const frames = lengths.map((length) => ({ groupId: 1, payload: Buffer.alloc(length, "sent") }));
  const payloads: Uint8Array[] = [];
  const reading = new FrameReader(LENGTH_MAX, MEMORY, (_kind, _groupId, payload) =>
    payloads.push(payload),
  );
  for (const chunk of chunks(Buffer.concat(frames.map(encoded)), [65_536, 700])) {
    reading.push(chunk);
    chunk.fill(0xff);
  }

  expect(payloads.map((payload) => Buffer.from(payload))).toEqual(
    frames.map(({ payload }) => payload),
  );
});

test("a short frame is no part of a slab, which it would keep as a whole", () => {
  const memory = new SlabPool();
  const sizes: number[] = [];
  const reading = new FrameReader(LENGTH_MAX, memory, (_kind, _groupId, { buffer }) =>
    sizes.push(buffer.byteLength),
  );
  for (const length of [9, 2_048, 2_049])
    reading.push(encoded({ groupId: 1, payload: Buffer.alloc(length) }));

  expect(sizes.map((size) => size < memory.slabBytes)).toEqual([true, true, false]);
});

test("the checksum is the CRC-32 that everybody has", () => {
  const header = encoded({ groupId: 0xdeadbeef, payload: Buffer.alloc(77) });

  expect(header.readUInt32LE(12)).toBe(crc32(header.subarray(0, 12)));
});

test.each([
  ["length", { length: 1_025, groupId: 1, kind: FRAME_DATA }],
  ["length", { length: 2 ** 32 - 1, groupId: 1, kind: FRAME_DATA }],
  ["length", { length: 1, groupId: 0, kind: FRAME_PING }],
  ["kind", { length: 0, groupId: 0, kind: 0 }],
  ["kind", { length: 0, groupId: 0, kind: 4 }],
])("a bad %s is found in %o", (problem, header) => {
  const bytes = Buffer.alloc(16);
  writeFrameHeader(bytes, header);

  expect(reader(1_024).reader.push(bytes)).toBe(problem);
});

test("a large frame that is only announced costs little", () => {
  const header = Buffer.alloc(16);
  writeFrameHeader(header, { length: LENGTH_MAX, groupId: 1, kind: FRAME_DATA });
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 20 }, () => reader().reader);
  for (const each of readers) each.push(Buffer.concat([header, Buffer.alloc(10)]));

  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20 * (1 << 20) + (1 << 20));
});

test("nothing comes out of a reader that was stopped, even from within", () => {
  const seen: number[] = [];
  const made = new FrameReader(LENGTH_MAX, MEMORY, (_kind, groupId) => {
    seen.push(groupId);
    made.stop();
  });

  made.push(Buffer.concat([1, 2].map((groupId) => encoded({ groupId, payload: bareFrame(1) }))));

  expect(seen).toEqual([1]);
});
