/** The stream to one broker that containers go through, and their answers come back. */

import { BROKER_SERVICE, OperationError, type RpcChannel } from "@quorumlog/protocol";
import { streamFailure } from "./stream-failure.ts";
import type { PublishReply, PublishRequest } from "@quorumlog/protocol/messages";

export interface PublishListener {
  readonly onReply: (reply: PublishReply) => void;
  /** Once, and not by `cancel`: whatever was not answered is uncertain. */
  readonly onBroken: (error: OperationError) => void;
  readonly onDrain: () => void;
}

export class PublishStream {
  readonly address: string;
  readonly #call: ReturnType<RpcChannel["duplex"]>;
  #isOver = false;
  #isBlocked = false;

  constructor(channel: RpcChannel, listener: PublishListener) {
    this.address = channel.address;
    const call = channel.duplex(BROKER_SERVICE.publish);
    this.#call = call as never;
    const onEnd = (error: OperationError): void => {
      if (this.#isOver) return;
      this.#isOver = true;
      listener.onBroken(error);
    };
    call.on("data", (reply) => {
      if (!this.#isOver) listener.onReply(reply);
    });
    // Stays for as long as the stream may say something, also after it was cancelled.
    call.on("error", (error: Error) => {
      onEnd(streamFailure(error));
    });
    call.on("end", () => {
      onEnd(new OperationError("UNAVAILABLE", `${this.address} has ended the stream`));
    });
    call.on("drain", () => {
      this.#isBlocked = false;
      if (!this.#isOver) listener.onDrain();
    });
  }

  /** It has not sent what it was given; `onDrain` says when it has. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  send(request: PublishRequest.$Properties): void {
    if (!this.#call.write(request)) this.#isBlocked = true;
  }

  /** Says nothing more. Idempotent. */
  cancel(): void {
    this.#isOver = true;
    this.#call.cancel();
  }
}
