// Goal: state with rows of tables that this version has not is refused by name, and not misread; to
// have more tables than it has rows for is no difference.
// Method: a snapshot of one set of tables, restored into others.

import { expect, test } from "vitest";
import { MemoryTables } from "../src/index.ts";

const TEXT = {
  encode: (value: string) => Buffer.from(value),
  decode: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
};

function begunWith(bytes: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeDoubleLE(bytes);
  return head;
}

test.each([
  ["bytes of another format", Buffer.alloc(1_000_000, "x")],
  ["a length that is none", begunWith(Number.NaN)],
  ["a length below 0", begunWith(-1)],
  ["names that are cut off", begunWith(100)],
  ["a name of 10,000 bytes", Buffer.concat([begunWith(10_000), Buffer.alloc(20_000, "n")])],
])("of %s a line is said", (_what, image) => {
  const tables = new MemoryTables(["a"]);
  let message = "";
  try {
    tables.restore([image]);
  } catch (error) {
    message = (error as RangeError).message;
  }
  expect(message).toMatch(/^the state has tables .*: this version has \["a"\]$/u);
  expect(message.length).toBeLessThan(600);
});

test("rows of a table that there is not are refused, and nothing is changed", () => {
  const later = new MemoryTables(["a", "b", "c"]);
  later.table("b", TEXT).set("key", "of b");
  later.table("c", TEXT).set("key", "of c");
  const image = [...later.snapshot()];
  const former = new MemoryTables(["a", "c"]);
  former.table("c", TEXT).set("key", "of its own");

  expect(() => {
    former.restore(image);
  }).toThrow(/the state has tables \["b","c"\]: this version has \["a","c"\]/u);
  expect(former.table("c", TEXT).get("key")).toBe("of its own");

  const same = new MemoryTables(["c", "b", "a"]);
  same.restore(image);
  expect(same.table("c", TEXT).get("key")).toBe("of c");
});

test("tables without rows make no difference, whichever version has them", () => {
  const former = new MemoryTables(["a", "c"]);
  former.table("c", TEXT).set("key", "of c");
  const image = Buffer.concat([...former.snapshot()]);
  const later = new MemoryTables(["a", "b", "c"]);
  later.table("b", TEXT).set("key", "of b");

  later.restore([image]);
  expect([later.table("b", TEXT).size, later.table("c", TEXT).get("key")]).toEqual([0, "of c"]);
  expect(Buffer.concat([...later.snapshot()])).toEqual(image);

  former.restore(later.snapshot());
  expect(former.table("c", TEXT).get("key")).toBe("of c");
});

test("a name within another one does not pass for it", () => {
  const tables = new MemoryTables(["table", "a.table"]);
  tables.table("a.table", TEXT).set("key", "value");
  const others = new MemoryTables(["table", "a.table"]);

  others.restore(tables.snapshot());

  expect(others.table("table", TEXT).size).toBe(0);
  expect(others.table("a.table", TEXT).get("key")).toBe("value");
});
