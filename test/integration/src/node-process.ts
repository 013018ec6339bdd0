/** The harness's end of one node: its process, from its start to its end. */

import type { NodeCalls, NodeEventWord, NodeSettings } from "./node-protocol.ts";
import { ProcessCallError, type ServingEnd, ServingProcess } from "./process/serving-process.ts";

export interface NodeEvent {
  readonly nodeId: number;
  readonly name: string;
  readonly detail: string;
  /** By `performance.now()`. */
  readonly at: number;
}

/** Built code, also when a test runs the sources. */
const MAIN = new URL("../dist/node-main.js", import.meta.url);
const END_TIMEOUT_MS = 20_000;

export class NodeProcess {
  readonly settings: NodeSettings;
  readonly #process: ServingProcess<NodeCalls, NodeEventWord>;
  readonly #started: Promise<void>;

  /** It runs from now on. */
  constructor(settings: NodeSettings, onEvent: (event: NodeEvent) => void) {
    this.settings = settings;
    this.#process = new ServingProcess({
      name: `node ${settings.nodeId}`,
      main: MAIN,
      args: [JSON.stringify(settings)],
      serialization: "advanced",
      onWord: ({ name, detail }) => {
        onEvent({ nodeId: this.nodeId, name, detail, at: performance.now() });
      },
    });
    this.#started = this.#process.start();
    // Whoever does not wait for it to serve waits for its end.
    this.#started.catch(() => undefined);
  }

  get nodeId(): number {
    return this.settings.nodeId;
  }

  /** Its replica was opened, and it has not ended. */
  get isServing(): boolean {
    return this.#process.isServing;
  }

  get hasEnded(): boolean {
    return this.#process.end !== undefined;
  }

  /** What it has printed: nothing, if all is well. */
  get output(): string {
    return this.#process.lines.join("\n");
  }

  /** @throws ProcessCallError `ENDED` if it ends before it serves; PatienceError */
  async ready(): Promise<void> {
    try {
      await this.#started;
    } catch (cause) {
      if (!this.hasEnded) throw cause;
      const message = `it did not open: ${this.describe()}`;
      const report = { name: "NotThere", code: "ENDED", message };
      throw new ProcessCallError(`node ${this.nodeId}`, report, { cause });
    }
  }

  /** @throws ProcessCallError, PatienceError */
  call<Name extends keyof NodeCalls>(
    name: Name,
    input: NodeCalls[Name][0],
  ): Promise<NodeCalls[Name][1]> {
    return this.#process.call(name, input);
  }

  /** As a power loss of the process: nothing it has in mind happens. */
  async kill(): Promise<ServingEnd> {
    await this.#process.kill();
    return this.ended();
  }

  /** Closes its replica, and waits for the process to end. */
  async close(handOver = true): Promise<ServingEnd> {
    await this.call("close", { handOver });
    return this.ended();
  }

  /** Lets the process stand still, or go on. */
  pause(isPaused: boolean): void {
    this.#process.pause(isPaused);
  }

  ended(timeoutMs: number = END_TIMEOUT_MS): Promise<ServingEnd> {
    return this.#process.ended(timeoutMs);
  }

  /** How it is, and the last that it has said. */
  describe(): string {
    return this.#process.describe();
  }
}
