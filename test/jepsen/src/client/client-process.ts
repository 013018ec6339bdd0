/** The harness's end of a process of clients, from its start to its end. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { ownChild } from "@quorumlog/e2e/testing";
import type { ClientSettings, ClientWord, HarnessWord } from "./client-words.ts";

export interface ClientProcessInit {
  readonly settings: ClientSettings;
  readonly onEvents: (word: Extract<ClientWord, { type: "events" }>) => void;
  /** It ended by itself, or of a defect. */
  readonly onFailure: (error: Error) => void;
}

/** Built code, also when a test runs the sources. */
const MAIN = fileURLToPath(new URL("../../dist/client/client-main.js", import.meta.url));
const OUTPUT_LENGTH_MAX = 10_000;

export class ClientProcess {
  readonly settings: ClientSettings;
  readonly #child: ChildProcess;
  readonly #heard = new Map<ClientWord["type"], () => void>();
  readonly #started: Promise<void>;
  readonly #gone: Promise<unknown>;
  #isEnding = false;
  #output = "";

  constructor({ settings, onEvents, onFailure }: ClientProcessInit) {
    this.settings = settings;
    const child = fork(MAIN, [JSON.stringify(settings)], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      execArgv: [],
    });
    this.#child = child;
    ownChild(child);
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_LENGTH_MAX);
      });
    this.#started = this.#word("started");
    // What it has sent comes before its channel's end, also if it was killed.
    this.#gone = Promise.all([once(child, "close"), once(child, "disconnect")]);
    this.#gone.catch(onFailure);
    child.on("message", (message) => {
      const word = message as ClientWord;
      if (word.type === "events") onEvents(word);
      else if (word.type === "failed") onFailure(new Error(`${this.#name}: ${word.error}`));
      else this.#heard.get(word.type)?.();
    });
    child.once("close", (code, signal) => {
      for (const goOn of this.#heard.values()) goOn();
      const how = `${this.#name} has ended by ${signal ?? `exit code ${code}`}: ${this.#output}`;
      if (!this.#isEnding) onFailure(new Error(how));
    });
  }

  started(): Promise<void> {
    return this.#started;
  }

  tell(word: HarnessWord): void {
    // If it is gone, that is told otherwise.
    this.#child.send(word, () => undefined);
  }

  /** @returns once it has done so; or is gone, which is a failure of its own. */
  async ask(word: "finish" | "drain"): Promise<void> {
    const answered = this.#word(word === "finish" ? "finished" : "drained");
    this.tell({ type: word });
    await answered;
  }

  /** `kill -9`. @returns once all that it has told was heard. */
  async kill(): Promise<void> {
    this.#isEnding = true;
    this.#child.kill("SIGKILL");
    await this.#gone;
  }

  get #name(): string {
    const { workload, life } = this.settings;
    return `process ${life} of clients of ${workload}`;
  }

  #word(type: ClientWord["type"]): Promise<void> {
    return new Promise((resolve) => {
      this.#heard.set(type, resolve);
    });
  }
}
