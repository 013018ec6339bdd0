// Goal: a table is what a map would be, in order; its snapshot is of the moment it was asked for,
// whatever comes after, and the same bytes wherever the rows are the same.
// Method: random changes, held against a map; snapshots pulled while the table changes.

import { describe, expect, test } from "vitest";
import { MemoryTable } from "../src/index.ts";
import { fc } from "./kit/properties.ts";

interface Change {
  readonly key: string;
  /** `undefined` deletes. */
  readonly value: Uint8Array | undefined;
}

const keys = fc.oneof(
  fc.nat(400).map((number) => `k${number}`),
  fc.string({ unit: "binary", maxLength: 4 }),
);
const values = fc.uint8Array({ maxLength: 12 });
const changes: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.record({ key: keys, value: fc.option(values, { nil: undefined, freq: 3 }) }),
  { maxLength: 900, size: "max" },
);

function change(table: MemoryTable, list: readonly Change[]): void {
  for (const { key, value } of list)
    if (value === undefined) table.delete(key);
    else table.set(key, value);
}

function modelOf(...lists: readonly (readonly Change[])[]): [string, number[]][] {
  const model = new Map<string, number[]>();
  for (const { key, value } of lists.flat())
    if (value === undefined) model.delete(key);
    else model.set(key, [...value]);
  return [...model].sort(([left], [right]) => (left < right ? -1 : 1));
}

function rowsOf(table: MemoryTable): [string, number[]][] {
  return [...table.entries()].map(([key, value]) => [key, [...value]]);
}

function bytesOf(pieces: Iterable<Uint8Array>): Buffer {
  return Buffer.concat([...pieces]);
}

function restored(pieces: Iterable<Uint8Array>): MemoryTable {
  const table = new MemoryTable();
  table.restore(pieces);
  return table;
}

