// Goal: a reader finds each record at its offset, whatever was read before, and does not read an
// entry again for each of its records. Method: a log of random entries, of which some commands were
// not stored; random reads beside a plain list; and a count of what is asked of the log.

import type { EntryRange, LogEntry } from "@quorumlog/log";
import { Prng, releaseBytes, SlabPool } from "@quorumlog/std";
import { expect, test } from "vitest";
import { recordsDraft } from "../src/command-drafts.ts";
import { encodeContainer } from "../src/container.ts";
import { OffsetIndex } from "../src/offset-index.ts";
import { type ReaderLimits, RecordReader } from "../src/record-reader.ts";

const MIB = 1024 * 1024;
const MEMORY = new SlabPool();

/** What is applied is all there is. */
class AppliedLog {
  readonly offsets = new OffsetIndex();
  readonly records: Buffer[] = [];
  readonly entries: LogEntry[] = [];
  readonly asked: EntryRange[] = [];
  /** Indexes of entries of which a part was asked for. */
  readonly parts: number[] = [];
  /** Done to what is read by parts. */
  spoil: (part: Buffer) => Buffer | undefined = (part) => part;
  readonly reader: RecordReader;
  firstOffset = 0;

  constructor(limits?: ReaderLimits) {
    const state = (): { nextOffset: number; offsets: OffsetIndex } => ({
      nextOffset: this.records.length,
      offsets: this.offsets,
    });
    const appliedIndex = (): number => this.entries.length;
    const firstOffset = (): number => this.firstOffset;
    this.reader = new RecordReader(
      {
        entries: (range) => this.#read(range),
        firstIndex: () => 1,
        part: (index, start, end) => {
          this.parts.push(index);
          const { data } = this.entries[index - 1] as LogEntry;
          return this.spoil(Buffer.from(data.subarray(start, end)));
        },
      },
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
      limits,
    );
  }

