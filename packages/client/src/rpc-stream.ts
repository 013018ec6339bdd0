/** A stream to one node that requests go through, and their answers come back. */

import { type Method, OperationError, type RpcChannel } from "@quorumlog/protocol";
import { streamFailure } from "./stream-failure.ts";
import { Bell } from "./waiting.ts";

export interface RpcStreamListener<Answer> {
  readonly onAnswer: (answer: Answer) => void;
  /** Once, and not by `cancel`: of whatever was not answered, nothing is known. */
  readonly onBroken: (error: OperationError) => void;
  readonly onDrain?: () => void;
}

export class RpcStream<Request, Answer> {
  readonly address: string;
  readonly #call: ReturnType<RpcChannel["duplex"]>;
  readonly #end = new Bell();
  #isOver = false;
  #hasEnded = false;
  #isBlocked = false;

  constructor(
    channel: RpcChannel,
    method: Method<Request, unknown, never, Answer>,
    listener: RpcStreamListener<Answer>,
  ) {
    this.address = channel.address;
    const call = channel.duplex(method);
    this.#call = call as never;
    const onEnd = (error: OperationError): void => {
      this.#hasEnded = true;
      this.#end.ring();
      if (this.#isOver) return;
      this.#isOver = true;
      listener.onBroken(error);
    };
    call.on("data", (answer) => {
      if (!this.#isOver) listener.onAnswer(answer);
    });
    // Stays for as long as the stream may say something, also after it was cancelled.
    call.on("error", (error: Error) => {
      onEnd(streamFailure(error));
    });
    call.on("end", () => {
      // A status that comes behind the end says more than the end.
      setImmediate(() => {
        onEnd(new OperationError("UNAVAILABLE", `${this.address} has ended the stream`));
      });
    });
    call.on("drain", () => {
      this.#isBlocked = false;
      if (!this.#isOver) listener.onDrain?.();
    });
  }

  /** It has not sent what it was given; `onDrain` says when it has. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  send(request: Request): void {
    if (!this.#isOver && !this.#call.write(request)) this.#isBlocked = true;
  }

  /** Nothing more is sent; answers may still come. */
  end(): void {
    if (!this.#isOver) this.#call.end();
  }

  /** @returns once the other side has ended it, or the time is over. */
  async ended(timeoutMs: number): Promise<void> {
    if (!this.#hasEnded) await this.#end.wait(timeoutMs);
  }

  /** Says nothing more. Idempotent. */
  cancel(): void {
    this.#isOver = true;
    this.#call.cancel();
  }
}
