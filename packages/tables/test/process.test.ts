// Goal: whenever a process ends, what is found is the state as of one entry, and never an answer
// that was given is missing; and a disk that refuses a write ends the node, not its state.
// Method: real processes on real disks, killed at random moments or short of room; what they leave
// is compared with a model. The programs are built code, as a user would run it.

import { LmdbTables } from "../src/index.ts";
import { ReplicatedStateMachine } from "@quorumlog/replica";
import { Prng } from "@quorumlog/std";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { changeAt, COUNTING_TABLES, CountingMachine, modelAt } from "./kit/counting-machine.ts";

const LIFE_COUNT = 10;
const NODE = {
  clusterId: "killed",
  nodeId: 1,
  peers: { 1: "127.0.0.1:1" },
  listen: "127.0.0.1:0",
  token: "a token for processes that are killed",
  ifMissing: "found" as const,
  tuning: { segmentBytes: 1_048_576, snapshotEveryBytes: 4_194_304 },
};

/** Executes commands for ever, four at a time, and prints each session, and each answer. */
const PROGRAM = `
  import { ReplicatedStateMachine } from "@quorumlog/replica";
  import { jsonCodec, LmdbTables } from "@quorumlog/tables";
  import { writeSync } from "node:fs";
  ${changeAt.toString()}
  const [options, names, commandBytes] = process.argv.slice(1).map((word) => JSON.parse(word));
  const tables = new LmdbTables(names);
  const counts = tables.table("counts", jsonCodec());
  const bytes = { encode: (value) => value, decode: (value) => value };
  const rows = tables.table("rows", bytes);
  const machine = {
    apply: ({ offset, records }) => records.map((record, i) => {
      const { key, value } = changeAt(offset + i);
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
      counts.set("records", (counts.get("records") ?? 0) + 1);
      return Buffer.from(String(offset + i));
    }),
    snapshot: () => tables.snapshot(),
    restore: (chunks) => tables.restore(chunks),
  };
  const say = (...words) => writeSync(1, words.join(" ") + "\\n");
  process.on("unhandledRejection", (error) => say("unhandled", error));
  const group = await ReplicatedStateMachine.open({
    ...options,
    checkpoint: tables,
    onEvent: (event) => {
      if (event.type === "failed") say("failed", event.error.code, event.error.message);
      if (event.type === "checkpointDamaged") say("damaged", event.error.message);
    },
  }, machine);
  await group.leader();
  const { sessionId } = await group.openSession();
  say("session", sessionId);
  const command = Buffer.alloc(commandBytes, 7);
  for (let sequence = 1; ; sequence += 4)
    await Promise.all([0, 1, 2, 3].map(async (i) => {
      const session = { sessionId, sequence: sequence + i };
      say("answer", sequence + i, await group.execute(command, { session }));
    })).catch((error) => {
      say("refused", error.code);
      setTimeout(() => process.exit(1), 200);
      return new Promise(() => undefined);
    });
`;

interface Said {
  readonly sessionId: number;
  /** The last of those that were answered, and its offset. */
  readonly sequence: number;
  readonly offset: number;
  readonly text: string;
}

function parse(text: string): Said {
  const lines = text.split("\n").slice(0, -1);
  const words = lines.map((line) => line.split(" "));
  const session = words.find(([kind]) => kind === "session");
  const answer = words.findLast(([kind]) => kind === "answer");
  const [sequence, offset] = [Number(answer?.[1] ?? 0), Number(answer?.[2] ?? -1)];
  return { sessionId: Number(session?.[1] ?? 0), sequence, offset, text };
}

class Process {
  readonly #child: ChildProcess;
  readonly #output: Promise<string>;
  #text = "";

