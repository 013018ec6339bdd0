/**
 * What every `LogStore` owes its replica, as cases that any test runner can run:
 *
 *     for (const { name, run } of logStoreContract) test(name, () => run(makeHarness()));
 */

import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import type { HardState, LogBase, LogEntry } from "../log-entry.ts";
import type { AppendBatch, LogStore } from "../log-store.ts";

/** One log, and a way to stop and start what runs on it. */
export interface LogStoreHarness {
  /** Opens the log, which is new the first time. */
  open(): LogStore;
  /** Ends what runs. What was said to be durable survives, whatever else is lost. */
  stop(): Promise<void>;
}

export interface LogStoreCase {
  readonly name: string;
  readonly run: (harness: LogStoreHarness) => Promise<void>;
}

function entry(index: number, term: number, bytes = 10): LogEntry {
  return { index, term, kind: "normal", data: new Uint8Array(bytes).fill(index) };
}

function batch(parts: Partial<AppendBatch>): AppendBatch {
  return { hardState: undefined, reset: undefined, entries: [], ...parts };
}

/** Ends when it is durable. */
function append(store: LogStore, parts: Partial<AppendBatch>): Promise<void> {
  return new Promise((resolve) => {
    store.append(batch(parts), resolve);
  });
}

function textOf(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}

function positions(store: LogStore): string[] {
  const found: string[] = [];
  for (let index = store.firstIndex(); index <= store.lastIndex(); index++) {
    const [read] = store.entries({ low: index, high: index + 1, bytesMax: 1 }) ?? [];
    assert.ok(read !== undefined && read.index === index && read.term === store.term(index));
    found.push(`${read.term}/${read.index}`);
  }
  return found;
}

const BASE: LogBase = { index: 4, term: 2, configuration: Uint8Array.of(1, 2, 3) };
const PROMISE: HardState = { currentTerm: 7, votedFor: 3, commitIndex: 0 };

