// Goal: whoever wants the names of rows does not pay for what they hold.
// Method: a codec that decodes nothing.

import { expect, test } from "vitest";
import { MemoryTables } from "../src/index.ts";

test("keys are those of the moment, in order, and no value is decoded", () => {
  const table = new MemoryTables(["a"]).table("a", {
    encode: (value: string) => Buffer.from(value),
    decode: (): string => {
      throw new Error("a value was decoded");
    },
  });
  for (const key of ["c", "a", "b"]) table.set(key, `of ${key}`);

  const keys = table.keys();
  const first = keys.next().value;
  table.delete("b");
  table.set("d", "of d");

  expect([first, ...keys]).toEqual(["a", "b", "c"]);
  expect([...table.keys()]).toEqual(["a", "c", "d"]);
});
