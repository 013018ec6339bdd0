/** The command line as its users have it: processes, what they print, and how they end. */

import { type ChildProcess, fork } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Built code, also when a test runs the sources. */
const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const PATIENCE_MS = 90_000;

export interface Ended {
  /** `null`: by a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** What it reads; default nothing. */
  readonly input?: string | Uint8Array;
  /** Nothing more comes, and it does not end. */
  readonly isInputOpen?: boolean;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Until it has ended. */
export async function quorumlog(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const running = new Running(args, options);
  return running.ended;
}

/** What a command has printed as lines of JSON. @throws Error with all it said, if it has failed */
export async function jsonOf<Value>(args: readonly string[], exitCode = 0): Promise<Value[]> {
  const { code, stdout, stderr } = await quorumlog([...args, "--json"]);
  if (code !== exitCode)
    throw new Error(`${args.join(" ")}: exit code ${code}\n${stdout}${stderr}`);
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Value);
}

/** A command that runs until it is stopped; it ends with the test, however that ends. */
export class Running {
  readonly ended: Promise<Ended>;
  readonly #process: ChildProcess;
  readonly #args: readonly string[];
  readonly #lines: string[] = [];
  #said = { stdout: "", stderr: "" };
  #wake: () => void = () => undefined;

  constructor(args: readonly string[], options: RunOptions = {}) {
    const { input = "", isInputOpen = false, cwd, env = {} } = options;
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: "npm run build" makes it`);
    this.#args = args;
    this.#process = fork(MAIN, [...args], {
      stdio: ["pipe", "pipe", "pipe", "ipc"],
      execArgv: [],
      env: { ...withoutSettings(), ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    for (const name of ["stdout", "stderr"] as const) {
      const stream = this.#process[name];
      if (stream === null) continue;
      stream.on("data", (bytes: Buffer) => {
        this.#said = { ...this.#said, [name]: this.#said[name] + bytes.toString() };
      });
      createInterface({ input: stream }).on("line", (line) => {
        this.#lines.push(line);
        this.#wake();
      });
    }
    this.ended = new Promise((resolve) => {
      this.#process.once("close", (code) => {
        resolve({ code, ...this.#said });
        this.#wake();
      });
    });
    this.#process.stdin?.on("error", () => undefined);
    this.#process.stdin?.write(input);
    if (!isInputOpen) this.#process.stdin?.end();
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** All it has printed, on both outputs. */
  get text(): string {
    return this.#lines.join("\n");
  }

  /** Until it has printed a line like this. @throws Error with all that it said instead */
  async line(pattern: RegExp): Promise<string> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = this.#lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      const left = deadline - Date.now();
      if (left <= 0 || this.#process.exitCode !== null)
        throw new Error(`${this.#args.join(" ")}: no line like ${pattern} in\n${this.text}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 500));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async stop(signal: NodeJS.Signals = "SIGINT"): Promise<Ended> {
    this.#process.kill(signal);
    return this.ended;
  }
}

/** A folder that is gone with the test. */
export function scratch(onOver: (remove: () => void) => void): string {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-cli-"));
  onOver(() => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });
  return folder;
}

export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // There is no such process.
    return false;
  }
}

function withoutSettings(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("QUORUMLOG_"));
  return Object.fromEntries(own);
}