  /** @param prefix - Of the command line, in a shell. */
  constructor(directory: string, { prefix = "", commandBytes = 4_000 } = {}) {
    const words = [{ ...NODE, directory }, COUNTING_TABLES, commandBytes];
    const args = ["--input-type=module", "--eval", PROGRAM, "--"];
    args.push(...words.map((word) => JSON.stringify(word)));
    const shell = ["-c", `${prefix} exec "$0" "$@"`, process.execPath, ...args];
    this.#child = spawn("bash", shell, {
      cwd: new URL("..", import.meta.url),
      // The library says on stderr what it rejects its promises with.
      stdio: ["ignore", "pipe", "ignore"],
    });
    onTestFinished(() => {
      this.kill();
    });
    this.#output = new Promise((resolve) => {
      this.#child.stdout?.on("data", (chunk: Buffer) => {
        this.#text += chunk.toString();
      });
      this.#child.on("close", () => {
        resolve(this.#text);
      });
    });
  }

  async said(): Promise<Said> {
    return parse(await this.#output);
  }

  /** Until it has said so many lines. */
  async lines(count: number): Promise<void> {
    while (this.#text.split("\n").length <= count && this.#child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 1));
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

function folderForTest(): string {
  const directory = mkdtempSync(join(tmpdir(), "quorumlog-killed-"));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

function refused(error: Error): never {
  throw error;
}

/** Looks into what a process has left: the state as of one entry. @returns how many records. */
async function keptCount(directory: string): Promise<number | undefined> {
  const identity = JSON.parse(readFileSync(join(directory, "node.json"), "utf8")) as {
    readonly incarnation: number;
  };
  const machine = new CountingMachine(new LmdbTables(COUNTING_TABLES));
  const tables = machine.tables as LmdbTables;
  const position = tables.open({
    directory: join(directory, "group-0"),
    clusterId: NODE.clusterId,
    groupId: 0,
    nodeId: NODE.nodeId,
    incarnation: identity.incarnation,
    onDurable: () => undefined,
    onDamaged: refused,
    onFailure: refused,
  });
  const own = position === undefined ? undefined : tables.load();
  await new Promise<void>((resolve) => {
    tables.close(resolve);
  });
  if (own === undefined) return undefined;
  // Version, first offset, next offset: what the replica counts for itself.
  const nextOffset = Buffer.from(own.get("group") ?? []).readDoubleLE(16);
  expect(machine.count).toBe(nextOffset);
  expect(machine.rows()).toEqual(modelAt(nextOffset));
  return nextOffset;
}

/** Opens the node here, in which nothing may be missing or be there twice. */
async function audited(directory: string, { sessionId, sequence, offset }: Said) {
  const tables = new LmdbTables(COUNTING_TABLES);
  const machine = new CountingMachine(tables);
  await using group = await ReplicatedStateMachine.open(
    { ...NODE, directory, checkpoint: tables },
    machine,
  );
  await group.leader();
  await group.readBarrier();
  const count = group.status().nextOffset;
  expect(count).toBeGreaterThan(offset);
  expect(machine.count).toBe(count);
  expect(machine.rows()).toEqual(modelAt(count));
  if (sequence > 0) {
    const session = { sessionId, sequence };
    const again = await group.execute(Buffer.from("anything"), { session });
    expect(Buffer.from(again).toString()).toBe(`${offset}`);
    expect(group.status().nextOffset).toBe(count);
  }
  return { count, appliedCount: machine.appliedCount };
}

test("a process that is killed leaves the state as of one entry, and loses no answer", async () => {
  const directory = folderForTest();
  const prng = new Prng(20_260);
  let behindCount = 0;
  for (let life = 0; life < LIFE_COUNT; life++) {
    const running = new Process(directory);
    await running.lines(1);
    await running.lines(2 + prng.below(600));
    running.kill();
    const said = await running.said();

    const kept = await keptCount(directory);
    const { count, appliedCount } = await audited(directory, said);

    expect(said.text).not.toContain("damaged");
    if (kept === undefined) continue;
    expect(appliedCount).toBe(count - kept);
    if (kept < count) behindCount += 1;
  }
  // Else the kills have met nothing.
  expect(behindCount).toBeGreaterThan(LIFE_COUNT / 4);
}, 120_000);

test("a disk that takes no more of the database ends the node, and loses no answer", async () => {
  const directory = folderForTest();
  // Of any file, in KiB: segments are smaller, and so is what is kept of 300 rows, at first.
  const running = new Process(directory, { prefix: "ulimit -f 1500;", commandBytes: 10 });

  const said = await running.said();

  const end = said.text.split("\n").filter((line) => !/^(?:answer|session|$)/u.test(line));
  expect(end).toEqual([
    expect.stringMatching(/^failed CHECKPOINT_FAILED cannot write: /u),
    "refused FAILED",
  ]);
  expect(statSync(join(directory, "group-0", "tables", "data.mdb")).size).toBeGreaterThan(1e6);
  await audited(directory, said);
}, 60_000);

/** Opens a checkpoint, changes it, and ends as by `kill -9` once that is on the disk. */
const WRITER = `
  import { LmdbTables, textCodec } from "@quorumlog/tables";
  const [directory, count] = process.argv.slice(1);
  const tables = new LmdbTables(["rows"]);
  const rows = tables.table("rows", textCodec);
  let onDurable = () => undefined;
  const position = tables.open({
    ...{ directory, clusterId: "damaged", groupId: 0, nodeId: 1, incarnation: 7 },
    onDurable: () => onDurable(),
    onDamaged: () => undefined,
    onFailure: (error) => { throw error; },
  });
  if (position !== undefined) tables.load();
  const first = (position?.index ?? 0) + 1;
  for (let index = first; index < first + Number(count); index++) {
    for (let i = 0; i < 30; i++) rows.set("key " + (index * 37 + i * 11) % 200, "x".repeat(500));
    const durable = new Promise((resolve) => { onDurable = resolve; });
    tables.cut({ position: { index, term: 1, configuration: Buffer.of(1) }, rows: [] });
    await durable;
  }
  process.kill(process.pid, "SIGKILL");
`;
const PAGE_BYTES = 4096;
/** Behind the two that lead to all others. */
const DAMAGED_PAGES = [2, 3, 5, 7];
/** Many processes, one after the other. */
const PATIENT = { timeout: 180_000 };

/** @returns the signal that it ended by. */
function writeOnce(directory: string, count: number): Promise<string | null> {
  const child = spawn(
    process.execPath,
    ["--input-type=module", "-e", WRITER, directory, String(count)],
    { stdio: "ignore", cwd: import.meta.dirname },
  );
  return new Promise((resolve) => {
    child.once("exit", (_code, signal) => {
      resolve(signal);
    });
  });
}

test("pages that end whoever reads them end two processes, and no third", PATIENT, async () => {
  const directory = mkdtempSync(join(tmpdir(), "quorumlog-tables-"));
  onTestFinished(() => {
    rmSync(directory, { recursive: true });
  });
  const file = join(directory, "tables", "data.mdb");
  await writeOnce(directory, 20);
  const sound = readFileSync(file);
  const ends = new Set<string>();
  for (const page of DAMAGED_PAGES) {
    const damaged = Buffer.from(sound);
    damaged.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    rmSync(directory, { recursive: true });
    mkdirSync(join(directory, "tables"), { recursive: true });
    writeFileSync(file, damaged);
    const lives = [];
    for (let life = 0; life < 3; life++) lives.push(await writeOnce(directory, 2));
    for (const signal of lives) ends.add(`${signal}`);

    expect(lives.at(-1)).toBe("SIGKILL");
  }

  // Some of these pages did.
  expect([...ends].filter((signal) => signal !== "SIGKILL")).not.toEqual([]);
});
