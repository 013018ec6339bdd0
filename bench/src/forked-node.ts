/** A process of a measurement: asked one thing at a time, and telling of others in between. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export class ForkedNode<Request extends object, Answer> {
  readonly #child: ChildProcess;
  #waiting: Waiting<Answer>[] = [];
  #end: Error | undefined;

  /**
   * @param file - Run with `config`, as JSON, for its only argument.
   * @param takeNews - Whether a message is none that was asked for.
   */
  constructor(file: URL, config: object, takeNews: (message: Answer) => boolean = () => false) {
    this.#child = fork(file, [JSON.stringify(config)]);
    this.#child.on("message", (message: Answer) => {
      if (!takeNews(message)) this.#waiting.shift()?.resolve(message);
    });
    this.#child.once("exit", (code, signal) => {
      this.#end = new Error(`a process of the measurement ended: ${code ?? signal}`);
      for (const { reject } of this.#waiting) reject(this.#end);
      this.#waiting = [];
    });
  }

  /** 0 of a process that could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** @throws if the process ends first. */
  ask(request: Request): Promise<Answer> {
    const answer = this.nextAnswer();
    if (this.#end === undefined) this.#child.send(request);
    return answer;
  }

  /** Of a process that was just started: it says that it is ready. */
  nextAnswer(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#end === undefined) this.#waiting.push({ resolve, reject });
      else reject(this.#end);
    });
  }

  /** Resolves once it has ended, and its ports are free. */
  async ended(): Promise<void> {
    if (this.#end === undefined) await once(this.#child, "exit");
  }

  signal(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(signal);
  }
}
