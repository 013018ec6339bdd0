/** The harness's end of one node: its process, from its start to its end. */

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type {
  CallMessage,
  ErrorReport,
  NodeCalls,
  NodeMessage,
  NodeSettings,
} from "./node-protocol.ts";
import { until, within } from "./patience.ts";

/** Built code, also when a test runs the sources. */
const MAIN = fileURLToPath(new URL("../dist/node-main.js", import.meta.url));
const OPEN_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 20_000;
/** Beyond what the call itself was given. */
const CALL_SLACK_MS = 2_000;
/** Of calls that say nothing about time. */
const CALL_TIMEOUT_MS = 30_000;
const OUTPUT_LENGTH_MAX = 20_000;

/** An error of a call, as the node told it. */
export class CallError extends Error {
  override readonly name = "CallError";
  readonly report: ErrorReport;

  constructor(report: ErrorReport) {
    super(`${report.name} ${report.code ?? ""}: ${report.message}`);
    this.report = report;
  }
}

/** The process ended before it answered: what became of the call is not known. */
export class NodeEnded extends Error {
  override readonly name = "NodeEnded";
}

/** How a process has ended. */
export interface NodeEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said of its failure. */
  readonly fatal: Extract<NodeMessage, { type: "fatal" }> | undefined;
}

export interface NodeEvent {
  readonly nodeId: number;
  readonly name: string;
  readonly detail: string;
  readonly at: number;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const running = new Set<ChildProcess>();

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class NodeProcess {
  readonly settings: NodeSettings;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<NodeEnd>;
  #nextId = 1;
  #isReady = false;
  #end: NodeEnd | undefined;
  #fatal: NodeEnd["fatal"];
  #output = "";

  constructor(settings: NodeSettings, onEvent: (event: NodeEvent) => void) {
    this.settings = settings;
    this.#child = fork(MAIN, [JSON.stringify(settings)], {
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      execArgv: [],
    });
    const child = this.#child;
    running.add(child);
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_LENGTH_MAX);
      });
    child.on("message", (message) => {
      this.#onMessage(message as NodeMessage, onEvent);
    });
    child.on("error", () => undefined);
    this.#ended = new Promise((resolve) => {
      child.once("close", (exitCode, signal) => {
        running.delete(child);
        this.#end = { exitCode, signal, fatal: this.#fatal };
        const error = new NodeEnded(`node ${settings.nodeId} ended: ${this.describeEnd()}`);
        for (const { reject } of this.#pending.values()) reject(error);
        this.#pending.clear();
        resolve(this.#end);
      });
    });
  }

  get nodeId(): number {
    return this.settings.nodeId;
  }

  /** Its replica was opened, and it has not ended. */
  get isServing(): boolean {
    return this.#isReady && this.#end === undefined;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** What it has printed: nothing, if all is well. */
  get output(): string {
    return this.#output;
  }

  /** @throws Error if it ends before it serves, or takes too long. */
  async ready(): Promise<void> {
    await until(`node ${this.nodeId} opens`, OPEN_TIMEOUT_MS, () => {
      if (this.#end !== undefined)
        throw new NodeEnded(`node ${this.nodeId} did not open: ${this.describeEnd()}`);
      return this.#isReady ? true : undefined;
    });
  }

  async call<Name extends keyof NodeCalls>(
    name: Name,
    input: NodeCalls[Name][0],
  ): Promise<NodeCalls[Name][1]> {
    if (this.#end !== undefined || !this.#child.connected)
      throw new CallError(notRunning(this.nodeId));
    const id = this.#nextId;
    this.#nextId += 1;
    const message: CallMessage = { id, name, input };
    const reply = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
    // A failure to send is followed by the end of the process, which settles the call.
    this.#child.send(message, () => undefined);
    const timeoutMs = (input as { readonly timeoutMs?: number } | undefined)?.timeoutMs;
    const what = `node ${this.nodeId} answers ${name}`;
    return (await within(
      what,
      (timeoutMs ?? CALL_TIMEOUT_MS) + CALL_SLACK_MS,
      reply,
    )) as NodeCalls[Name][1];
  }

  /** As a power loss of the process: nothing it has in mind happens. */
  kill(): Promise<NodeEnd> {
    this.#child.kill("SIGKILL");
    return this.ended();
  }

  /** Closes its replica, and waits for the process to end. */
  async close(handOver = true): Promise<NodeEnd> {
    await this.call("close", { handOver });
    return this.ended();
  }

  /** Lets the process stand still, or go on. */
  pause(isPaused: boolean): void {
    this.#child.kill(isPaused ? "SIGSTOP" : "SIGCONT");
  }

  ended(timeoutMs: number = END_TIMEOUT_MS): Promise<NodeEnd> {
    return within(`node ${this.nodeId} ends`, timeoutMs, this.#ended);
  }

  describeEnd(): string {
    if (this.#end === undefined) return "it runs";
    const { exitCode, signal, fatal } = this.#end;
    const words = fatal === undefined ? "" : `, ${fatal.during}: ${describe(fatal.error)}`;
    const output = this.#output === "" ? "" : `\n${this.#output}`;
    return `${signal ?? `exit code ${exitCode}`}${words}${output}`;
  }

  #onMessage(message: NodeMessage, onEvent: (event: NodeEvent) => void): void {
    switch (message.type) {
      case "ready":
        this.#isReady = true;
        return;
      case "fatal":
        this.#fatal = message;
        return;
      case "event": {
        const { name, detail } = message;
        onEvent({ nodeId: this.nodeId, name, detail, at: performance.now() });
        return;
      }
      case "result":
        this.#pending.get(message.id)?.resolve(message.value);
        this.#pending.delete(message.id);
        return;
      case "error":
        this.#pending.get(message.id)?.reject(new CallError(message.error));
        this.#pending.delete(message.id);
    }
  }
}

/** An error with all that is behind it. */
export function describe(error: ErrorReport): string {
  const cause = error.cause === undefined ? "" : ` <- ${describe(error.cause)}`;
  return `${error.name} ${error.code ?? ""} ${error.message}${cause}`;
}

function notRunning(nodeId: number): ErrorReport {
  return {
    name: "NotRunning",
    message: `node ${nodeId} does not run`,
    code: "NOT_RUNNING",
    outcome: "not-applied",
    leaderId: undefined,
    retryAfterMs: undefined,
    file: undefined,
    offset: undefined,
    cause: undefined,
  };
}
