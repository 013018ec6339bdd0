// Goal: memory is used again when every hold was released, never before, and never if one was not.
// Method: pools of tiny slabs that spoil what is free; random takes, holds and releases.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { holdBytes, InvariantViolation, releaseBytes, SlabPool } from "../src/index.ts";

const SPOILED = 0xdb;

function pool(slabBytes = 64): { pool: SlabPool; freed: () => number } {
  let count = 0;
  const made = new SlabPool({
    slabBytes,
    onFree: (slab) => {
      count += 1;
      slab.fill(SPOILED);
    },
  });
  return { pool: made, freed: () => count };
}

/** Leaves the slab that parts are taken from now. */
function turnOver(made: SlabPool): void {
  releaseBytes(made.take(made.slabBytes));
}

describe("a slab", () => {
  test("is shared by parts that do not overlap, each at a multiple of eight", () => {
    const made = pool();
    const parts = [made.pool.take(3), made.pool.take(8), made.pool.take(0), made.pool.take(1)];
    expect(parts.map(({ byteOffset }) => byteOffset)).toEqual([0, 8, 16, 16]);
    expect(parts.map(({ byteLength }) => byteLength)).toEqual([3, 8, 0, 1]);
    expect(new Set(parts.map(({ buffer }) => buffer)).size).toBe(1);
  });

  test("is used again once all its parts are released", () => {
    const made = pool();
    const [one, other] = [made.pool.take(24), made.pool.take(24)];
    turnOver(made.pool);
    releaseBytes(one);
    expect(made.freed()).toBe(0);
    releaseBytes(other.subarray(3, 4));
    expect(made.freed()).toBe(1);
    expect(made.pool.take(40).buffer).toBe(one.buffer);
  });

  test("is not free while parts are taken from it", () => {
    const made = pool();
    releaseBytes(made.pool.take(8));
    expect(made.freed()).toBe(0);
  });

  test("that is held once more needs one more release", () => {
    const made = pool();
    const part = made.pool.take(40);
    expect(holdBytes(part)).toBe(true);
    turnOver(made.pool);
    releaseBytes(part);
    expect(made.freed()).toBe(0);
    releaseBytes(part);
    expect(made.freed()).toBe(1);
  });

  test("that is held for good keeps its bytes, and another one takes its place", () => {
    const made = pool();
    const kept = made.pool.take(40).fill(1);
    turnOver(made.pool);
    for (let i = 0; i < 10; i++) turnOver(made.pool);
    expect([...kept]).toEqual(Array.from({ length: 40 }, () => 1));
  });

  test("is let go when enough are free", () => {
    const made = new SlabPool({ slabBytes: 16, freeCountMax: 1 });
    const parts = [made.take(16), made.take(16), made.take(16)];
    made.take(16);
    for (const part of parts) releaseBytes(part);
    const buffers = new Set(parts.map(({ buffer }) => buffer));
    expect([made.take(16), made.take(16)].filter(({ buffer }) => buffers.has(buffer))).toHaveLength(
      1,
    );
  });
});

describe("bytes of no slab", () => {
  test("need no hold, and no release", () => {
    const bytes = new Uint8Array(8);
    expect(holdBytes(bytes)).toBe(false);
    expect(() => {
      releaseBytes(bytes);
    }).not.toThrow();
  });

  test("are what is longer than a slab", () => {
    expect(holdBytes(pool(64).pool.take(65))).toBe(false);
  });
});

describe("a mistake is found", () => {
  test("when more is released than was held", () => {
    const made = pool();
    const part = made.pool.take(8);
    turnOver(made.pool);
    releaseBytes(part);
    expect(() => {
      releaseBytes(part);
    }).toThrow(InvariantViolation);
  });

  test("when what is free is held", () => {
    const made = pool();
    const part = made.pool.take(8);
    turnOver(made.pool);
    releaseBytes(part);
    expect(() => holdBytes(part)).toThrow(InvariantViolation);
  });
});

test("whatever is taken and released, what is held keeps its bytes", () => {
  const step = fc.record({ take: fc.integer({ min: 0, max: 40 }), release: fc.nat(9) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const made = pool();
      const held: { readonly part: Uint8Array; readonly mark: number }[] = [];
      for (const [at, { take, release }] of steps.entries()) {
        const mark = at % 200;
        held.push({ part: made.pool.take(take).fill(mark), mark });
        const gone = held[release];
        if (gone !== undefined) {
          held.splice(release, 1);
          releaseBytes(gone.part);
        }
        for (const { part, mark: written } of held)
          expect(part.every((byte) => byte === written)).toBe(true);
      }
    }),
  );
});
