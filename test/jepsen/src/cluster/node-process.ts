/** The harness's end of one node: its process, from a start to an end, and what it says. */

import { OwnedProcess, type ProcessEnd } from "@quorumlog/e2e/testing";
import { within } from "@quorumlog/integration/testing";
import { required } from "@quorumlog/std";
import type {
  CallMessage,
  ErrorReport,
  NodeCalls,
  NodeMessage,
  NodeSettings,
  NodeView,
} from "../node/node-protocol.ts";

/** An error of a call, as the node told it; or `NOT_RUNNING`, or `ENDED`. */
export class NodeCallError extends Error {
  override readonly name = "NodeCallError";
  readonly code: string | undefined;

  constructor(nodeId: number, { name, code, message }: Omit<ErrorReport, "isBrokenInvariant">) {
    super(`node ${nodeId}: ${name}${code === undefined ? "" : ` ${code}`}: ${message}`);
    this.code = code;
  }
}

/** What a node has told of its replica. */
export interface NodeEvent {
  readonly nodeId: number;
  readonly name: string;
  /** JSON. */
  readonly detail: string;
  /** By `performance.now()`. */
  readonly atMs: number;
}

/** How a process has ended. */
export interface NodeEnd extends ProcessEnd {
  /** What it said of its failure, if it was one of its own. */
  readonly fatal: Extract<NodeMessage, { type: "fatal" }> | undefined;
}

interface Listeners {
  readonly onEvent: (event: NodeEvent) => void;
  readonly onEnd: (end: NodeEnd) => void;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const MAIN = new URL("../../dist/node/node-main.js", import.meta.url);
const CALL_TIMEOUT_MS = 30_000;
/** Beyond what the call itself was given. */
const CALL_SLACK_MS = 2_000;
/** A node that tells nothing for so long is one of which nothing is known: it tells each 100 ms. */
const VIEW_AGE_MS_MAX = 500;

export class NodeProcess {
  readonly settings: NodeSettings;
  readonly #process: OwnedProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners: Listeners;
  #nextId = 1;
  #view: { readonly view: NodeView; readonly atMs: number } | undefined;
  #fatal: NodeEnd["fatal"];
  #isReady = false;
  #end: NodeEnd | undefined;
  readonly #ended: Promise<void>;
  #resolveEnded = (): void => undefined;

  /** Nothing runs yet. */
  constructor(settings: NodeSettings, listeners: Listeners) {
    this.settings = settings;
    this.#listeners = listeners;
    this.#ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#process = new OwnedProcess({
      name: `node ${settings.nodeId}`,
      main: MAIN,
      args: [JSON.stringify(settings)],
      isReady: (message) => {
        this.#onMessage(message as NodeMessage);
        return this.#isReady;
      },
      onMessage: (message) => {
        this.#onMessage(message as NodeMessage);
      },
      onEnd: (end) => {
        this.#onEnd(end);
      },
    });
  }

  get nodeId(): number {
    return this.settings.nodeId;
  }

  /** Its replica was opened, and it has not ended. */
  get isServing(): boolean {
    return this.#isReady && this.#end === undefined;
  }

  /** `undefined` while it runs. */
  get end(): NodeEnd | undefined {
    return this.#end;
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

  /** @throws NodeCallError, PatienceError */
  async call<Name extends keyof NodeCalls>(
    name: Name,
    input: NodeCalls[Name][0],
  ): Promise<NodeCalls[Name][1]> {
    if (!this.isServing) throw this.#notThere("NOT_RUNNING", "it does not run");
    const id = this.#nextId;
    this.#nextId += 1;
    const message: CallMessage = { id, name, input };
    const reply = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
    this.#process.tell({ ...message });
    const { timeoutMs = CALL_TIMEOUT_MS } = (input ?? {}) as { readonly timeoutMs?: number };
    const what = `node ${this.nodeId} answers ${name}`;
    try {
      return (await within(what, timeoutMs + CALL_SLACK_MS, reply)) as NodeCalls[Name][1];
    } finally {
      this.#pending.delete(id);
    }
  }

  /** `kill -9`. @returns once it is gone, and has told its last. */
  async kill(): Promise<void> {
    if (this.#process.isRunning) await this.#process.kill();
    await this.#ended;
  }

  /** @returns once it has ended, however. @throws PatienceError */
  async ended(timeoutMs: number): Promise<NodeEnd> {
    await within(`node ${this.nodeId} ends`, timeoutMs, this.#ended);
    return required(this.#end, "it has ended");
  }

  /** It stands still, or goes on. */
  pause(isPaused: boolean): void {
    if (isPaused) this.#process.pause();
    else this.#process.resume();
  }

  /** How it is, and the last that it has said. */
  describe(): string {
    const { fatal } = this.#end ?? {};
    const words = fatal === undefined ? "" : `\n    ${fatal.during}: ${fatal.error.message}`;
    return `${this.#process.describe()}${words}`;
  }

  #onMessage(message: NodeMessage): void {
    switch (message.type) {
      case "ready":
        this.#isReady = true;
        return;
      case "view":
        this.#view = { view: message.view, atMs: performance.now() };
        return;
      case "fatal":
        this.#fatal = message;
        return;
      case "event": {
        const { name, detail } = message;
        this.#listeners.onEvent({ nodeId: this.nodeId, name, detail, atMs: performance.now() });
        return;
      }
      case "result":
        this.#pending.get(message.id)?.resolve(message.value);
        return;
      case "error":
        this.#pending.get(message.id)?.reject(new NodeCallError(this.nodeId, message.error));
    }
  }

  #onEnd(end: ProcessEnd): void {
    this.#end = { ...end, fatal: this.#fatal };
    const error = this.#notThere("ENDED", `it has ended by ${end.signal ?? end.exitCode}`);
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#listeners.onEnd(this.#end);
    this.#resolveEnded();
  }

  #notThere(code: string, message: string): NodeCallError {
    return new NodeCallError(this.nodeId, { name: "NotThere", code, message });
  }
}
