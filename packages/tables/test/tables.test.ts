// Goal: the kinds of tables cannot be told apart by a state machine, nor by a snapshot's bytes.
// Method: one contract for all; and the same random history on both.

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LmdbTables, MemoryTables } from "../src/index.ts";
import { CheckpointFolder } from "./kit/checkpoint-folder.ts";
import { applyTo, NAMES, operations, snapshotOf, tableContract } from "./kit/table-contract.ts";

/** A disk that others use, too, may be slow. */
const PATIENT = { timeout: 60_000 };

tableContract("tables in memory", () => new MemoryTables(NAMES));
tableContract("tables in LMDB, before they are opened", () => new LmdbTables(NAMES));

test("equal histories give equal snapshots, whatever the kind and the cuts", PATIENT, () => {
  const { tables: kept, cut } = openedWithCuts();
  const memory = new MemoryTables(NAMES);
  fc.assert(
    fc.property(fc.array(operations, { maxLength: 30 }), (history) => {
      for (const operation of history) for (const each of [kept, memory]) applyTo(each, operation);
      cut();
      expect(snapshotOf(kept).equals(snapshotOf(memory))).toBe(true);
    }),
  );
});

test("names of tables are different, and of letters that any file system takes", () => {
  expect(() => new MemoryTables(["a", "a"])).toThrow("two have one name");
  expect(() => new MemoryTables(["a/b"])).toThrow('"a/b" is not of 1 to 64');
});

function openedWithCuts(): { tables: LmdbTables; cut: () => void } {
  const opened = new CheckpointFolder().open();
  let index = 0;
  return {
    tables: opened.tables,
    cut: () => {
      index += 1;
      opened.cut(index);
    },
  };
}
