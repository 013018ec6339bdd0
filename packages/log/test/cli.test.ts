// Goal: an operator learns from the command line what the log of a stopped node holds, and whether
// it is sound, torn or corrupt; and nothing in the directory changes by looking.
// Method: real directories, one kind of damage each; the built command as a child process.

import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { createLog, nodeFileSystem, parseLogOptions, SegmentLogStore } from "../src/index.ts";
import { batch, entries, hardState, IDENTITY, NO_BASE } from "./kit/disk.ts";

const CLI = fileURLToPath(new URL("../dist/cli.js", import.meta.url));
const SEGMENT_BYTES = 65_536;
const ENTRY_BYTES = 1_000;
const ENTRY_COUNT = 150;
const FIRST = "0000000000000001.log";
const SECOND = "0000000000000002.log";
const THIRD = "0000000000000003.log";
const FOURTH = "0000000000000004.log";

let original: string;

interface Row {
  readonly file: string;
  readonly offset: number;
  readonly kind: string;
  readonly index: number;
  readonly bytes: number;
}

/** Three segments with entries, the first two sealed, and one made ahead. */
beforeAll(async () => {
  original = mkdtempSync(join(tmpdir(), "quorumlog-cli-"));
  const init = {
    fileSystem: nodeFileSystem,
    directory: original,
    identity: IDENTITY,
    options: parseLogOptions({ segmentBytes: SEGMENT_BYTES }),
  };
  createLog(init, { base: NO_BASE, salt: 11 });
  const store = SegmentLogStore.open({ ...init, onFailure });
  for (let index = 1; index <= ENTRY_COUNT; index++)
    await new Promise<void>((resolve) => {
      const written = entries(index, 1, 3, ENTRY_BYTES);
      store.append(batch({ hardState: hardState(3, index - 1, 2), entries: written }), resolve);
    });
  await new Promise<void>((resolve) => {
    store.close(resolve);
  });
  await vi.waitFor(() => {
    expect(readdirSync(original)).toEqual([FIRST, SECOND, THIRD, FOURTH]);
  });
});

afterAll(() => {
  rmSync(original, { recursive: true, force: true });
});

function onFailure(error: Error): never {
  throw error;
}

function directoryForTest(): string {
  const directory = mkdtempSync(join(tmpdir(), "quorumlog-cli-"));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

function copyForTest(): string {
  const directory = directoryForTest();
  cpSync(original, directory, { recursive: true });
  return directory;
}

function run(...words: readonly string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...words], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  return { code: status, out: stdout, err: stderr };
}

function json(...words: readonly string[]): Record<string, unknown> {
  return JSON.parse(run(...words, "--json").out) as Record<string, unknown>;
}

function rowsOf(directory: string, ...words: readonly string[]): Row[] {
  const lines = run("dump", directory, "--json", ...words)
    .out.trimEnd()
    .split("\n");
  return lines.map((line) => JSON.parse(line) as Row);
}

function change(directory: string, name: string, edit: (bytes: Buffer) => void): void {
  const path = join(directory, name);
  const bytes = readFileSync(path);
  edit(bytes);
  writeFileSync(path, bytes);
}

function flip(directory: string, name: string, offset: number): void {
  change(directory, name, (bytes) => {
    bytes[offset] = (bytes[offset] as number) ^ 0x10;
  });
}

function contentsOf(directory: string): string[] {
  return readdirSync(directory).map(
    (name) => `${name} ${readFileSync(join(directory, name)).toString("base64")}`,
  );
}

function entryRow(directory: string, index: number): Row {
  const found = rowsOf(directory).find((row) => row.kind === "entry" && row.index === index);
  if (found === undefined) throw new Error("the entry is there");
  return found;
}

