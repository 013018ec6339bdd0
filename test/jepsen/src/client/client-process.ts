/** The harness's end of a process of clients, from its start to its end. */

import { OwnedProcess } from "@quorumlog/integration/testing";
import type { ClientSettings, ClientWord, HarnessWord } from "./client-words.ts";

export interface ClientProcessInit {
  readonly settings: ClientSettings;
  /** What its command line begins with. */
  readonly command: readonly string[];
  readonly onEvents: (word: Extract<ClientWord, { type: "events" }>) => void;
  /** It ended by itself, or of a defect. */
  readonly onFailure: (error: Error) => void;
}

/** Built code, also when a test runs the sources. */
const MAIN = new URL("../../dist/client/client-main.js", import.meta.url);

export class ClientProcess {
  readonly settings: ClientSettings;
  readonly #init: ClientProcessInit;
  readonly #process: OwnedProcess;
  readonly #heard = new Map<ClientWord["type"], () => void>();
  readonly #started: Promise<void>;
  #isEnding = false;

  /** It runs from now on. */
  constructor(init: ClientProcessInit) {
    const { workload, life } = init.settings;
    this.settings = init.settings;
    this.#init = init;
    this.#process = new OwnedProcess({
      name: `process ${life} of clients of ${workload}`,
      main: MAIN,
      args: [JSON.stringify(init.settings)],
      command: init.command,
      onMessage: (message) => {
        this.#onWord(message as ClientWord);
      },
      isReady: (message) => (message as ClientWord).type === "started",
      onEnd: () => {
        this.#onEnd();
      },
    });
    this.#started = this.#process.start();
    // Also if nobody waits for it any more. Whoever has killed it knows why it did not start.
    this.#started.catch((error: unknown) => {
      if (!this.#isEnding) init.onFailure(error as Error);
    });
  }

  /** @returns once it runs, or was killed. @throws Error if it ends before, or takes too long. */
  async started(): Promise<void> {
    try {
      await this.#started;
    } catch (error) {
      if (!this.#isEnding) throw error;
    }
  }

  /** If it is gone, that is told otherwise. */
  tell(word: HarnessWord): void {
    this.#process.tell(word);
  }

  /** @returns once it has done so; or is gone, which is a failure of its own. */
  async ask(word: "finish" | "drain"): Promise<void> {
    const answered = new Promise<void>((resolve) => {
      this.#heard.set(word === "finish" ? "finished" : "drained", resolve);
    });
    this.tell({ type: word });
    await answered;
  }

  /** `kill -9`. @returns once all that it has told was heard. */
  async kill(): Promise<void> {
    this.#isEnding = true;
    await this.#process.kill();
  }

  #onWord(word: ClientWord): void {
    if (word.type === "events") this.#init.onEvents(word);
    else if (word.type === "failed")
      this.#init.onFailure(new Error(`${this.#process.name}: ${word.error}`));
    else this.#heard.get(word.type)?.();
  }

  #onEnd(): void {
    for (const goOn of this.#heard.values()) goOn();
    if (!this.#isEnding) this.#init.onFailure(new Error(this.#process.describe()));
  }
}
