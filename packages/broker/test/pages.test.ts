// Goal: a list of ten thousand names costs a page of it what is on the page.
// Method: names that tell when they are taken, or sorted once more.

import { MemoryTables } from "@quorumlog/tables";
import { expect, test } from "vitest";
import { pageOfNames } from "../src/rpc/pages.ts";
import { progressCodec } from "../src/state/message-codec.ts";
import { NO_PROGRESS, ProgressTable } from "../src/state/progress-table.ts";
import { queueKey } from "../src/state/queue-key.ts";

const KEY = queueKey(1, 0);

function namesUpTo(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `group-${i}`).toSorted();
}

test("pages have every name once, in order, whatever comes and goes between them", () => {
  const names = namesUpTo(25);
  const first = pageOfNames(names, "", 10);
  const second = pageOfNames(names, first.nextPage, 10);
  // The one that the page ended with is gone, and another one is before it.
  const left = ["a", ...names.filter((name) => name !== second.nextPage)];
  const third = pageOfNames(left, second.nextPage, 10);

  expect([...first.rows, ...second.rows, ...third.rows]).toEqual(names);
  expect(third.nextPage).toBe("");
  expect(pageOfNames(names, "", 25)).toEqual({ rows: names, nextPage: "" });
});

test("what is behind a page is not taken", () => {
  let taken = 0;
  const names = (function* (): Generator<string> {
    for (const name of namesUpTo(10_000)) {
      taken += 1;
      yield name;
    }
  })();

  expect(pageOfNames(names, "", 500).rows).toHaveLength(500);
  // One more says that there are more.
  expect(taken).toBe(501);
});

test("names of groups with progress are sorted once, until a group comes or goes", () => {
  const tables = new MemoryTables(["consumerProgress"]);
  const progress = new ProgressTable(tables.table("consumerProgress", progressCodec));
  const commit = (group: string): void => {
    progress.set(group, KEY, { ...NO_PROGRESS, offset: 1 });
  };
  commit("b");
  commit("a");
  const names = progress.groups();
  expect(names).toEqual(["a", "b"]);

  commit("a");
  expect(progress.groups()).toBe(names);
  commit("c");
  expect(progress.groups()).toEqual(["a", "b", "c"]);
  progress.delete("b", KEY);
  expect(progress.groups()).toEqual(["a", "c"]);
  tables.restore([]);
  progress.load();
  expect(progress.groups()).toEqual([]);
});
