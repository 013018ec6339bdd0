/** The harness's end of one node: its process, from a start to an end, and what it says. */

import { type ServingEnd, ServingProcess } from "@quorumlog/integration/testing";
import type { NodeCalls, NodeSettings, NodeView, NodeWord } from "../node/node-protocol.ts";

/** What a node has told of its replica. */
export interface NodeEvent {
  readonly nodeId: number;
  readonly name: string;
  /** JSON. */
  readonly detail: string;
  /** By `performance.now()`. */
  readonly atMs: number;
}

/** Around its process. */
interface NodeSurroundings {
  /** What its command line begins with. */
  readonly command: readonly string[];
  readonly onEvent: (event: NodeEvent) => void;
  readonly onEnd: (end: ServingEnd) => void;
}

const MAIN = new URL("../../dist/node/node-main.js", import.meta.url);
/** A node that tells nothing for so long is one of which nothing is known: it tells each 100 ms. */
const VIEW_AGE_MS_MAX = 500;

export class NodeProcess {
  readonly settings: NodeSettings;
  readonly #process: ServingProcess<NodeCalls, NodeWord>;
  readonly #surroundings: NodeSurroundings;
  #view: { readonly view: NodeView; readonly atMs: number } | undefined;

  /** Nothing runs yet. */
  constructor(settings: NodeSettings, surroundings: NodeSurroundings) {
    this.settings = settings;
    this.#surroundings = surroundings;
    this.#process = new ServingProcess({
      name: `node ${settings.nodeId}`,
      main: MAIN,
      args: [JSON.stringify(settings)],
      command: surroundings.command,
      onWord: (word) => {
        this.#onWord(word);
      },
      onEnd: surroundings.onEnd,
    });
  }

  get nodeId(): number {
    return this.settings.nodeId;
  }

  /** Its replica was opened, and it has not ended. */
  get isServing(): boolean {
    return this.#process.isServing;
  }

  /** `undefined` while it runs. */
  get end(): ServingEnd | undefined {
    return this.#process.end;
  }

  /** As it was a moment ago; `undefined` if nothing is known: it is down, or stands still. */
  get view(): NodeView | undefined {
    if (!this.isServing || this.#view === undefined) return undefined;
    return performance.now() - this.#view.atMs > VIEW_AGE_MS_MAX ? undefined : this.#view.view;
  }

  /** @returns once it serves. @throws Error if it ends before, or takes too long. */
  start(): Promise<void> {
    return this.#process.start();
  }

  /** @throws ProcessCallError, PatienceError */
  call<Name extends keyof NodeCalls>(
    name: Name,
    input: NodeCalls[Name][0],
  ): Promise<NodeCalls[Name][1]> {
    return this.#process.call(name, input);
  }

  /** `kill -9`. @returns once it is gone, and has told its last. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** @returns once it has ended, however. @throws PatienceError */
  ended(timeoutMs: number): Promise<ServingEnd> {
    return this.#process.ended(timeoutMs);
  }

  /** It stands still, or goes on. */
  pause(isPaused: boolean): void {
    this.#process.pause(isPaused);
  }

  /** How it is, and the last that it has said. */
  describe(): string {
    return this.#process.describe();
  }

  #onWord(word: NodeWord): void {
    const atMs = performance.now();
    if (word.type === "view") this.#view = { view: word.view, atMs };
    else {
      const { name, detail } = word;
      this.#surroundings.onEvent({ nodeId: this.nodeId, name, detail, atMs });
    }
  }
}
