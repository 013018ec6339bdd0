// Goal: the log storage that others are measured against keeps the contract of log-storage.ts.
// Method: the contract of kit/log-storage-contract.ts, then what only this storage does.

import { InvariantViolation } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { MemoryLogStorage } from "../src/index.ts";
import { log, positions } from "./kit/entries.ts";
import { logStorageContract } from "./kit/log-storage-contract.ts";
import { configurationOf } from "./kit/members.ts";
import { snapshotAt } from "./kit/messages.ts";

const CONFIGURATION = configurationOf({ voters: [1, 2, 3] });

describe("the contract", () => {
  logStorageContract(({ snapshot, entries }) => {
    const storage = new MemoryLogStorage(snapshot === undefined ? {} : { snapshot });
    storage.append(entries);
    return storage;
  });

  logStorageContract(({ snapshot, entries }) => {
    // The same state, reached by compaction.
    const storage = new MemoryLogStorage();
    if (snapshot !== undefined) {
      const { lastIncludedIndex, lastIncludedTerm } = snapshot;
      storage.append(log(Array.from({ length: lastIncludedIndex }, () => lastIncludedTerm)));
    }
    storage.append(entries);
    if (snapshot !== undefined) {
      storage.setSnapshot(snapshot);
      storage.setConfiguration(snapshot.configuration);
      storage.compact(snapshot.lastIncludedIndex + 1);
    }
    return storage;
  });
});

function all(storage: MemoryLogStorage): string[] {
  const [low, high] = [storage.firstIndex(), storage.lastIndex() + 1];
  return low === high ? [] : positions(storage.entries({ low, high, bytesMax: 1e9 }) ?? []);
}

describe("appending", () => {
  test.each([
    [[2, 2], 4, ["1/1", "1/2", "1/3", "2/4", "2/5"]],
    [[2], 2, ["1/1", "2/2"]],
    [[2, 2, 2], 1, ["2/1", "2/2", "2/3"]],
  ])("terms %o from %i replaces everything from there on", (terms, from, found) => {
    const storage = new MemoryLogStorage();
    storage.append(log([1, 1, 1]));
    storage.append(log(terms, from));
    expect(all(storage)).toEqual(found);
  });

  test("nothing changes nothing", () => {
    const storage = new MemoryLogStorage();
    storage.append(log([1]));
    storage.append([]);
    expect(all(storage)).toEqual(["1/1"]);
  });

  test("with a gap, or into what is compacted, is a bug", () => {
    const storage = new MemoryLogStorage({ snapshot: snapshotAt(4, 1, CONFIGURATION) });
    expect(() => storage.append(log([1], 6))).toThrow(InvariantViolation);
    expect(() => storage.append(log([1], 4))).toThrow(InvariantViolation);
  });
});

describe("compaction", () => {
  test("keeps the term of the last index that it drops", () => {
    const storage = new MemoryLogStorage();
    storage.append(log([1, 2, 3]));
    storage.compact(3);
    expect(all(storage)).toEqual(["3/3"]);
    expect([storage.term(2), storage.term(1)]).toEqual([2, undefined]);
  });

  test("of everything leaves an empty log that goes on", () => {
    const storage = new MemoryLogStorage();
    storage.append(log([1, 2]));
    storage.compact(3);
    expect([storage.firstIndex(), storage.lastIndex()]).toEqual([3, 2]);
    storage.append(log([2], 3));
    expect(all(storage)).toEqual(["2/3"]);
  });

  test("neither goes back nor past the end", () => {
    const storage = new MemoryLogStorage({ snapshot: snapshotAt(4, 1, CONFIGURATION) });
    expect(() => storage.compact(4)).toThrow(InvariantViolation);
    expect(() => storage.compact(6)).toThrow(InvariantViolation);
  });
});

describe("a snapshot", () => {
  test("that was received takes the place of log and configuration", () => {
    const storage = new MemoryLogStorage();
    storage.append(log([1, 1, 1]));
    storage.installSnapshot(snapshotAt(9, 2, CONFIGURATION));
    expect([storage.firstIndex(), storage.lastIndex(), storage.term(9)]).toEqual([10, 9, 2]);
    expect(storage.initialState().configuration).toEqual(CONFIGURATION);
  });

  test("of one's own leaves the log alone", () => {
    const storage = new MemoryLogStorage();
    storage.append(log([1, 1, 1]));
    const own = snapshotAt(2, 1, CONFIGURATION);
    storage.setSnapshot(own);
    expect(storage.snapshot()).toBe(own);
    expect(all(storage)).toHaveLength(3);
  });

  test("does not go back", () => {
    const storage = new MemoryLogStorage({ snapshot: snapshotAt(9, 2, CONFIGURATION) });
    const old = snapshotAt(8, 2, CONFIGURATION);
    expect(() => storage.installSnapshot(old)).toThrow(InvariantViolation);
  });
});

test("the commit index it reports is never below its snapshot", () => {
  const storage = new MemoryLogStorage();
  storage.setHardState({ currentTerm: 3, votedFor: 2, commitIndex: 1 });
  storage.installSnapshot(snapshotAt(9, 2, CONFIGURATION));
  const { hardState } = storage.initialState();
  expect(hardState).toEqual({ currentTerm: 3, votedFor: 2, commitIndex: 9 });
});
