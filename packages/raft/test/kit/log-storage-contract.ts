/**
 * What every `LogStorage` owes the core, as tests: run it inside a `describe` for each
 * implementation. `make` returns a storage that holds the given snapshot and entries.
 */

import { expect, test } from "vitest";
import type { Entry, LogStorage, Snapshot } from "../../src/index.ts";
import { log, positions } from "./entries.ts";
import { configurationOf } from "./members.ts";
import { snapshotAt } from "./messages.ts";

export interface StorageContent {
  readonly snapshot: Snapshot | undefined;
  readonly entries: readonly Entry[];
}

export function logStorageContract(make: (content: StorageContent) => LogStorage): void {
  const configuration = configurationOf({ voters: [1, 2, 3] });
  const snapshot = snapshotAt(4, 2, configuration);
  const empty = (): LogStorage => make({ snapshot: undefined, entries: [] });
  const full = (): LogStorage => make({ snapshot, entries: log([2, 3, 3], 5) });

  test("an empty storage starts at index 1, after term 0", () => {
    const storage = empty();
    expect([storage.firstIndex(), storage.lastIndex(), storage.term(0)]).toEqual([1, 0, 0]);
    expect(storage.term(1)).toBeUndefined();
    expect(storage.snapshot()).toBeUndefined();
    expect(storage.initialState().hardState).toEqual({
      currentTerm: 0,
      votedFor: undefined,
      commitIndex: 0,
    });
  });

  test("a snapshot alone leaves a log that ends where it does", () => {
    const storage = make({ snapshot, entries: [] });
    expect([storage.firstIndex(), storage.lastIndex(), storage.term(4)]).toEqual([5, 4, 2]);
  });

  test("the bounds and every term between them", () => {
    const storage = full();
    expect([storage.firstIndex(), storage.lastIndex()]).toEqual([5, 7]);
    const terms = [3, 4, 5, 6, 7, 8].map((index) => storage.term(index));
    expect(terms).toEqual([undefined, 2, 2, 3, 3, undefined]);
  });

  test("a range, half open", () => {
    const read = full().entries({ low: 5, high: 7, bytesMax: 1e9 });
    expect(Array.isArray(read) && positions(read)).toEqual(["2/5", "3/6"]);
  });

  test("a range by bytes: at least one entry, and no more than fit", () => {
    const storage = full();
    const count = (bytesMax: number): number | undefined =>
      storage.entries({ low: 5, high: 8, bytesMax })?.length;
    // An entry without data counts 32.
    expect([count(0), count(63), count(64), count(96)]).toEqual([1, 1, 2, 3]);
  });

  test("a range that starts in what is compacted is unknown, not shorter", () => {
    expect(full().entries({ low: 4, high: 7, bytesMax: 1e9 })).toBeUndefined();
  });

  test("the snapshot and its configuration", () => {
    const storage = full();
    expect(storage.snapshot()).toEqual(snapshot);
    expect(storage.initialState().configuration).toEqual(configuration);
  });
}
