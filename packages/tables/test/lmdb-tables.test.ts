// Goal: what is found after a restart is the state as of one cut, or it is said not to be.
// Method: a real database; random histories against a model; files of others, or with damage.

import type { CheckpointRow } from "@quorumlog/replica";
import * as fc from "fast-check";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { MemoryTables, textCodec } from "../src/index.ts";
import { type LmdbDatabase, openLmdb } from "../src/lmdb-api.ts";
import { CheckpointFolder, position } from "./kit/checkpoint-folder.ts";
import { FailingOpen } from "./kit/failing-open.ts";
import { applyTo, contentsOf, Model, NAMES, operations, snapshotOf } from "./kit/table-contract.ts";

/** Disks that others use, too, may be slow. */
const PATIENT = { timeout: 60_000 };

const lives = fc.array(
  fc.array(fc.oneof(operations, fc.constantFrom("cut" as const, "restore" as const)), {
    maxLength: 40,
  }),
  { minLength: 1, maxLength: 4 },
);

describe("after a restart", () => {
  test("the tables are what they were at the last cut, and say where that was", async () => {
    await fc.assert(
      fc.asyncProperty(lives, async (histories) => {
        const folder = new CheckpointFolder();
        let kept: ReturnType<Model["contents"]> = [[], []];
        let index = 0;
        for (const history of histories) {
          const opened = folder.open();
          const { tables, position: found } = opened;
          const rows = found === undefined ? undefined : tables.load();
          expect(found).toEqual(index === 0 ? undefined : position(index));
          expect(rows?.get("group")?.toString()).toBe(index === 0 ? undefined : `applied ${index}`);
          expect(contentsOf(tables)).toEqual(kept);
          const model = modelOf(kept);
          for (const step of history)
            if (step === "restore") tables.restore([snapshotOf(tables)]);
            else if (step === "cut") {
              index += 1;
              opened.cut(index);
              kept = model.contents();
            } else {
              applyTo(tables, step);
              model.apply(step);
            }
          await opened.close();
          expect([...opened.damages, ...opened.failures]).toEqual([]);
        }
      }),
      { numRuns: 25 },
    );
  }, 60_000);

  test("rows of the replica come and go one by one", async () => {
    const folder = new CheckpointFolder();
    const first = folder.open();
    const [one, two, other] = ["1", "2", "3"].map((text) => Buffer.from(text));
    first.tables.cut({ position: position(1), rows: [row("x", one), row("y", two)] });
    first.tables.cut({ position: position(2), rows: [row("x", undefined), row("y", other)] });
    await first.close();

    const second = folder.open();

    expect(second.tables.load()).toEqual(new Map([["y", other]]));
    second.tables.cut({ position: position(3), rows: [row("y", undefined)] });
    await second.close();
    expect(folder.open().tables.load()).toEqual(new Map());
  });

  test("a row that changed more than once between two cuts is counted once", async () => {
    const folder = await filled();
    const first = folder.open();
    first.tables.load();
    const rows = first.tables.table("a", textCodec);
    for (const text of ["second", "third"]) rows.set("k7", text);
    for (const key of ["fresh", "k8"]) {
      rows.delete(key);
      rows.set(key, "back");
      rows.delete(key);
    }
    const kept = contentsOf(first.tables);
    first.cut(2);
    await first.close();

    const second = folder.open();
    second.tables.load();

    expect(second.damages).toEqual([]);
    expect(second.position).toEqual(position(2));
    expect(contentsOf(second.tables)).toEqual(kept);
  });

  test("late rows are there as they were at the cut", async () => {
    const folder = await filled();
    const first = folder.open();
    first.tables.load();
    const table = first.tables.table("a", textCodec);
    const kept = { value: "", isChanged: false };
    const late = first.tables.late<typeof kept>(({ value }) => {
      table.set("late", value);
    });
    for (const value of ["1", "2"]) {
      kept.value = value;
      late.touch(kept);
    }
    expect(first.tables.changedBytes).toBeGreaterThan(0);
    first.cut(2);
    kept.value = "3";
    late.touch(kept);
    await first.close();

    const second = folder.open();
    second.tables.load();

    expect(second.tables.table("a", textCodec).get("late")).toBe("2");
  });

  test("an empty value is as good as any, in whatever buffer", async () => {
    const folder = await filled();
    const first = folder.open();
    first.tables.load();
    const bytes = { encode: (value: Uint8Array) => value, decode: (value: Uint8Array) => value };
    // Of such a part Node.js computes another checksum than of no bytes elsewhere.
    first.tables.table("a", bytes).set("empty", Buffer.alloc(0).subarray(0));
    first.cut(2);
    await first.close();

    const second = folder.open();
    second.tables.load();

    expect(second.damages).toEqual([]);
    expect(second.tables.table("a", bytes).get("empty")).toHaveLength(0);
  });

  test("a state with other tables is not used", async () => {
    const folder = await filled();

    const { tables, position: found } = folder.open({ names: ["a", "b", "c"] });

    expect([found, tables.isWhole]).toEqual([undefined, true]);
  });
});

