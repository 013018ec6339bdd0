// Goal: a reader finds each record at its offset, whatever was read before, and does not read an
// entry again for each of its records. Method: a log of random entries, of which some commands were
// not stored; random reads beside a plain list; and a count of what is asked of the log.

import type { EntryRange, LogEntry } from "@quorumlog/log";
import { Prng, SlabPool } from "@quorumlog/std";
import { expect, test } from "vitest";
import { recordsDraft } from "../src/command-drafts.ts";
import { encodeContainer } from "../src/container.ts";
import { OffsetIndex } from "../src/offset-index.ts";
import { RecordReader } from "../src/record-reader.ts";

const MIB = 1024 * 1024;
const MEMORY = new SlabPool();

/** What is applied is all there is. */
class AppliedLog {
  readonly offsets = new OffsetIndex();
  readonly records: Buffer[] = [];
  readonly entries: LogEntry[] = [];
  readonly asked: EntryRange[] = [];
  readonly reader: RecordReader;
  firstOffset = 0;

  constructor() {
    const state = (): { nextOffset: number; offsets: OffsetIndex } => ({
      nextOffset: this.records.length,
      offsets: this.offsets,
    });
    const appliedIndex = (): number => this.entries.length;
    const firstOffset = (): number => this.firstOffset;
    this.reader = new RecordReader(
      { entries: (range) => this.#read(range), firstIndex: () => 1 },
      {
        baseOffset: 0,
        get appliedIndex() {
          return appliedIndex();
        },
        get firstOffset() {
          return firstOffset();
        },
        get state() {
          return state();
        },
      },
    );
  }

  /** One entry, with a command per list. @param rejected - Which of them is not stored. */
  add(commands: readonly (readonly Buffer[])[], rejected = -1): void {
    const index = this.entries.length + 1;
    const drafts = commands.map((records) =>
      recordsDraft(records, { sessionId: 0, sequence: 0 }, -1),
    );
    const data = encodeContainer(drafts, index, MEMORY);
    this.offsets.add({ index, offset: this.records.length }, data.length);
    if (rejected >= 0) this.offsets.reject(index, rejected);
    for (const [number, records] of commands.entries())
      if (number !== rejected) this.records.push(...records);
    this.entries.push({ term: 1, index, kind: "normal", data, checksum: 0 });
  }

  read(from: number, bytesMax: number): { texts: string[]; nextOffset: number } {
    const { records, nextOffset } = this.reader.read(from, bytesMax);
    for (const [i, { offset }] of records.entries()) expect(offset).toBe(from + i);
    return { texts: records.map(({ data }) => Buffer.from(data).toString()), nextOffset };
  }

  #read(range: EntryRange): LogEntry[] {
    this.asked.push(range);
    const found: LogEntry[] = [];
    let bytes = 0;
    for (let index = range.low; index < range.high; index++) {
      const entry = this.entries[index - 1] as LogEntry;
      bytes += entry.data.length;
      if (found.length > 0 && bytes > range.bytesMax) break;
      found.push(entry);
    }
    return found;
  }
}

test("records are found at their offsets, wherever reads begin and however long they are", () => {
  const prng = new Prng(7);
  const log = new AppliedLog();
  const make = (count: number, bytes: number): Buffer[] =>
    Array.from({ length: count }, (_, i) => Buffer.alloc(bytes, `${log.records.length + i},`));
  for (let i = 0; i < 400; i++) {
    const commands = Array.from({ length: prng.below(4) }, () =>
      make(1 + prng.below(20), prng.below(2) === 0 ? 30 : 3_000),
    );
    const isRejected = commands.length > 0 && prng.below(5) === 0;
    log.add(commands, isRejected ? prng.below(commands.length) : -1);
  }
  for (let i = 0; i < 2_000; i++) {
    const from = prng.below(log.records.length);
    const bytesMax = 1 + prng.below(prng.below(3) === 0 ? 200_000 : 100);
    const { texts, nextOffset } = log.read(from, bytesMax);
    expect(texts.length).toBeGreaterThan(0);
    expect(nextOffset).toBe(from + texts.length);
    const expected = log.records.slice(from, nextOffset);
    expect(texts).toEqual(expected.map(String));
    const bytes = expected.reduce((sum, { length }) => sum + length, 0);
    const isEnd = nextOffset === log.records.length;
    expect(bytes >= bytesMax || isEnd).toBe(true);
    expect(bytes - (expected.at(-1)?.length ?? 0)).toBeLessThan(bytesMax);
  }
});

test("an entry is read once for all who want one of its records", () => {
  const log = new AppliedLog();
  log.add([Array.from({ length: 1_000 }, (_, i) => Buffer.from(`${i}`))]);
  for (let i = 999; i >= 0; i--) expect(log.read(i, 1).texts).toEqual([`${i}`]);
  expect(log.asked).toHaveLength(1);
});

test("who goes on from one small entry to the next reads many of them at a time", () => {
  const log = new AppliedLog();
  for (let i = 0; i < 10_000; i++) log.add([[Buffer.from(`${i}`)]]);
  for (let i = 0; i < 10_000; i++) expect(log.read(i, 1).texts).toEqual([`${i}`]);
  const entryBytes = log.entries.at(-1)?.data.length ?? 0;
  expect(log.asked.length).toBeLessThan((10_000 * entryBytes) / (100 * 1024) + 10);
  // Not all of them are kept.
  log.asked.length = 0;
  log.read(0, 1);
  expect(log.asked).toHaveLength(1);
});

test("what was read is let go of beyond 32 MiB, and the newest use counts", () => {
  const log = new AppliedLog();
  for (let i = 0; i < 41; i++) log.add([[Buffer.alloc(MIB, "x")]]);
  for (let i = 0; i < 40; i++) {
    log.read(0, 1);
    log.read(i + 1, 1);
  }
  log.asked.length = 0;

  log.read(0, 1);
  log.read(40, 1);
  expect(log.asked).toHaveLength(0);
  log.read(1, 1);
  expect(log.asked.length).toBeGreaterThan(0);
});

test("what is forgotten is not read, although it is in memory", () => {
  const log = new AppliedLog();
  log.add([[Buffer.from("a"), Buffer.from("b")]]);
  log.read(0, 1);
  log.firstOffset = 1;

  expect(() => log.read(0, 1)).toThrow(/begins at offset 1/u);
  expect(log.read(1, 1).texts).toEqual(["b"]);
});
