// Goal: state that was written by a version with other tables is refused by name, and not misread.
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

test("a snapshot of other tables is refused, and nothing is changed", () => {
  const former = new MemoryTables(["a", "c"]);
  former.table("c", TEXT).set("key", "of c");
  const image = [...former.snapshot()];
  const later = new MemoryTables(["a", "b", "c"]);
  later.table("b", TEXT).set("key", "of b");

  expect(() => {
    later.restore(image);
  }).toThrow(/the state has tables \["a","c"\]: this version has \["a","b","c"\]/u);
  expect(later.table("b", TEXT).get("key")).toBe("of b");

  const same = new MemoryTables(["c", "a"]);
  same.restore(image);
  expect(same.table("c", TEXT).get("key")).toBe("of c");
});