describe("a file that belongs to", () => {
  test.each([
    ["another cluster", { clusterId: "other" }],
    ["another group", { groupId: 9 }],
    ["another node", { nodeId: 9 }],
    ["another life of the disk", { incarnation: 9 }],
  ])("%s is refused, and left as it is", async (_whose, other) => {
    const folder = await filled();

    expect(() => folder.open(other)).toThrow(
      expect.objectContaining({ code: "CHECKPOINT_FOREIGN" }),
    );

    expect(folder.open().position).toEqual(position(1));
  });
});

test("a file of a later version is refused, and left as it is", async () => {
  const folder = await filled();
  const key = Buffer.from("record");
  await tampered(
    folder,
    (meta) => {
      const json = Buffer.from(`${meta.get(key)?.subarray(4).toString()}`.replace("1", "2"));
      const sum = Buffer.alloc(4);
      sum.writeUInt32LE(crc32(json));
      return meta.put(key, Buffer.concat([sum, json]));
    },
    "meta",
  );

  for (let i = 0; i < 4; i++)
    expect(() => folder.open()).toThrow(
      expect.objectContaining({
        code: "CHECKPOINT_VERSION",
        message: expect.stringMatching(/^written in format 2, and this version knows 1: /u),
      }),
    );
});

describe("a file that is damaged", () => {
  test.each([
    ["in a value", (folder: CheckpointFolder) => flip(folder.file, "value of k7")],
    ["in what it says of itself", (folder: CheckpointFolder) => flip(folder.file, '"rowCount":')],
    [
      "by being none",
      (folder: CheckpointFolder) => writeFileSync(folder.file, garbage(folder.file)),
    ],
    ["by being cut short", (folder: CheckpointFolder) => truncateSync(folder.file, 8_192)],
  ])("%s is set aside, said to be, and made anew", async (_how, damage) => {
    const folder = await filled();
    damage(folder);

    const opened = folder.open();
    const rows = opened.position === undefined ? undefined : opened.tables.load();

    expect(rows).toBeUndefined();
    expect(opened.damages.map(({ code }) => code)).toEqual(["CHECKPOINT_CORRUPT"]);
    expect(opened.damages[0]?.message).toContain(join(folder.directory, "tables"));
    expect(existsSync(`${join(folder.directory, "tables")}.damaged`)).toBe(true);
    expect(contentsOf(opened.tables)).toEqual([[], []]);
    opened.tables.table("a", textCodec).set("k", "anew");
    opened.cut(5);
    await opened.close();
    const again = folder.open();
    expect(again.position).toEqual(position(5));
    again.tables.load();
    expect(contentsOf(again.tables)).toEqual([[["k", "anew"]], []]);
  });

  test.each<[string, (rows: LmdbDatabase, former: Buffer) => Promise<boolean>]>([
    ["that is gone", (rows) => rows.remove(KEY)],
    ["of former days", (rows, former) => rows.put(KEY, former)],
  ])("by a row %s is, too: each row by itself may be sound", async (_which, tamper) => {
    const folder = await filled();
    const former = await tampered(folder, (rows) => Promise.resolve(rows.get(KEY)));
    const second = folder.open();
    second.tables.load();
    second.tables.table("a", textCodec).set("k7", "a later value");
    second.cut(2);
    await second.close();
    await tampered(folder, (rows) => tamper(rows, former ?? Buffer.of()));

    const third = folder.open();

    expect(third.tables.load()).toBeUndefined();
    expect(third.damages[0]?.message).toContain("rows are not the");
  });

  test("is given up if reading it has ended the process twice", async () => {
    const folder = await filled();
    const note = join(folder.directory, "tables", "opening");
    writeFileSync(note, "1\n");
    expect(folder.open().position).toEqual(position(1));
    writeFileSync(note, "2\n");

    const { position: found, damages } = folder.open();

    expect(found).toBeUndefined();
    expect(damages[0]?.message).toContain("whoever read it did not survive");
  });

  test("is given up if the first commit since it was opened ended the process twice", async () => {
    const folder = await filled();
    const note = join(folder.directory, "tables", "writing");
    writeFileSync(note, "1\n");
    const opened = folder.open();
    opened.tables.load();
    const isDurable = opened.durable();
    opened.cut(2);
    expect([opened.position, readFileSync(note, "utf8")]).toEqual([position(1), "2\n"]);
    await isDurable;
    expect(existsSync(note)).toBe(false);
    await opened.close();
    writeFileSync(note, "2\n");

    const { position: found, damages } = folder.open();

    expect(found).toBeUndefined();
    expect(damages[0]?.message).toContain("whoever wrote to it did not survive");
  });
});