describe("a sound log", () => {
  test("is said to be sound, and stays as it is", () => {
    const before = contentsOf(original);

    const { code, out, err } = run("verify", original);

    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(
      /^sound: 4 segments, \d+ frames, 150 of them entries, 262144 bytes read\n$/,
    );
    run("stat", original);
    run("dump", original);
    expect(contentsOf(original)).toEqual(before);
  });

  test("stat tells whose it is and what it holds", () => {
    const { segments, directory, ...rest } = json("stat", original);

    expect(directory).toBe(original);
    expect(rest).toEqual({
      identity: IDENTITY,
      formatVersion: 1,
      segmentCount: 4,
      bytes: 4 * SEGMENT_BYTES,
      firstIndex: 1,
      last: { term: 3, index: ENTRY_COUNT },
      syncedIndex: ENTRY_COUNT,
      hardState: { currentTerm: 3, votedFor: 2, commitIndex: ENTRY_COUNT - 1 },
      base: { term: 0, index: 0, configurationBytes: 0 },
      tornBytes: 0,
      leftovers: [],
    });
    expect(segments).toMatchObject([
      { file: FIRST, state: "sealed", firstIndex: 1 },
      { file: SECOND, state: "sealed" },
      { file: THIRD, state: "active", lastIndex: ENTRY_COUNT },
      { file: FOURTH, state: "prepared", entryCount: 0, firstIndex: null, lastIndex: null },
    ]);
  });

  test("stat prints a table", () => {
    const { code, out } = run("stat", original);

    expect(code).toBe(0);
    for (const line of [/^cluster +test$/m, /^vote +node 2$/m, /^last entry +150 of term 3$/m])
      expect(out).toMatch(line);
    expect(out).toMatch(/^0{15}3\.log +active +65536 +\d+ +\d+ +\d+ +150$/m);
  });

  test("dump shows each frame where it stands", () => {
    const rows = rowsOf(original);

    expect(rows[0]).toMatchObject({ file: FIRST, offset: 4_096, kind: "state", isReset: true });
    const found = rows.filter(({ kind }) => kind === "entry").map(({ index }) => index);
    expect(found).toEqual(Array.from({ length: ENTRY_COUNT }, (_, i) => i + 1));
    expect(rows.filter(({ kind }) => kind === "footer")).toHaveLength(2);
    expect(rows.findLast(({ kind }) => kind === "mark")).toMatchObject({
      index: ENTRY_COUNT,
      commitIndex: ENTRY_COUNT - 1,
      syncedThrough: { segmentId: 3 },
    });
  });

  test("dump begins and ends where it is told, with payloads if it is told", () => {
    const rows = rowsOf(original, "--from", "70", "--count", "3", "--hex");
    const { out } = run("dump", original, "--from=70", "--count=1", "--hex");

    expect(rows.map(({ kind, index }) => `${kind} ${index}`)).toEqual([
      "entry 70",
      "mark 70",
      "entry 71",
    ]);
    expect(rows[0]).toMatchObject({ hex: "46".repeat(ENTRY_BYTES) });
    const lines = out.trimEnd().split("\n");
    expect(lines[1]).toMatch(/ entry +3 +70 +1000$/);
    expect(lines[2]).toMatch(/^ {4}00000000 {2}46 46 .* 46 {2}F{32}$/);
    expect(lines).toHaveLength(2 + Math.ceil(ENTRY_BYTES / 32));
  });

  test("dump stops without a word when its reader does", async () => {
    const child = spawn(process.execPath, [CLI, "dump", original, "--hex"]);
    let err = "";
    child.stderr.on("data", (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.stdout.once("data", () => child.stdout.destroy());

    const code = await new Promise((resolve) => {
      child.on("close", resolve);
    });

    expect({ code, err }).toEqual({ code: 141, err: "" });
  });
});

describe("a crash", () => {
  test("that tore the last write left a torn tail, which is no error", () => {
    const directory = copyForTest();
    const last = entryRow(directory, ENTRY_COUNT);
    // The last entry's payload is half there; the marks behind it are, or are not.
    change(directory, THIRD, (bytes) => bytes.fill(0, last.offset + 500, SEGMENT_BYTES));

    const { code, out } = run("verify", directory);

    expect(code).toBe(0);
    expect(out).toMatch(/^torn: 4 segments/);
    expect(out).toContain(`torn: ${join(directory, THIRD)}, byte ${last.offset}, 1032 bytes: `);
    expect(out).toContain("Harmless");
    expect(json("verify", directory)).toMatchObject({ verdict: "torn", error: null });
    expect(json("stat", directory)).toMatchObject({ last: { index: ENTRY_COUNT - 1 } });
  });

  test("that lost a trailer is a note", () => {
    const directory = copyForTest();
    change(directory, SECOND, (bytes) => bytes.fill(0, SEGMENT_BYTES - 32));

    const { code, out } = run("verify", directory);

    expect(code).toBe(0);
    expect(out).toMatch(/^sound: /);
    expect(out).toContain(`note: ${join(directory, SECOND)}`);
  });

  test("in the first write of a segment is no error", () => {
    const directory = copyForTest();
    const state = rowsOf(directory).find(({ file }) => file === THIRD) as Row;
    expect(state.kind).toBe("state");
    const second = rowsOf(directory).filter(({ file }) => file === THIRD)[3] as Row;
    change(directory, THIRD, (bytes) => bytes.fill(0, second.offset));
    rmSync(join(directory, FOURTH));
    flip(directory, THIRD, state.offset + 4);

    expect(json("verify", directory)).toMatchObject({ verdict: "torn", error: null });
  });
});

describe("damage", () => {
  test("in an entry of a sealed segment is found, though the node would start", () => {
    const directory = copyForTest();
    const row = entryRow(directory, 17);
    flip(directory, FIRST, row.offset + 32 + 400);

    const { code, out } = run("verify", directory);

    expect(code).toBe(1);
    const place = `${join(directory, FIRST)}, byte ${row.offset}, 1032 bytes`;
    expect(out).toContain(`corrupt: ${place}: an entry is damaged (entry 17)`);
    expect(out).toContain("The node would start, and stop when it reads those entries.");
    expect(out).toContain("What to do: ");
    expect(json("verify", directory)).toMatchObject({
      verdict: "corrupt",
      error: null,
      findings: [{ kind: "corrupt", offset: row.offset, entries: { first: 17, last: 17 } }],
    });
  });

  test("of a header takes the frame, and not those behind it", () => {
    const directory = copyForTest();
    const row = entryRow(directory, 80);
    expect(row.file).toBe(SECOND);
    flip(directory, SECOND, row.offset + 16);

    const { findings, entryCount } = json("verify", directory);

    expect(entryCount).toBe(ENTRY_COUNT - 1);
    expect(findings).toMatchObject([
      { offset: row.offset, bytes: 1_032, entries: { first: 80, last: 80 }, isLost: true },
    ]);
    expect(rowsOf(directory)).toContainEqual({
      file: SECOND,
      offset: row.offset,
      kind: "unreadable",
      bytes: 1_032,
    });
  });

  test("of the first frame of a sealed segment is for peers to mend, and is left as it is", () => {
    const directory = copyForTest();
    const row = rowsOf(directory).find(({ file }) => file === SECOND) as Row;
    flip(directory, SECOND, row.offset + 40);
    const before = contentsOf(directory);

    const { code, out } = run("verify", directory);

    expect(code).toBe(1);
    expect(out).toContain("The node would not start: LOG_CORRUPT: ");
    expect(out).toContain("Open the node with recoverFromPeers");
    expect(json("verify", directory)).toMatchObject({ verdict: "corrupt", isRepairable: true });
    expect(contentsOf(directory)).toEqual(before);
  });

  test("of what was synced in the last segment keeps the node from starting", () => {
    const directory = copyForTest();
    const row = entryRow(directory, ENTRY_COUNT - 5);
    flip(directory, THIRD, row.offset + 40);

    const { code, out } = run("verify", directory);
    const stat = run("stat", directory);

    expect(code).toBe(1);
    expect(out).toContain("The node would not start: LOG_CORRUPT: ");
    expect(out).toContain(`byte ${row.offset}, 1032 bytes: an entry is damaged (entry 145)`);
    expect(out).toContain("It cannot be repaired from peers: what was synced last is damaged");
    expect(out).toContain("quorumlog cluster replace --former ID");
    expect(out).not.toContain("Open the node with recoverFromPeers");
    expect(json("verify", directory)).toMatchObject({ verdict: "corrupt", isRepairable: false });
    expect(stat.code).toBe(1);
    expect(stat.err).toMatch(/^LOG_CORRUPT: .*\nWhat to do: /);
  });

  test.each([
    ["a footer", "footer", 40, "the footer is damaged"],
    ["a footer's header", "footer", 20, "the footer is damaged"],
    ["a mark", "mark", 40, "a mark is damaged"],
  ])("of %s loses no entry, and is said", (_name, kind, at, message) => {
    const directory = copyForTest();
    const row = rowsOf(directory).findLast(
      (each) => each.file === FIRST && each.kind === kind,
    ) as Row;
    flip(directory, FIRST, row.offset + at);

    const { code, out } = run("verify", directory);

    expect(code).toBe(1);
    expect(out).toContain(`byte ${row.offset}`);
    expect(out).toContain(message);
    expect(out).toContain("no entry is lost");
  });

  test("of a segment's header is said with what else there is", () => {
    const directory = copyForTest();
    flip(directory, SECOND, 40);

    const { code, out } = run("verify", directory);
    const dumped = run("dump", directory);

    expect(code).toBe(1);
    expect(out).toContain(`corrupt: ${join(directory, SECOND)}, byte 12: a segment's header`);
    expect(dumped.code).toBe(1);
    expect(dumped.err).toContain(`${SECOND}: LOG_CORRUPT`);
    const forPrograms = run("dump", directory, "--json");
    expect(JSON.parse(forPrograms.err)).toMatchObject({ error: { code: "LOG_CORRUPT" } });
    expect(dumped.out).toContain(THIRD);
  });

  test("by a file that is gone is told as that", () => {
    const directory = copyForTest();
    rmSync(join(directory, SECOND));

    for (const command of ["verify", "stat"]) {
      const { code, out, err } = run(command, directory);
      expect(code).toBe(1);
      expect(out + err).toContain("LOG_SEGMENT_MISSING");
      expect(out + err).toContain("Put the file back");
    }
  });
});

describe("nothing to look at", () => {
  test.each(["stat", "verify", "dump"])("%s of an empty directory asks which one", (command) => {
    const directory = directoryForTest();

    const { code, err } = run(command, directory);

    expect(code).toBe(1);
    expect(err).toMatch(/^LOG_MISSING: there is no log in this directory .*\nWhat to do: Is it/);
    const { out, err: told } = run(command, directory, "--json");
    expect(out).toBe("");
    expect(JSON.parse(told)).toMatchObject({
      error: { code: "LOG_MISSING" },
      advice: expect.stringContaining("Is it the right directory") as string,
    });
    expect(readdirSync(directory)).toEqual([]);
  });

  test("neither is a directory that is not there, or a file", () => {
    const directory = directoryForTest();
    writeFileSync(join(directory, "file"), "");

    expect(run("stat", join(directory, "none"))).toMatchObject({ code: 1 });
    expect(run("stat", join(directory, "file"))).toMatchObject({ code: 2 });
  });

  test.each(["stat", "verify", "dump"])("%s of a node's directory names its log", (command) => {
    const directory = directoryForTest();
    const log = join(directory, "group-0", "log");
    cpSync(original, log, { recursive: true });
    writeFileSync(join(directory, "node.json"), "{}");

    const { code, err } = run(command, directory);

    expect(code).toBe(2);
    expect(err).toContain(`is not a log, but holds one: name ${log}\n`);
  });

  test("a log that a live process has open is left alone", () => {
    const directory = copyForTest();
    const lock = nodeFileSystem.lock(directory);
    if ("heldBy" in lock) throw new Error("nobody has it");

    const held = run("verify", directory);
    lock.release();

    expect(held.code).toBe(2);
    expect(held.err).toContain(`LOG_LOCKED: the log is open in process ${process.pid}`);
    expect(run("verify", directory).code).toBe(0);
  });

  test("a lock of a process that has ended is none", () => {
    const directory = copyForTest();
    writeFileSync(join(directory, "lock"), '{"pid":1,"startedAt":"0","bootId":"another"}');

    expect(run("verify", directory).code).toBe(0);
  });

  test("files of other names are no part of it", () => {
    const directory = copyForTest();
    writeFileSync(join(directory, "spare.tmp"), "");
    writeFileSync(join(directory, "notes.txt"), "");
    mkdirSync(join(directory, "snapshots"));

    expect(run("verify", directory).out).toMatch(/^sound: 4 segments/);
    expect(json("stat", directory)).toMatchObject({ leftovers: ["spare.tmp"] });
  });
});

describe("flags", () => {
  test("--help tells what there is", () => {
    const { code, out } = run("--help");

    expect(code).toBe(0);
    expect(out).toMatch(/^usage: quorumlog-log/);
    expect(run("dump", "--help").out).toBe(out);
  });

  test.each([
    [[], "no command"],
    [["repair", "x"], '"repair" is no command'],
    [["stat"], "stat needs the directory"],
    [["stat", "a", "b"], 'what is "b"?'],
    [["stat", "a", "--from", "1"], "--from belongs to dump"],
    [["dump", "a", "--colour"], "there is no flag --colour"],
    [["dump", "a", "--count", "0"], '--count: "0" is not an integer from 1 to'],
    [["dump", "a", "--from", "1e3"], '--from: "1e3" is not an integer from 1 to'],
    [["dump", "a", "--from=99999999999999999999"], "is not an integer from 1 to"],
  ])("%j makes no sense", (words, message) => {
    const { code, out, err } = run(...words);

    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
    expect(err.trimEnd().split("\n")).toHaveLength(2);
  });

  test("all that makes no sense is told at once", () => {
    const { err } = run("stat", "--count=0", "--colour");

    expect(err.trimEnd().split("\n")).toEqual([
      "there is no flag --colour",
      expect.stringMatching(/^--count: "0" is not an integer/u),
      "stat needs the directory of a log",
      "--count belongs to dump",
      "--help tells what there is",
    ]);
  });
});
