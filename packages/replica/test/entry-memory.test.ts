// Goal: memory of entries is released when they are on the disk and applied, and no sooner.
// Method: a pool of slabs as large as one entry, which counts what is free.

import type { AppendEntries, Entry } from "@quorumlog/raft";
import { releaseBytes, SlabPool } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { EntryMemory } from "../src/entry-memory.ts";
import type { Envelope } from "../src/peer-envelope.ts";

const BYTES = 64;
const HEALTHY = {
  isFull: false,
  isSlow: false,
  isDamaged: false,
  isSuspect: false,
  isCatchingUp: false,
  rulesVersion: 0,
  isExhausted: false,
  isCrowded: false,
};

class Bench {
  freedCount = 0;
  readonly pool: SlabPool = new SlabPool({
    slabBytes: BYTES,
    onFree: () => {
      this.freedCount += 1;
    },
  });
  readonly memory: EntryMemory;

  constructor(isReleased = true) {
    this.memory = new EntryMemory(this.pool, isReleased);
  }

  /** A slab of its own, as the next part does not fit. */
  take(): Uint8Array {
    const bytes = this.pool.take(BYTES);
    releaseBytes(this.pool.take(BYTES));
    this.freedCount = 0;
    return bytes;
  }

  entry(index: number, kind: Entry["kind"] = "normal"): Entry {
    return { term: 1, index, kind, data: this.take() };
  }

  append(): void {
    this.memory.onAppend();
    this.memory.onDurable();
  }
}

function frameOf(entries: readonly Entry[]): Envelope {
  const header = { from: 1, to: 2, fromIncarnation: 0, toIncarnation: 0, term: 1 };
  const place = { prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 0 };
  const message: AppendEntries = { type: "AppendEntries", ...header, ...place, entries };
  return { kind: "raft", message };
}

describe("new entries", () => {
  test("are held until they are on the disk and applied", () => {
    const bench = new Bench();
    bench.memory.adopt(bench.take(), 7);
    bench.memory.settle(7, 9);
    expect(bench.freedCount).toBe(0);
    bench.append();
    bench.memory.settle(6, 9);
    expect(bench.freedCount).toBe(0);
    bench.memory.settle(7, 9);
    expect(bench.freedCount).toBe(1);
  });

  test("wait for an append that was begun after them", () => {
    const bench = new Bench();
    bench.memory.onAppend();
    bench.memory.adopt(bench.take(), 7);
    bench.memory.onDurable();
    bench.memory.settle(7, 7);
    expect(bench.freedCount).toBe(0);
    bench.append();
    bench.memory.settle(7, 7);
    expect(bench.freedCount).toBe(1);
  });

  test("that the log has not, or no more, are released when all it has is applied", () => {
    const bench = new Bench();
    bench.memory.adopt(bench.take(), 70);
    bench.append();
    bench.memory.settle(7, 8);
    expect(bench.freedCount).toBe(0);
    bench.memory.settle(8, 8);
    expect(bench.freedCount).toBe(1);
  });

  test("are released in their order, and each once", () => {
    const bench = new Bench();
    for (let index = 1; index <= 300; index++) {
      bench.memory.adopt(bench.pool.take(BYTES), index);
      bench.append();
      bench.memory.settle(index, index);
    }
    // The pool itself holds the last one.
    expect(bench.freedCount).toBe(299);
  });
});

describe("entries of the log", () => {
  test("are held until they are applied, whoever else lets go of them", () => {
    const bench = new Bench();
    const entry = bench.entry(7);
    bench.memory.borrow([entry, { ...bench.entry(8), data: new Uint8Array(3) }]);
    releaseBytes(entry.data);
    bench.memory.settle(7, 9);
    expect(bench.freedCount).toBe(0);
    bench.memory.settle(8, 9);
    expect(bench.freedCount).toBe(1);
  });
});

describe("of a frame", () => {
  test("with entries, the memory is theirs", () => {
    const bench = new Bench();
    const payload = bench.take();
    bench.memory.receive(payload, frameOf([{ ...bench.entry(5), data: payload.subarray(8) }]));
    bench.append();
    expect(bench.freedCount).toBe(0);
    bench.memory.settle(5, 5);
    expect(bench.freedCount).toBe(1);
  });

  test("with a configuration, it is held for good", () => {
    const bench = new Bench();
    bench.memory.receive(bench.take(), frameOf([bench.entry(5, "configuration")]));
    bench.append();
    bench.memory.settle(5, 5);
    expect(bench.freedCount).toBe(0);
  });

  test.each<[string, Envelope, number]>([
    ["no entry", frameOf([]), 1],
    ["a question for a part of a snapshot", { kind: "snapshotRequest", part: partOf() }, 1],
    ["the end of a snapshot", { kind: "snapshotEnd", part: partOf() }, 1],
    ["a report", { kind: "health", report: HEALTHY, wallTime: 0 }, 1],
    ["bytes of a snapshot", { kind: "snapshotChunk", part: partOf(), bytes: new Uint8Array(0) }, 0],
  ])("with %s, it is released at once, or never", (_name, envelope, count) => {
    const bench = new Bench();
    bench.memory.receive(bench.take(), envelope);
    bench.append();
    bench.memory.settle(1, 1);
    expect(bench.freedCount).toBe(count);
  });
});

test("a state machine that keeps views of records keeps their memory", () => {
  const bench = new Bench(false);
  bench.memory.adopt(bench.take(), 1);
  const entry = bench.entry(2);
  bench.memory.borrow([entry]);
  bench.append();
  bench.memory.settle(2, 2);
  expect(bench.freedCount).toBe(0);
});

function partOf(): { index: number; term: number; offset: number } {
  return { index: 1, term: 1, offset: 0 };
}
