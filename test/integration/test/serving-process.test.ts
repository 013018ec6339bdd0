// Goal: whoever owns a process hears all that it has told before it hears of its end, and every
//   call comes to an end: as it was answered, or because the process is gone.
// Method: a small program that answers, tells, and is killed or fails as it is asked to.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, onTestFinished, test } from "vitest";
import {
  isFailedCall,
  OwnedProcess,
  PatienceError,
  ProcessCallError,
  ServingProcess,
} from "../src/testing/index.ts";

interface Calls {
  readonly echo: [{ readonly text: string }, string];
  readonly refuse: [undefined, undefined];
  readonly settingNames: [undefined, readonly string[]];
  /** Tells so many words, and is gone. */
  readonly talkAndDie: [{ readonly count: number }, undefined];
  readonly silence: [{ readonly timeoutMs: number }, undefined];
}

interface Said {
  readonly type: "said";
  readonly number: number;
}

const PROGRAM = `
if (process.argv[2] === "fail") {
  console.error("this is why");
  process.exit(3);
}
const error = { name: "RangeError", code: "TOO_MUCH", message: "less" };
process.on("message", ({ id, name, input }) => {
  const give = (value) => process.send({ type: "result", id, value });
  if (name === "echo") give(input.text);
  if (name === "refuse") process.send({ type: "error", id, error });
  if (name === "settingNames")
    give(Object.keys(process.env).filter((key) => key.startsWith("QUORUMLOG_")));
  if (name !== "talkAndDie") return;
  for (let number = 0; number < input.count; number++) process.send({ type: "said", number });
  process.kill(process.pid, "SIGKILL");
});
process.on("disconnect", () => process.exit(1));
process.send({ type: "ready" });
`;
const END_MS = 10_000;
const folder = mkdtempSync(join(tmpdir(), "quorumlog-process-"));
const main = pathToFileURL(join(folder, "program.mjs"));
writeFileSync(main, PROGRAM);

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function program(heard: unknown[] = [], args: readonly string[] = []): ServingProcess<Calls, Said> {
  const process = new ServingProcess<Calls, Said>({
    name: "the program",
    main,
    args,
    onWord: ({ number }) => heard.push(number),
    onEnd: ({ signal }) => heard.push(signal),
  });
  onTestFinished(() => process.kill());
  return process;
}

test("calls are answered, or refused with the report of an error", async () => {
  const process = program();
  await process.start();

  expect(await process.call("echo", { text: "this" })).toBe("this");
  const refused = process.call("refuse", undefined);
  await expect(refused).rejects.toThrow(ProcessCallError);
  await expect(refused).rejects.toMatchObject({
    code: "TOO_MUCH",
    message: "the program: RangeError TOO_MUCH: less",
  });
});

test("what it has told is heard before its end, and calls end with it", async () => {
  const heard: unknown[] = [];
  const process = program(heard);
  await process.start();
  const count = 100;

  const lost = process.call("talkAndDie", { count });

  await expect(lost).rejects.toMatchObject({ code: "ENDED", report: { outcome: "unknown" } });
  expect(heard).toEqual([...Array.from({ length: count }, (_, i) => i), "SIGKILL"]);
  const end = await process.ended(END_MS);
  expect(end).toEqual({ exitCode: null, signal: "SIGKILL", fatal: undefined });
  await expect(process.call("refuse", undefined)).rejects.toMatchObject({
    code: "NOT_RUNNING",
    report: { outcome: "not-applied" },
  });
});

test("a call that is not answered ends, too; what fails as a call does is told apart", async () => {
  const process = program();
  await process.start();

  const silence = process.call("silence", { timeoutMs: -1_990 });

  await expect(silence).rejects.toThrow(PatienceError);
  expect(await silence.catch(isFailedCall)).toBe(true);
  expect(isFailedCall(new ProcessCallError("it", { name: "Error", message: "no" }))).toBe(true);
  expect(isFailedCall(new TypeError("a defect"))).toBe(false);
});

test("a process that ends before it serves says why", async () => {
  const process = program([], ["fail"]);

  await expect(process.start()).rejects.toThrow(/exit code 3[^]*this is why/u);

  expect(process.isServing).toBe(false);
  expect(process.end?.exitCode).toBe(3);
});

test("settings of the shell are not its own", async () => {
  process.env["QUORUMLOG_TOKEN"] = "of a shell";
  onTestFinished(() => {
    delete process.env["QUORUMLOG_TOKEN"];
  });
  const asked = program();
  await asked.start();

  expect(await asked.call("settingNames", undefined)).toEqual([]);
});

test("a process that was killed has ended by that, and can be started again", async () => {
  const owned = new OwnedProcess({ name: "the program", main, args: [] });
  onTestFinished(() => owned.kill());
  await owned.start();
  const formerPid = owned.pid;

  owned.pause();
  await owned.kill();

  expect(owned.isRunning).toBe(false);
  expect(await owned.ended(END_MS)).toEqual({ exitCode: null, signal: "SIGKILL" });
  await owned.start();
  expect(owned.isRunning).toBe(true);
  expect(owned.pid).not.toBe(formerPid);
});
