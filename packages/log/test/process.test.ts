// Goal: what a process said to be durable is there after it was killed, and a directory has one
// owner.
// Method: real processes on a real disk. The appender is built code, as a user would run it.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  createLog,
  LogError,
  nodeFileSystem,
  parseLogOptions,
  SegmentLogStore,
} from "../src/index.ts";
import { contents, IDENTITY, NO_BASE } from "./kit/disk.ts";

const OPTIONS = { segmentBytes: 65_536 };

/** Appends for ever, and prints each index that is durable. */
const APPENDER = `
  import { nodeFileSystem, parseLogOptions, SegmentLogStore } from "@quorumlog/log";
  import { writeSync } from "node:fs";
  const [directory, identity, options] = process.argv.slice(1).map((word) => JSON.parse(word));
  const onFailure = (error) => { throw error; };
  const store = SegmentLogStore.open({
    fileSystem: nodeFileSystem, directory, identity: identity,
    options: parseLogOptions(options), onFailure,
  });
  let index = store.lastIndex();
  const append = () => {
    index += 1;
    const own = index;
    const data = new Uint8Array(1 + ((own * 797) % 3000)).fill(own % 251);
    const entries = [{ index: own, term: 1, kind: "normal", data }];
    store.append({ hardState: undefined, reset: undefined, entries }, () => {
      writeSync(1, own + "\\n");
      append();
    });
  };
  for (let outstanding = 0; outstanding < 16; outstanding++) append();
`;

function directoryForTest(): string {
  const directory = mkdtempSync(join(tmpdir(), "quorumlog-log-"));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  createLog(common(directory), { base: NO_BASE, salt: 1 });
  return directory;
}

function common(directory: string) {
  const options = parseLogOptions(OPTIONS);
  return { fileSystem: nodeFileSystem, directory, identity: IDENTITY, options };
}

function open(directory: string): SegmentLogStore {
  return SegmentLogStore.open({
    ...common(directory),
    onFailure: (error) => {
      throw error;
    },
  });
}

function startAppender(directory: string): ChildProcess {
  const words = [directory, IDENTITY, OPTIONS].map((value) => JSON.stringify(value));
  const child = spawn(
    process.execPath,
    ["--input-type=module", "--eval", APPENDER, "--", ...words],
    { cwd: new URL("..", import.meta.url), stdio: ["ignore", "pipe", "inherit"] },
  );
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  return child;
}

/** Kills the process when it has said `count` lines; what it said is the result. */
function killedAfter(child: ChildProcess, count: number): Promise<number[]> {
  return new Promise((resolve) => {
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.split("\n").length > count) child.kill("SIGKILL");
    });
    child.on("close", () => {
      const lines = text.split("\n").slice(0, -1);
      resolve(lines.map(Number));
    });
  });
}

test("nothing that a killed process had said to be durable is lost", async () => {
  const directory = directoryForTest();
  for (let life = 0; life < 5; life++) {
    const said = await killedAfter(startAppender(directory), 20 + life * 40);
    const store = open(directory);
    const found = contents(store);
    expect(found.at(-1)?.index).toBeGreaterThanOrEqual(said.at(-1) as number);
    for (const { index, data } of found) {
      expect(data.byteLength).toBe(1 + ((index * 797) % 3_000));
      expect(data.every((byte) => byte === index % 251)).toBe(true);
    }
    await new Promise<void>((resolve) => {
      store.close(resolve);
    });
  }
}, 60_000);

test("a log that another process has open is refused, and says which process that is", async () => {
  const directory = directoryForTest();
  const child = startAppender(directory);
  await new Promise((resolve) => child.stdout?.once("data", resolve));

  const attempt = (): unknown => open(directory);

  expect(attempt).toThrow(LogError);
  expect(attempt).toThrow(`process ${child.pid}`);
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("close", resolve));
  const store = open(directory);
  await new Promise<void>((resolve) => {
    store.close(resolve);
  });
}, 60_000);