  /** One entry, with a command per list. @param rejected - Which of them is not stored. */
  add(commands: readonly (readonly Buffer[])[], rejected = -1, memory = MEMORY): void {
    const index = this.entries.length + 1;
    const drafts = commands.map((records) =>
      recordsDraft(records, { sessionId: 0, sequence: 0 }, -1),
    );
    const data = encodeContainer(drafts, index, memory);
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

/** Little of anything: what was read is soon known by its places alone, and then forgotten. */
const TIGHT: ReaderLimits = {
  opened: { bytesMax: 100_000, countMax: 5 },
  places: { bytesMax: 50_000, countMax: 100 },
  placesCountMin: 2,
  placesBytesMin: 0,
};
/** Of records: an empty one counts as a byte. */
const SIZES = [0, 30, 3_000];

function countedBytes(record: Buffer): number {
  return Math.max(1, record.length);
}

test.each([
  ["what is kept by default", undefined],
  ["little kept", TIGHT],
])("with %s, records are found at their offsets, however long reads are", (_name, limits) => {
  const prng = new Prng(7);
  const log = new AppliedLog(limits);
  let spoiled = 0;
  log.spoil = (part) => {
    if (prng.below(3) > 0) return part;
    spoiled += 1;
    if (prng.below(4) === 0) return undefined;
    if (prng.below(4) === 0) return part.subarray(0, part.length - 1);
    part.writeUInt8(part.readUInt8(0) ^ 1, 0);
    return part;
  };
  const make = (count: number, bytes: number): Buffer[] =>
    Array.from({ length: count }, (_, i) => Buffer.alloc(bytes, `${log.records.length + i},`));
  for (let i = 0; i < 400; i++) {
    const commands = Array.from({ length: prng.below(4) }, () =>
      make(1 + prng.below(20), SIZES[prng.below(SIZES.length)] ?? 0),
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
    const bytes = expected.reduce((sum, record) => sum + countedBytes(record), 0);
    const isEnd = nextOffset === log.records.length;
    expect(bytes >= bytesMax || isEnd).toBe(true);
    expect(bytes - countedBytes(expected.at(-1) as Buffer)).toBeLessThan(bytesMax);
  }
  if (limits === undefined) return;
  expect(log.parts.length).toBeGreaterThan(200);
  expect(spoiled).toBeGreaterThan(50);
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

test("of an entry that was let go of, one record is read, and all of them when many were", () => {
  const log = new AppliedLog({
    opened: { bytesMax: 200_000, countMax: 100 },
    places: { bytesMax: 500_000, countMax: 100 },
    placesCountMin: 2,
    placesBytesMin: 0,
  });
  const bodies = Array.from({ length: 1_000 }, (_, i) => Buffer.from(`${i} is a record`));
  for (let i = 0; i < 8; i++) log.add([bodies]);
  for (let i = 0; i < 8_000; i += 500) log.read(i, 1);
  log.asked.length = 0;
  log.parts.length = 0;

  for (let i = 0; i < 100; i++) expect(log.read(7 * i, 1).texts).toEqual([`${7 * i} is a record`]);
  expect(log.parts).toEqual(Array.from({ length: 100 }, () => 1));
  expect(log.asked).toHaveLength(0);
  // Records that follow each other come with one part.
  expect(log.read(10, 400).texts).toHaveLength(29);
  expect(log.parts).toHaveLength(101);

  for (let i = 0; i < 1_000; i++) log.read(i, 1);
  expect(log.asked).toHaveLength(1);
  expect(log.parts.length).toBeLessThan(300);
});

test("who goes on behind an entry that was read again reads many small ones at a time", () => {
  const log = new AppliedLog({ ...TIGHT, opened: { bytesMax: 100_000, countMax: 1_000 } });
  const bodies = Array.from({ length: 20 }, () => Buffer.alloc(1_000));
  for (let i = 0; i < 8; i++) log.add([bodies]);
  for (let i = 0; i < 100; i++) log.add([[Buffer.from(`${i}`)]]);
  for (let i = 140; i >= 0; i -= 20) log.read(i, 1);
  // The last of the large ones by its places, and then as a whole: those are there as well.
  for (let i = 0; i < 6; i++) log.read(140, 1);
  expect(log.parts).toHaveLength(5);
  log.asked.length = 0;

  log.read(160, 1);
  log.read(161, 1);
  expect(log.asked).toHaveLength(1);
});

test("of an entry of a thousand records of some bytes each, no places are kept", () => {
  const log = new AppliedLog({
    opened: { bytesMax: MIB, countMax: 1 },
    places: { bytesMax: MIB, countMax: 100 },
    placesCountMin: 16,
    placesBytesMin: 512,
  });
  log.add([Array.from({ length: 1_000 }, () => Buffer.alloc(20))]);
  log.add([Array.from({ length: 20 }, () => Buffer.alloc(600))]);
  log.add([[Buffer.from("a")]]);
  for (const offset of [0, 1_000, 1_020, 5, 1_005, 1_020]) log.read(offset, 1);
  expect(log.parts).toEqual([2]);
});

test("what a reader has got stays as it is, whatever becomes of the log's memory", () => {
  const freed: Uint8Array[] = [];
  const pool = new SlabPool({ slabBytes: 4_096, onFree: (slab) => freed.push(slab.fill(0)) });
  const log = new AppliedLog();
  const got: { data: Uint8Array; text: string }[] = [];
  for (let i = 0; i < 50; i++) {
    // Some of them are a good part of a slab, and others are not.
    const text = `${i}`.repeat(i % 2 === 0 ? 10 : 900);
    log.add([[Buffer.from(text)]], -1, pool);
    const [record] = log.reader.read(i, 1).records;
    got.push({ data: record?.data ?? Buffer.alloc(0), text });
    releaseBytes(log.entries[i]?.data ?? Buffer.alloc(0));
  }
  expect(freed.length).toBeGreaterThan(0);
  for (const { data, text } of got) expect(Buffer.from(data).toString()).toBe(text);
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
