/** A process of the cluster that `quorumlog up` has started: its own command, told by arguments. */

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../main.js", import.meta.url));
const STOP_MS = 5_000;

export interface ChildInit {
  /** As it is called in what is printed. */
  readonly name: string;
  readonly args: readonly string[];
  /** Its output, a line at a time. */
  readonly onLine: (line: string) => void;
  /** It has ended, and nobody asked it to. */
  readonly onLost: (child: Child, how: string) => void;
}

export class Child {
  readonly name: string;
  readonly #init: ChildInit;
  #process: ChildProcess | undefined;
  #isStopping = false;

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

  /** Until it says that it is ready. */
  start(): Promise<void> {
    const { args, onLine, onLost, name } = this.#init;
    const child = fork(MAIN, [...args], { stdio: ["ignore", "pipe", "pipe", "ipc"] });
    this.#process = child;
    this.#isStopping = false;
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (bytes: Buffer) => {
        for (const line of bytes.toString().split("\n")) {
          if (line === "") continue;
          said.push(line);
          onLine(line);
        }
      });
    return new Promise((resolve, reject) => {
      let isReady = false;
      child.once("message", () => {
        isReady = true;
        resolve();
      });
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        if (this.#process === child) this.#process = undefined;
        const how = signal ?? `exit code ${code}`;
        if (!isReady) reject(new Error(`${name} did not start (${how}): ${said.join("\n")}`));
        else if (!this.#isStopping) onLost(this, how);
      });
    });
  }

  /** As a crash: nothing is handed over. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** It hands over what it has, and goes. */
  async stop(): Promise<void> {
    const force = setTimeout(() => this.#process?.kill("SIGKILL"), STOP_MS);
    await this.#end("SIGTERM");
    clearTimeout(force);
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
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
}