export const logStoreContract: readonly LogStoreCase[] = [
  {
    name: "an empty log begins at index 1, after term 0",
    run: async (harness) => {
      const store = harness.open();
      assert.deepEqual([store.firstIndex(), store.lastIndex(), store.term(0)], [1, 0, 0]);
      assert.equal(store.term(1), undefined);
      assert.deepEqual(store.hardState(), { currentTerm: 0, votedFor: undefined, commitIndex: 0 });
      await append(store, {});
    },
  },
  {
    name: "what was durable is there after a crash, promises and entries",
    run: async (harness) => {
      const store = harness.open();
      await append(store, { hardState: PROMISE, entries: [entry(1, 6), entry(2, 7)] });
      await harness.stop();
      const again = harness.open();
      assert.deepEqual(positions(again), ["6/1", "7/2"]);
      assert.equal(again.hardState().currentTerm, 7);
      assert.equal(again.hardState().votedFor, 3);
      const [first] = again.entries({ low: 1, high: 2, bytesMax: 1e9 }) ?? [];
      assert.deepEqual([...(first?.data ?? [])], [...entry(1, 6).data]);
      assert.equal(first?.kind, "normal");
    },
  },
  {
    name: "a part of an entry is what stands there, before a crash and behind it",
    run: async (harness) => {
      const store = harness.open();
      const data = Buffer.from("0123456789");
      await append(store, { entries: [{ ...entry(1, 6), data, checksum: crc32(data) }] });
      assert.equal(textOf(store.part(1, 3, 6)), "345");
      await harness.stop();
      const again = harness.open();
      assert.equal(textOf(again.part(1, 3, 6)), "345");
      assert.equal(again.part(1, 3, 3)?.byteLength, 0);
      await new Promise<void>((resolve) => {
        again.trim({ ...again.base(), index: 1, term: 6 }, resolve);
      });
      assert.equal(again.part(1, 3, 6), undefined);
    },
  },
  {
    name: "a vote is durable though its term was there before",
    run: async (harness) => {
      const store = harness.open();
      const undecided = { ...PROMISE, votedFor: undefined };
      await append(store, { hardState: undecided, entries: [entry(1, 6)] });
      await append(store, { hardState: PROMISE });
      await harness.stop();
      assert.equal(harness.open().hardState().votedFor, PROMISE.votedFor);
    },
  },
  {
    name: "an entry is visible at once, durable later",
    run: async (harness) => {
      const store = harness.open();
      const isDurable = append(store, { entries: [entry(1, 1)] });
      assert.deepEqual(positions(store), ["1/1"]);
      await isDurable;
    },
  },
  {
    name: "answers come in the order of the calls",
    run: async (harness) => {
      const store = harness.open();
      const order: number[] = [];
      for (let index = 1; index <= 9; index++)
        store.append(batch({ entries: [entry(index, 1)] }), () => order.push(index));
      await append(store, { entries: [entry(10, 1)] });
      assert.deepEqual(order, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    },
  },
  {
    name: "entries replace all from their first index on, for ever",
    run: async (harness) => {
      const store = harness.open();
      const first = [entry(1, 1), entry(2, 1), entry(3, 1)];
      await append(store, { hardState: { ...PROMISE, currentTerm: 1 }, entries: first });
      const second = { hardState: { ...PROMISE, currentTerm: 2 }, entries: [entry(2, 2)] };
      await append(store, second);
      assert.deepEqual(positions(store), ["1/1", "2/2"]);
      await harness.stop();
      assert.deepEqual(positions(harness.open()), ["1/1", "2/2"]);
    },
  },
  {
    name: "rewrites that are queued behind each other end as the last one says",
    run: async (harness) => {
      const store = harness.open();
      const all = [append(store, { entries: [1, 2, 3, 4, 5].map((index) => entry(index, 1)) })];
      for (let term = 2; term <= 6; term++) {
        const hardState = { ...PROMISE, currentTerm: term };
        all.push(
          append(store, { hardState, entries: [entry(7 - term, term), entry(8 - term, term)] }),
        );
      }
      await Promise.all(all);
      assert.deepEqual(positions(store), ["6/1", "6/2"]);
      await harness.stop();
      assert.deepEqual(positions(harness.open()), ["6/1", "6/2"]);
    },
  },
  {
    name: "a range is limited by bytes, and has at least one entry",
    run: async (harness) => {
      const store = harness.open();
      await append(store, { entries: [1, 2, 3].map((index) => entry(index, 1, 100)) });
      const count = (bytesMax: number): number | undefined =>
        store.entries({ low: 1, high: 4, bytesMax })?.length;
      assert.deepEqual([count(0), count(131), count(264), count(1e6)], [1, 1, 2, 3]);
    },
  },
  {
    name: "a reset replaces the log by a base, and entries go on behind it",
    run: async (harness) => {
      const store = harness.open();
      await append(store, { entries: [entry(1, 1), entry(2, 1)] });
      const hardState = { ...PROMISE, commitIndex: BASE.index };
      await append(store, { hardState, reset: BASE, entries: [entry(5, 7)] });
      await harness.stop();
      const again = harness.open();
      assert.deepEqual([again.firstIndex(), again.term(4), again.term(3)], [5, 2, undefined]);
      assert.deepEqual(positions(again), ["7/5"]);
      assert.deepEqual([...again.base().configuration], [1, 2, 3]);
      assert.equal(again.entries({ low: 2, high: 5, bytesMax: 1e9 }), undefined);
    },
  },
  {
    name: "a trim moves the first index, keeps what is behind it, and the promises",
    run: async (harness) => {
      const store = harness.open();
      const log = [1, 2, 3, 4, 5].map((index) => entry(index, 2));
      await append(store, { hardState: { ...PROMISE, commitIndex: 5 }, entries: log });
      await new Promise<void>((resolve) => {
        store.trim(BASE, resolve);
      });
      await harness.stop();
      const again = harness.open();
      assert.deepEqual([again.firstIndex(), positions(again)], [5, ["2/5"]]);
      assert.deepEqual(
        [again.hardState().currentTerm, again.hardState().votedFor],
        [PROMISE.currentTerm, PROMISE.votedFor],
      );
    },
  },
  {
    name: "kinds of entries, and entries without bytes, come back as they were",
    run: async (harness) => {
      const store = harness.open();
      const empty = { ...entry(1, 1), data: new Uint8Array(0) };
      await append(store, { entries: [empty, { ...entry(2, 1), kind: "configuration" }] });
      await harness.stop();
      const read = harness.open().entries({ low: 1, high: 3, bytesMax: 1e9 }) ?? [];
      assert.deepEqual(
        read.map(({ kind, data }) => [kind, data.byteLength]),
        [
          ["normal", 0],
          ["configuration", 10],
        ],
      );
    },
  },
  {
    name: "what was pending is written before it closes",
    run: async (harness) => {
      const store = harness.open();
      store.append(batch({ entries: [entry(1, 1)] }), () => undefined);
      await new Promise<void>((resolve) => {
        store.close(resolve);
      });
      assert.throws(() => {
        store.append(batch({ entries: [entry(2, 1)] }), () => undefined);
      });
      await harness.stop();
      assert.deepEqual(positions(harness.open()), ["1/1"]);
    },
  },
];