test("a commit that fails is told of once, and nothing is written behind it", async () => {
  const folder = new CheckpointFolder();
  const failing = new FailingOpen(3);
  const opened = folder.open({ openEnvironment: failing.open });
  for (let index = 1; index <= 5; index++) {
    opened.tables.table("a", textCodec).set("k", `${index}`);
    opened.cut(index);
  }
  await opened.close();
  folder.absolve();

  expect(opened.failures.map(({ code }) => code)).toEqual(["CHECKPOINT_FAILED"]);
  expect(failing.batchCount).toBe(3);
  const { position: found, tables } = folder.open();
  expect(found).toEqual(position(2));
  tables.load();
  expect(tables.table("a", textCodec).get("k")).toBe("2");
});

test("a file that a commit had failed on is not used again", async () => {
  const folder = new CheckpointFolder();
  const opened = folder.open({ openEnvironment: new FailingOpen(2).open });
  opened.cut(1);
  opened.cut(2);
  await opened.close();

  const { position: found, damages } = folder.open();

  expect(found).toBeUndefined();
  expect(damages[0]?.message).toContain("a commit had failed");
});

test("a state that takes the place of another does so as a whole", PATIENT, async () => {
  const folder = new CheckpointFolder();
  const first = folder.open();
  const table = first.tables.table("a", textCodec);
  for (let i = 0; i < 2_000; i++) table.set(`former ${i}`, "x".repeat(1_000));
  first.cut(1);
  await first.close();
  // Each of its transactions may be the last one: of rows, of the record. What one leaves behind
  // is not to be found by the next.
  for (const failing of [1, 2, 3, 4]) {
    const opened = folder.open({ openEnvironment: new FailingOpen(failing).open });
    expect(opened.position).toEqual(position(1));
    opened.tables.load();
    const before = snapshotOf(opened.tables);
    opened.tables.restore(others(failing).snapshot());
    opened.cut(2);
    await opened.close();
    folder.absolve();
    const next = folder.open();
    next.tables.load();

    expect(snapshotOf(next.tables).equals(before)).toBe(true);
    await next.close();
  }
  const last = folder.open();
  const image = others(9);
  last.tables.load();
  last.tables.restore(image.snapshot());
  last.cut(2);
  await last.close();
  const { tables, position: found } = folder.open();
  tables.load();
  expect([found, snapshotOf(tables).equals(snapshotOf(image))]).toEqual([position(2), true]);
});

test("a whole state is that of its cut, whatever changes meanwhile", PATIENT, async () => {
  const folder = new CheckpointFolder();
  const first = folder.open();
  const table = first.tables.table("a", textCodec);
  for (let i = 0; i < 3_000; i++) table.set(`k${i}`, "x".repeat(1_000));
  const before = snapshotOf(first.tables);
  first.cut(1);
  for (let i = 0; i < 3_000; i++) table.set(`k${i}`, "later");
  await first.close();

  const { tables } = folder.open();

  tables.load();
  expect(snapshotOf(tables).equals(before)).toBe(true);
});

/** A row of the first table, as it is stored. */
const KEY = Buffer.from("\u0001k7");

/** Behind the back of everybody: in the rows of the first whole state. */
async function tampered<T>(
  { directory }: CheckpointFolder,
  run: (rows: LmdbDatabase) => Promise<T>,
  name = "rows-1",
): Promise<T> {
  const options = { maxDbs: 3, overlappingSync: false, eventTurnBatching: false };
  const root = openLmdb({ path: join(directory, "tables"), ...options });
  const result = await run(root.openDB({ name, encoding: "binary", keyEncoding: "binary" }));
  await root.close();
  return result;
}

/** A state of a few transactions, which no other attempt has a key of. */
function others(attempt: number): MemoryTables {
  const image = new MemoryTables(NAMES);
  const rows = image.table("b", textCodec);
  for (let i = 0; i < 2_000; i++) rows.set(`${attempt} ${i}`, "y".repeat(1_000));
  return image;
}

/** One cut of one table. */
async function filled(): Promise<CheckpointFolder> {
  const folder = new CheckpointFolder();
  const opened = folder.open();
  const table = opened.tables.table("a", textCodec);
  for (let i = 0; i < 20; i++) table.set(`k${i}`, `value of k${i}`);
  opened.cut(1);
  await opened.close();
  return folder;
}

/** Wherever the text stands: old pages have copies. */
function flip(file: string, text: string): void {
  const bytes = readFileSync(file);
  for (let at = bytes.indexOf(text); at !== -1; at = bytes.indexOf(text, at + 1))
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0x20, at);
  writeFileSync(file, bytes);
}

/** As long as the file. */
function garbage(file: string): Buffer {
  return Buffer.alloc(statSync(file).size, "x");
}

function row(key: string, value: Uint8Array | undefined): CheckpointRow {
  return { key, value };
}

function modelOf(contents: ReturnType<Model["contents"]>): Model {
  const model = new Model();
  for (const [i, name] of NAMES.entries())
    for (const [key, value] of contents[i] ?? []) model.tables[name].set(key, value);
  return model;
}
