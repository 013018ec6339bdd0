// Goal: state that was written by a version with other tables is refused by name, and not misread.
// Method: a snapshot of one set of tables, restored into others.

import { expect, test } from "vitest";
import { MemoryTables } from "../src/index.ts";

const TEXT = {
  encode: (value: string) => Buffer.from(value),
  decode: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
};

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
