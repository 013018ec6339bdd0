/**
 * A process of the cluster that `quorumlog up` starts: another run of this very program.
 *
 * It is in a process group of its own, so that an interrupt in the terminal reaches the parent
 * alone, which stops it in order. If the parent is gone, it hears so by their channel, and ends.
 */

import { type ChildProcess, fork } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../main.js", import.meta.url));
const STOP_MS = 10_000;
const LINES_KEPT = 10;

export interface ChildInit {
  /** As it is called in what is printed. */
  readonly name: string;
  /** `broker` or `nameserver`. */
  readonly command: string;
  /** The file of its settings. */
  readonly config: string;
  /** What it prints goes there, too. */
  readonly logFile: string;
  /** It has ended, and nobody here asked it to. */
  readonly onLost: (child: Child) => void;
}

export class Child {
  readonly name: string;
  readonly #init: ChildInit;
  readonly #lastLines: string[] = [];
  #process: ChildProcess | undefined;
  #isStopping = false;
  #end = "was not started";

  constructor(init: ChildInit) {
    this.name = init.name;
    this.#init = init;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** How it came to its end. */
  get end(): string {
    return this.#end;
  }

  get lastLines(): readonly string[] {
    return this.#lastLines;
  }

  /** Starts it in any terminal, if it is not running. */
  get startCommand(): string {
    const { command, config } = this.#init;
    return `npx quorumlog ${command} --config ${config}`;
  }

  get logFile(): string {
    return this.#init.logFile;
  }

  /** Until it says that it is ready. @throws ChildError with what it said, if it ends instead */
  start(): Promise<void> {
    const { command, config, name, onLost } = this.#init;
    const child = fork(MAIN, [command, "--config", config], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      detached: true,
      execArgv: [],
      env: withoutSettings(process.env),
    });
    this.#process = child;
    this.#isStopping = false;
    this.#lastLines.length = 0;
    this.#keepOutput(child);
    return new Promise((resolve, reject) => {
      let isReady = false;
      child.once("message", () => {
        isReady = true;
        resolve();
      });
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        if (this.#process === child) this.#process = undefined;
        this.#end = signal === null ? `exit code ${code}` : signal;
      });
      // Behind the last of what it has printed.
      child.once("close", () => {
        if (!isReady) reject(new ChildError(name, this.#end, this.#lastLines));
        else if (!this.#isStopping) onLost(this);
      });
    });
  }

  /** As a crash: nothing is handed over. */
  async kill(): Promise<void> {
    await this.#endBy("SIGKILL");
  }

  /** It hands over what it has, and goes. */
  async stop(): Promise<void> {
    const force = setTimeout(() => this.#process?.kill("SIGKILL"), STOP_MS);
    await this.#endBy("SIGTERM");
    clearTimeout(force);
  }

  /** Without a wait for it to be gone, and nobody is told that it is. */
  killNow(): void {
    this.#isStopping = true;
    this.#process?.kill("SIGKILL");
  }

  async #endBy(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#isStopping = true;
    const gone = new Promise<void>((resolve) => {
      child.once("exit", () => {
        resolve();
      });
    });
    child.kill(signal);
    await gone;
  }

  #keepOutput(child: ChildProcess): void {
    const log = createWriteStream(this.#init.logFile, { flags: "a", mode: 0o600 });
    // A log that cannot be written is no reason to stop; the last lines are kept here, too.
    log.on("error", () => undefined);
    child.once("close", () => log.end());
    for (const input of [child.stdout, child.stderr])
      if (input !== null)
        createInterface({ input }).on("line", (line) => {
          log.write(`${line}\n`);
          this.#lastLines.push(line);
          if (this.#lastLines.length > LINES_KEPT) this.#lastLines.shift();
        });
  }
}

/** A process that has ended before it was ready. */
class ChildError extends Error {
  override readonly name = "ChildError";
  readonly code = "START_FAILED";

  constructor(name: string, end: string, lines: readonly string[]) {
    super([`${name} did not start (${end}):`, ...lines.map((line) => `  ${line}`)].join("\n"));
  }
}

/** Settings are in its file: the environment would say the same to all of them. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = Object.entries(environment).filter(([name]) => !name.startsWith("QUORUMLOG_"));
  return Object.fromEntries(own);
}
