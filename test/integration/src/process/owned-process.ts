/** One process of the test's own, from its start to its end, with what it has printed of late. */

import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { within } from "../patience.ts";
import { nodeBehind } from "./node-behind.ts";
import { ownChild } from "./owned-by-process.ts";

export interface OwnedProcessInit {
  /** As it is called in messages. */
  readonly name: string;
  /** The module that it runs: built code, also when a test runs the sources. */
  readonly main: URL;
  readonly args: readonly string[];
  /** See `nodeBehind`. Default: none. */
  readonly command?: readonly string[];
  /** How it and this process write their messages; default `json`. `advanced`: bytes, too. */
  readonly serialization?: "json" | "advanced";
  /** Everything that it tells, in its order. */
  readonly onMessage?: (message: unknown) => void;
  /** Whether a message shows it to be ready; default: the first does. */
  readonly isReady?: (message: unknown) => boolean;
  /** It has ended, and everything that it said was told. */
  readonly onEnd?: (end: ProcessEnd) => void;
}

/** One of the two is there. */
export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

const READY_MS = 60_000;
const END_MS = 30_000;
const LINES_MAX = 200;
const LINES_SHOWN = 15;

export class OwnedProcess {
  readonly #init: OwnedProcessInit;
  readonly #lines: string[] = [];
  #child: ChildProcess | undefined;
  #ended: Promise<ProcessEnd> | undefined;
  #state = "was not started";

  /** Nothing runs yet. */
  constructor(init: OwnedProcessInit) {
    this.#init = init;
  }

  get name(): string {
    return this.#init.name;
  }

  /** Until it has ended, and everything that it said was told. */
  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** @returns once it says that it is ready. @throws Error if it ends before, or takes too long. */
  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`${this.name} runs already`);
    const child = this.#fork();
    const { isReady = () => true, onMessage } = this.#init;
    const ready = new Promise<void>((resolve, reject) => {
      child.on("message", (message) => {
        onMessage?.(message);
        if (isReady(message)) resolve();
      });
      // What fails later, such as a message to it, is followed by its end.
      child.on("error", reject);
      this.#ended = new Promise((resolveEnd) => {
        // Behind the last of what it has told and printed.
        child.once("close", (exitCode, signal) => {
          this.#onEnd({ exitCode, signal });
          reject(new Error(`was not ready:\n${this.describe()}`));
          resolveEnd({ exitCode, signal });
        });
      });
    });
    await within(`${this.name} is ready`, READY_MS, ready);
  }

  /** By default as a crash: nothing is handed over. @returns once it has ended. Idempotent. */
  async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.kill(signal);
    await this.ended(END_MS);
  }

  /** @returns once it has ended, however. @throws PatienceError; Error if it was not started. */
  async ended(timeoutMs: number): Promise<ProcessEnd> {
    if (this.#ended === undefined) throw new Error(`${this.name} was not started`);
    return within(`${this.name} ends`, timeoutMs, this.#ended);
  }

  /** What it does not take any more is lost: its end is told otherwise. */
  tell(message: object): void {
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
    const lines = this.#lines.slice(-LINES_SHOWN).map((line) => `    ${line}\n`);
    return `  ${this.name} ${this.#state}\n${lines.join("")}`.trimEnd();
  }

  #fork(): ChildProcess {
    const { main, args, command = [], serialization = "json" } = this.#init;
    const path = fileURLToPath(main);
    if (!existsSync(path)) throw new Error(`${path} is missing: "npm run build" makes it`);
    const child = fork(path, [...args], {
      serialization,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      ...nodeBehind(command),
      env: environment(),
    });
    this.#child = child;
    this.#state = "runs";
    ownChild(child);
    for (const input of [child.stdout, child.stderr])
      if (input !== null) createInterface({ input }).on("line", (line) => this.#heed(line));
    return child;
  }

  #onEnd(end: ProcessEnd): void {
    this.#child = undefined;
    this.#state = `has ended by ${end.signal ?? `exit code ${end.exitCode}`}`;
    this.#init.onEnd?.(end);
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
