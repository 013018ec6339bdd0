/** What tables of every kind do: run it for each. */

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  jsonCodec,
  KEY_BYTES_MAX,
  rowProblem,
  type Tables,
  textCodec,
  VALUE_BYTES_MAX,
} from "../../src/index.ts";

export const NAMES = ["a", "b"] as const;

export type Operation =
  | {
      readonly kind: "set";
      readonly table: "a" | "b";
      readonly key: string;
      readonly value: string;
    }
  | { readonly kind: "delete"; readonly table: "a" | "b"; readonly key: string };

/** Keys meet often; some are empty, or sort by UTF-16 and by UTF-8 in different ways. */
const keys = fc.oneof(
  fc.constantFrom("", "k", "\u{1F600}", "\uFFFF", "é"),
  fc.nat(40).map((n) => `key-${n}`),
);
const tables = fc.constantFrom(...NAMES);

export const operations: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    kind: fc.constant("set" as const),
    table: tables,
    key: keys,
    value: fc.string({ maxLength: 30 }),
  }),
  fc.record({ kind: fc.constant("delete" as const), table: tables, key: keys }),
);

export class Model {
  readonly tables: Record<"a" | "b", Map<string, string>> = { a: new Map(), b: new Map() };

  apply(operation: Operation): void {
    const { table, key } = operation;
    if (operation.kind === "set") this.tables[table].set(key, operation.value);
    else this.tables[table].delete(key);
  }

  contents(): [string, string][][] {
    return NAMES.map((name) => [...this.tables[name]].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

export function applyTo(kind: Tables, operation: Operation): void {
  const table = kind.table(operation.table, textCodec);
  if (operation.kind === "set") table.set(operation.key, operation.value);
  else table.delete(operation.key);
}

export function contentsOf(kind: Tables): [string, string][][] {
  return NAMES.map((name) => [...kind.table(name, textCodec).entries()]);
}

export function snapshotOf(kind: Tables): Buffer {
  return Buffer.concat([...kind.snapshot()]);
}

export function tableContract(name: string, make: () => Tables): void {
  describe(name, () => {
    test("does what maps would, in the order of keys", () => {
      fc.assert(
        fc.property(fc.array(operations, { maxLength: 60 }), (history) => {
          const [kind, model] = [make(), new Model()];
          for (const operation of history) {
            const { table, key } = operation;
            applyTo(kind, operation);
            model.apply(operation);
            expect(kind.table(table, textCodec).get(key)).toBe(model.tables[table].get(key));
          }
          expect(contentsOf(kind)).toEqual(model.contents());
          for (const each of NAMES)
            expect(kind.table(each, textCodec).size).toBe(model.tables[each].size);
        }),
      );
    });

    test("comes back from its snapshot, in pieces of any size", () => {
      fc.assert(
        fc.property(fc.array(operations), fc.integer({ min: 1, max: 50 }), (history, bytes) => {
          const [kind, copy] = [make(), make()];
          for (const operation of history) applyTo(kind, operation);
          const image = snapshotOf(kind);
          const pieces = Array.from({ length: Math.ceil(image.length / bytes) }, (_, i) =>
            image.subarray(i * bytes, (i + 1) * bytes),
          );

          copy.table("a", textCodec).set("former", "gone");
          copy.restore(pieces);

          expect(contentsOf(copy)).toEqual(contentsOf(kind));
          expect(snapshotOf(copy).equals(image)).toBe(true);
        }),
      );
    });

    test("has snapshots, and rows to walk over, of the moment they were asked for", () => {
      const kind = make();
      const table = kind.table("a", textCodec);
      for (let i = 0; i < 200; i++) table.set(`k${i}`, "former");
      const before = snapshotOf(kind);

      const [snapshot, entries] = [kind.snapshot(), table.entries()];
      for (let i = 0; i < 200; i++) table.set(`k${i}`, "later");
      table.delete("k7");

      expect(Buffer.concat([...snapshot]).equals(before)).toBe(true);
      expect([...entries].every(([, value]) => value === "former")).toBe(true);
    });

    test("has late rows written when it is taken, once, as they are then", () => {
      const kind = make();
      const table = kind.table("a", textCodec);
      const written: string[] = [];
      const late = kind.late<{ key: string; value: string; isChanged: boolean }>((row) => {
        written.push(row.key);
        table.set(row.key, row.value);
      });
      const [one, gone] = ["one", "gone"].map((key) => ({ key, value: "0", isChanged: false }));
      for (const value of ["1", "2", "3"]) {
        Object.assign(one as object, { value });
        for (const row of [one, gone]) late.touch(row as NonNullable<typeof row>);
      }
      (gone as NonNullable<typeof gone>).isChanged = false;
      expect(written).toEqual([]);

      const image = snapshotOf(kind);

      expect(written).toEqual(["one"]);
      expect(contentsOf(kind)).toEqual([[["one", "3"]], []]);
      expect(snapshotOf(kind).equals(image)).toBe(true);
      expect(written).toEqual(["one"]);
    });

    test("forgets late rows when others take the place of all", () => {
      const kind = make();
      const table = kind.table("a", textCodec);
      const late = kind.late<{ isChanged: boolean }>(() => {
        table.set("k", "late");
      });
      late.touch({ isChanged: false });

      kind.restore([]);

      expect(late.bytes).toBe(0);
      snapshotOf(kind);
      expect(contentsOf(kind)).toEqual([[], []]);
    });

    test("stays what it is if what it is to become breaks off", () => {
      const kind = make();
      kind.table("b", textCodec).set("k", "v");
      const image = snapshotOf(kind);

      expect(() => {
        kind.restore([image.subarray(0, image.length - 1)]);
      }).toThrow("whole");

      expect(contentsOf(kind)).toEqual([[], [["k", "v"]]]);
      kind.restore([]);
      expect(contentsOf(kind)).toEqual([[], []]);
    });

    test("refuses rows beyond the limits, and names them, before anything is changed", () => {
      const kind = make();
      const table = kind.table("a", textCodec);
      const longest = "é".repeat(KEY_BYTES_MAX / 2);
      table.set(longest, "fits");

      expect(() => {
        table.set(`${longest}x`, "");
      }).toThrow(`key: ${KEY_BYTES_MAX + 1} bytes, more than ${KEY_BYTES_MAX}`);
      expect(() => {
        table.set("\uD800", "");
      }).toThrow("half of a surrogate pair");
      const tooLarge = Buffer.alloc(VALUE_BYTES_MAX + 1);
      const bytes = kind.table("b", { encode: (value: Buffer) => value, decode: () => tooLarge });
      expect(() => {
        bytes.set("k", tooLarge);
      }).toThrow(`value: ${VALUE_BYTES_MAX + 1} bytes, more than ${VALUE_BYTES_MAX}`);

      expect(rowProblem("k", tooLarge.subarray(1))).toBeUndefined();
      expect(contentsOf(kind)).toEqual([[[longest, "fits"]], []]);
    });

    test("keeps values of any type that bytes stand for", () => {
      const table = make().table("a", jsonCodec<{ readonly count: number }>());

      table.set("k", { count: 7 });

      expect(table.get("k")).toEqual({ count: 7 });
      expect([...table.entries()]).toEqual([["k", { count: 7 }]]);
    });

    test("has the tables that were named, and no others", () => {
      expect(() => make().table("c", textCodec)).toThrow('there is no "c"');
    });
  });
}
