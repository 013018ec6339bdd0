/** A process of the test's own that serves calls: one life of it, from its start to its end. */

import { required } from "@quorumlog/std";
import { PatienceError, within } from "../patience.ts";
import { describeReport, type ErrorReport } from "./error-report.ts";
import { OwnedProcess, type OwnedProcessInit, type ProcessEnd } from "./owned-process.ts";
import type { CallMessage, CallTable, FatalWord, ServingWord } from "./serving-protocol.ts";

export interface ServingProcessInit<Word> extends Omit<
  OwnedProcessInit,
  "isReady" | "onEnd" | "onMessage"
> {
  /** What it tells beside its answers. */
  readonly onWord: (word: Word) => void;
  /** It has ended, and everything that it said was told. */
  readonly onEnd?: (end: ServingEnd) => void;
}

/** How it has ended. */
export interface ServingEnd extends ProcessEnd {
  /** What it said of its failure, if it was one of its own. */
  readonly fatal: FatalWord | undefined;
}

/** An error of a call, as the process told it; or `NOT_RUNNING`, not applied; or `ENDED`. */
export class ProcessCallError extends Error {
  override readonly name = "ProcessCallError";
  readonly report: ErrorReport;

  /** @param asked - Who was called. */
  constructor(asked: string, report: ErrorReport, options?: ErrorOptions) {
    super(`${asked}: ${describeReport(report)}`, options);
    this.report = report;
  }

  get code(): string | undefined {
    return this.report.code;
  }
}

/** What a call fails with: it was refused, whoever was asked is gone, or it took too long. */
export function isFailedCall(error: unknown): error is ProcessCallError | PatienceError {
  return error instanceof ProcessCallError || error instanceof PatienceError;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Of calls that say nothing about time. */
const CALL_TIMEOUT_MS = 30_000;
/** Beyond what the call itself was given. */
const CALL_SLACK_MS = 2_000;

export class ServingProcess<Calls extends CallTable<Calls>, Word> {
  readonly #process: OwnedProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #init: ServingProcessInit<Word>;
  #nextId = 1;
  #isReady = false;
  #fatal: FatalWord | undefined;
  #end: ServingEnd | undefined;

  /** Nothing runs yet. */
  constructor(init: ServingProcessInit<Word>) {
    this.#init = init;
    this.#process = new OwnedProcess({
      ...init,
      onMessage: (message) => {
        this.#onMessage(message as ServingWord | Word);
      },
      isReady: () => this.#isReady,
      onEnd: (end) => {
        this.#onEnd(end);
      },
    });
  }

  /** It was ready, and has not ended. */
  get isServing(): boolean {
    return this.#isReady && this.#end === undefined;
  }

  /** `undefined` before. */
  get end(): ServingEnd | undefined {
    return this.#end;
  }

  /** The last that it has printed. */
  get lines(): readonly string[] {
    return this.#process.lines;
  }

  /** @returns once it serves. @throws Error if it ends before, or takes too long. */
  start(): Promise<void> {
    return this.#process.start();
  }

  /** @throws ProcessCallError, PatienceError: see {@link isFailedCall} */
  async call<Name extends keyof Calls & string>(
    name: Name,
    input: Calls[Name][0],
  ): Promise<Calls[Name][1]> {
    if (!this.isServing) throw this.#notThere("NOT_RUNNING", "it does not run");
    const id = this.#nextId;
    this.#nextId += 1;
    const message: CallMessage<Calls> = { id, name, input };
    const reply = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
    // A failure to send is followed by the end of the process, which settles the call.
    this.#process.tell(message);
    const { timeoutMs = CALL_TIMEOUT_MS } = (input ?? {}) as { readonly timeoutMs?: number };
    const what = `${this.#process.name} answers ${name}`;
    try {
      return (await within(what, timeoutMs + CALL_SLACK_MS, reply)) as Calls[Name][1];
    } finally {
      this.#pending.delete(id);
    }
  }

  /** `kill -9`: nothing that it has in mind happens. @returns once it has ended. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** @returns once it has ended, however. @throws PatienceError */
  async ended(timeoutMs: number): Promise<ServingEnd> {
    await this.#process.ended(timeoutMs);
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
    const words =
      fatal === undefined ? "" : `\n    ${fatal.during}: ${describeReport(fatal.error)}`;
    return `${this.#process.describe()}${words}`;
  }

  #onMessage(message: ServingWord | Word): void {
    const word = message as ServingWord;
    switch (word.type) {
      case "ready":
        this.#isReady = true;
        return;
      case "fatal":
        this.#fatal = word;
        return;
      case "result":
        this.#pending.get(word.id)?.resolve(word.value);
        return;
      case "error":
        this.#pending.get(word.id)?.reject(new ProcessCallError(this.#process.name, word.error));
        return;
      default:
        this.#init.onWord(message as Word);
    }
  }

  #onEnd(end: ProcessEnd): void {
    this.#end = { ...end, fatal: this.#fatal };
    const error = this.#notThere("ENDED", `it has ended by ${end.signal ?? end.exitCode}`);
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#init.onEnd?.(this.#end);
  }

  #notThere(code: "NOT_RUNNING" | "ENDED", message: string): ProcessCallError {
    const outcome = code === "ENDED" ? "unknown" : "not-applied";
    return new ProcessCallError(this.#process.name, { name: "NotThere", code, outcome, message });
  }
}
