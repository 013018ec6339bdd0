// Goal: when the machine stops, the disk holds the state of one cut, and of none before one that
// was said to be durable. That takes `overlappingSync: false`, and no `safeRestore`: a commit is
// synced before the page that leads to it is written.
// Method: strace notes what a real process does to the file. Disks are made of that which end at
// each call, without any part of what was not synced then, and opened.

import { Prng } from "@quorumlog/std";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { LmdbTables, textCodec } from "../src/index.ts";
import { diskAfter, type FileEvent, lossesOf, parseTrace, TRACE_FLAGS } from "./kit/traced-file.ts";

const CUT_COUNT = 25;
/** Of the two pages, of which the newer one leads to all others. */
const META_BYTES = 8_192;
const IDENTITY = { clusterId: "power", groupId: 0, nodeId: 1, incarnation: 1 };

/** The rows that a cut changes, as text of the program. */
function changesOf(cut: number): [key: string, value: string | undefined][] {
  const changes: [string, string | undefined][] = [["index", `${cut}`]];
  for (let i = 0; i < 5; i++) changes.push([`k${(cut * 13 + i * 7) % 40}`, `${cut}`.repeat(300)]);
  changes.push([`k${cut % 40}`, undefined]);
  return changes;
}

/** Some cuts replace everything: those write the other generation. */
function isWhole(cut: number): boolean {
  return cut % 8 === 0;
}

const PROGRAM = `
  import { LmdbTables, textCodec } from "@quorumlog/tables";
  import { writeSync } from "node:fs";
  ${changesOf.toString()}
  ${isWhole.toString()}
  const [directory, identity, count] = process.argv.slice(1).map((word) => JSON.parse(word));
  let onDurable = () => undefined;
  const refused = (error) => { throw error; };
  const tables = new LmdbTables(["a"]);
  tables.open({
    directory, ...identity, onDurable: () => onDurable(), onDamaged: refused, onFailure: refused,
  });
  const table = tables.table("a", textCodec);
  for (let index = 1; index <= count; index++) {
    for (const [key, value] of changesOf(index))
      if (value === undefined) table.delete(key);
      else table.set(key, value);
    if (isWhole(index)) tables.restore([Buffer.concat([...tables.snapshot()])]);
    const durable = new Promise((resolve) => { onDurable = resolve; });
    tables.cut({ position: { index, term: 1, configuration: Buffer.of(1) }, rows: [] });
    await durable;
    writeSync(1, index + "\\n");
  }
`;

function modelAt(cut: number): [string, string][] {
  const rows = new Map<string, string>();
  for (let each = 1; each <= cut; each++)
    for (const [key, value] of changesOf(each))
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Runs the program under strace. */
function traced(folder: string): FileEvent[] {
  const words = [folder, IDENTITY, CUT_COUNT].map((word) => JSON.stringify(word));
  const trace = join(folder, "trace");
  const program = [process.execPath, "--input-type=module", "--eval", PROGRAM, "--", ...words];
  const { status, stderr } = spawnSync("strace", [...TRACE_FLAGS, "-o", trace, ...program], {
    cwd: new URL("..", import.meta.url),
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([0, ""]);
  return parseTrace(readFileSync(trace, "utf8"), "/data.mdb");
}

function refused(error: Error): never {
  throw error;
}

/** Which cut a disk holds: 0 for none. */
async function cutOn(disk: Buffer, directory: string): Promise<number> {
  const folder = join(directory, "tables");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "data.mdb"), disk);
  const tables = new LmdbTables(["a"]);
  const position = tables.open({
    directory,
    ...IDENTITY,
    onDurable: () => undefined,
    // A file that is not whole yet is none.
    onDamaged: disk.length > 8_192 ? refused : () => undefined,
    onFailure: refused,
  });
  if (position !== undefined) {
    expect(tables.load()).toBeDefined();
    expect([...tables.table("a", textCodec).entries()]).toEqual(modelAt(position.index));
  }
  await new Promise<void>((resolve) => {
    tables.close(resolve);
  });
  return position?.index ?? 0;
}

/** What leads to other pages is on the disk as it is written, and they are before. */
function expectBarriers(events: readonly FileEvent[]): void {
  let unsyncedCount = 0;
  const [created, ...others] = events.filter(({ kind }) => kind !== "said");
  expect(created).toMatchObject({ kind: "write", at: 0 });
  for (const event of others)
    if (event.kind === "sync") unsyncedCount = 0;
    else if (event.kind === "write" && event.at < META_BYTES)
      expect([event.isSynced, unsyncedCount]).toEqual([true, 0]);
    else unsyncedCount += 1;
}

const hasTracer = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;

test.skipIf(!hasTracer)(
  "whenever the machine stops, the disk holds one cut as a whole",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "quorumlog-power-"));
    onTestFinished(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const events = traced(folder);
    expectBarriers(events);
    const prng = new Prng(1);
    let [said, imageCount] = [0, 0];
    for (let count = 1; count <= events.length; count++) {
      const last = events[count - 1] as FileEvent;
      if (last.kind === "said") said = Number(last.text);
      for (const keep of lossesOf(prng)) {
        const found = await cutOn(
          diskAfter(events.slice(0, count), keep),
          join(folder, `${imageCount}`),
        );
        imageCount += 1;
        expect(found).toBeGreaterThanOrEqual(said);
        expect(found).toBeLessThanOrEqual(said + 1);
      }
    }
    expect(said).toBe(CUT_COUNT);
    expect(imageCount).toBeGreaterThan(10 * CUT_COUNT);
  },
  120_000,
);
