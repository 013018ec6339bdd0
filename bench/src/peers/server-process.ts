/** A server that is measured: any program, which is stopped by its process id whatever happens. */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { boundedBy } from "./bounded-by.ts";
import { liveServers } from "./leftovers.ts";
import { killTree } from "./process-usage.ts";

export interface ServerCommand {
  readonly program: string;
  readonly words: readonly string[];
  /** Beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Where it writes to; a second start writes on. */
  readonly logFile: string;
}

const LOG_TAIL_BYTES = 2_000;
const LOOK_MS = 50;
/** Servers that are just starting, or just ending, leave some questions without an answer. */
const ASK_MS = 30_000;

export class ServerProcess {
  readonly #command: ServerCommand;
  readonly #ended: Promise<void>;
  readonly pid: number;
  #isEnded = false;

  constructor(command: ServerCommand) {
    const { program, words, env, directory, logFile } = command;
    this.#command = command;
    const log = openSync(logFile, "a");
    // A process group of its own: Ctrl-C is for the bench, which ends what it started.
    const child: ChildProcess = spawn(program, words, {
      cwd: directory,
      env: { ...process.env, ...env },
      stdio: ["ignore", log, log],
      detached: true,
    });
    closeSync(log);
    this.#ended = new Promise((resolve) => {
      const onEnd = (): void => {
        this.#isEnded = true;
        if (child.pid !== undefined) liveServers.delete(child.pid);
        resolve();
      };
      child.once("exit", onEnd);
      child.once("error", onEnd);
    });
    if (child.pid === undefined) throw new Error(`${program} cannot be started`);
    this.pid = child.pid;
    liveServers.add(child.pid);
  }

  /** Ends it and its children by SIGKILL; returns when it is gone. */
  async kill(): Promise<void> {
    if (!this.#isEnded) killTree([this.pid]);
    await this.#ended;
  }

  /** The same again, after it has ended. */
  restarted(): ServerProcess {
    return new ServerProcess(this.#command);
  }

  /**
   * Asks again and again until the answer is neither `undefined` nor an error.
   *
   * @throws when the time is over, or the process ends: with the end of its log.
   */
  async until<Value>(
    what: string,
    deadlineMs: number,
    ask: () => Promise<Value | undefined>,
  ): Promise<Value> {
    const deadline = performance.now() + deadlineMs;
    let last: unknown;
    while (performance.now() < deadline && !this.#isEnded) {
      try {
        const value = await boundedBy(ASK_MS, ask());
        if (value !== undefined) return value;
      } catch (error) {
        last = error;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    const { program, logFile } = this.#command;
    const text = readFileSync(logFile, "utf8").slice(-LOG_TAIL_BYTES);
    const how = this.#isEnded ? "it ended" : `not within ${deadlineMs} ms`;
    throw new Error(`${program}: ${what}: ${how}\n${text}`, { cause: last });
  }
}