function* cut(bytes: Buffer, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function large(count: number): MemoryTable {
  const table = new MemoryTable();
  for (let i = 0; i < count; i++) table.set(`k${(i * 7_919) % count}`, Buffer.alloc(4, i));
  return table;
}

describe("a table", () => {
  test("is what a map would be, in order", () => {
    fc.assert(
      fc.property(changes, (list) => {
        const table = new MemoryTable();
        change(table, list);
        const model = modelOf(list);

        expect(rowsOf(table)).toEqual(model);
        expect(table.size).toBe(model.length);
        for (const [key, value] of model) expect([...(table.get(key) ?? [])]).toEqual(value);
      }),
    );
  });

  test("of many rows that are all taken out again is empty, and takes others", () => {
    const table = large(5_000);
    for (let i = 0; i < 5_000; i++) expect(table.delete(`k${i}`)).toBe(true);

    expect([table.size, rowsOf(table), table.delete("k1")]).toEqual([0, [], false]);
    table.set("a", Buffer.of(1));
    expect(rowsOf(table)).toEqual([["a", [1]]]);
  });

  test.each(["\ud800", "a\udfff", "\udc00\ud800", `${"x".repeat(50)}\ud83d`])(
    "refuses a key that no bytes stand for, and stays as it is: %j",
    (key) => {
      const table = new MemoryTable();
      table.set("a", Buffer.of(1));

      expect(() => {
        table.set(key, Buffer.of(2));
      }).toThrow(TypeError);

      expect([table.size, table.get(key), table.delete(key)]).toEqual([1, undefined, false]);
    },
  );

  test.each(["", "\u{1f600}", "\0", "ä", "\uffff", "\u{10ffff}"])("takes any other: %j", (key) => {
    const table = new MemoryTable();
    table.set(key, Buffer.of(2));

    expect(rowsOf(restored(table.snapshot()))).toEqual([[key, [2]]]);
  });

  test("is walked over as it was, whatever is changed on the way", () => {
    const table = large(500);
    const before = rowsOf(table);
    const seen: string[] = [];
    for (const [key] of table.entries()) {
      seen.push(key);
      table.delete(key);
      table.set(`${key}-again`, Buffer.of(1));
    }

    expect(seen).toEqual(before.map(([key]) => key));
    expect(table.size).toBe(500);
  });
});

describe("a snapshot", () => {
  test("is of the moment it was asked for, whenever it is pulled", () => {
    fc.assert(
      fc.property(changes, changes, changes, (first, second, third) => {
        const table = new MemoryTable();
        change(table, first);
        const early = table.snapshot();
        change(table, second);
        const late = table.snapshot()[Symbol.iterator]();
        const pieces: Uint8Array[] = [];
        // A few changes, a piece, a few changes, a piece: and the table is replaced in between.
        for (const [i, each] of third.entries()) {
          change(table, [each]);
          const next = i % 20 === 0 ? late.next() : undefined;
          if (next !== undefined && next.done !== true) pieces.push(next.value);
          if (i === 300) table.restore([]);
        }
        for (let next = late.next(); next.done !== true; next = late.next())
          pieces.push(next.value);

        expect(rowsOf(restored(early))).toEqual(modelOf(first));
        expect(rowsOf(restored(pieces))).toEqual(modelOf(first, second));
      }),
    );
  });

  test("has the same bytes wherever the rows are the same", () => {
    fc.assert(
      fc.property(changes, fc.integer({ min: 1, max: 999 }), (list, size) => {
        const grown = new MemoryTable();
        change(grown, list);
        const bytes = bytesOf(grown.snapshot());
        const other = restored(cut(bytes, size));
        const last = new MemoryTable();
        for (const [key, value] of modelOf(list).toReversed()) last.set(key, Buffer.from(value));

        for (const table of [other, last])
          expect(bytesOf(table.snapshot()).equals(bytes)).toBe(true);
        change(other, list);
        change(grown, list);
        expect(bytesOf(other.snapshot()).equals(bytesOf(grown.snapshot()))).toBe(true);
      }),
    );
  });

  test("takes no time, however many rows there are", () => {
    const table = large(100_000);
    const start = performance.now();
    const pieces = table.snapshot();
    const asked = performance.now();
    let rest = 0;
    for (const piece of pieces) rest += piece.byteLength;
    const pulled = performance.now();

    expect(rest).toBeGreaterThan(100_000 * 12);
    expect(asked - start).toBeLessThan((pulled - asked) / 5);
  });

  test("comes in pieces, none of them of many rows", () => {
    const pieces = [...large(10_000).snapshot()];

    expect(pieces.length).toBeGreaterThan(100);
    expect(Math.max(...pieces.map(({ byteLength }) => byteLength))).toBeLessThan(64 * 20);
  });
});

describe("restoring", () => {
  test("takes pieces of any size, and rows that are longer than many of them", () => {
    const table = new MemoryTable();
    table.set("long", Buffer.alloc(100_000, 7));
    table.set("short", Buffer.alloc(1, 8));
    const bytes = bytesOf(table.snapshot());

    for (const size of [1, 7, 8, 9, 4_096, 1e6])
      expect(bytesOf(restored(cut(bytes, size)).snapshot()).equals(bytes)).toBe(true);
  });

  test("pulls piece by piece", () => {
    let pulled = 0;
    let most = 0;
    const source = large(1_000);
    const table = new MemoryTable();
    function* counted(): Generator<Uint8Array> {
      for (const piece of source.snapshot()) {
        pulled += 1;
        most = Math.max(most, pulled);
        yield piece;
        pulled -= 1;
      }
    }

    table.restore(counted());

    expect([table.size, most]).toEqual([1_000, 1]);
  });

  test("of pieces that end too early, or throw, leaves the table as it was", () => {
    const table = large(100);
    const bytes = bytesOf(table.snapshot());
    function* broken(): Generator<Uint8Array> {
      yield bytes.subarray(0, 50);
      throw new Error("damaged");
    }

    for (const length of [1, 5, 9, bytes.length - 1])
      expect(() => {
        table.restore([bytes.subarray(0, length)]);
      }).toThrow(/whole/u);
    expect(() => {
      table.restore(broken());
    }).toThrow("damaged");

    expect(bytesOf(table.snapshot()).equals(bytes)).toBe(true);
  });
});
