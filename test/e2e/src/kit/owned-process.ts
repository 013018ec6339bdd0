/** One process of the test's own, from its start to its end, with what it has printed of late. */

import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { within } from "@quorumlog/integration/testing";
import { ownChild } from "./owned-by-process.ts";

export interface OwnedProcessInit {
  /** As it is called in messages. */
  readonly name: string;
  /** The module that it runs: built code, also when a test runs the sources. */
  readonly main: URL;
  readonly args: readonly string[];
  /** What it tells after it was ready. */
  readonly onMessage?: (message: unknown) => void;
  /** Is given its messages until it says that one shows it to be ready; default: the first. */
  readonly isReady?: (message: unknown) => boolean;
  /** It has ended, and everything that it said was told. */
  readonly onEnd?: (end: ProcessEnd) => void;
}

/** One of the two is there. */
export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Of the command line. */
export const QUORUMLOG: URL = new URL("../../../../packages/cli/dist/main.js", import.meta.url);

const READY_MS = 60_000;
const END_MS = 30_000;
const LINES_MAX = 200;
const LINES_SHOWN = 15;

export class OwnedProcess {
  readonly #init: OwnedProcessInit;
  readonly #lines: string[] = [];
  #child: ChildProcess | undefined;
  #end = "was not started";

  /** Nothing runs yet. */
  constructor(init: OwnedProcessInit) {
    this.#init = init;
  }

  get name(): string {
    return this.#init.name;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** @returns once it says that it is ready. @throws Error if it ends before, or takes too long. */
  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`${this.name} runs already`);
    const { main, args } = this.#init;
    const path = fileURLToPath(main);
    if (!existsSync(path)) throw new Error(`${path} is missing: "npm run build" makes it`);
    const child = fork(path, [...args], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      execArgv: [],
      env: environment(),
    });
    this.#child = child;
    ownChild(child);
    for (const input of [child.stdout, child.stderr])
      if (input !== null) createInterface({ input }).on("line", (line) => this.#heed(line));
    const ready = new Promise<void>((resolve, reject) => {
      const { isReady = () => true, onMessage, onEnd } = this.#init;
      let wasReady = false;
      child.on("message", (message) => {
        if (wasReady) onMessage?.(message);
        else if (isReady(message)) {
          wasReady = true;
          resolve();
        }
      });
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        this.#child = undefined;
        this.#end = `has ended by ${signal ?? `exit code ${code}`}`;
      });
      // Behind the last of what it has printed.
      child.once("close", (exitCode, signal) => {
        onEnd?.({ exitCode, signal });
        reject(new Error(`was not ready:\n${this.describe()}`));
      });
    });
    await within(`${this.name} is ready`, READY_MS, ready);
  }

  /** By default as a crash: nothing is handed over. @returns once it is gone. */
  async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise<void>((resolve) => {
      child.once("exit", () => {
        resolve();
      });
    });
    child.kill(signal);
    await within(`${this.name} ends by ${signal}`, END_MS, gone);
  }

  /** What it does not take any more is lost: its end is told otherwise. */
  tell(message: Readonly<Record<string, unknown>>): void {
    this.#child?.send(message, () => undefined);
  }

  /** It stands still as on a machine that is stalled: its connections stay. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** The last that it has printed. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** How it is, and the last that it has said. */
  describe(): string {
    const state = this.isRunning ? "runs" : this.#end;
    const lines = this.#lines.slice(-LINES_SHOWN).map((line) => `    ${line}\n`);
    return `  ${this.name} ${state}\n${lines.join("")}`.trimEnd();
  }

  #heed(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > LINES_MAX) this.#lines.shift();
  }
}

/** Settings are in files alone: a shell's own would be the same for all nodes. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("QUORUMLOG_"));
  return Object.fromEntries(own);
}
