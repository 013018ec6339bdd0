/**
 * A broker's node that tells of itself, for as long as its stream lives. The first message is
 * whole; all are of the same node.
 */

import { endWith, OperationError, type ServerDuplexStream } from "@quorumlog/protocol";
import type {
  Registration as RegistrationMessage,
  RegistrationReply,
} from "@quorumlog/protocol/messages";
import type { Registration } from "./cluster.ts";
import { checkedRegistration, type MessageLimits } from "./message-check.ts";
import { NewestWriter } from "./newest-writer.ts";

export type RegisterCall = ServerDuplexStream<RegistrationMessage, RegistrationReply.$Properties>;

/** Where what it says goes. */
export interface Registrar {
  /**
   * @returns the version of the metadata that is known now
   * @throws OperationError, which ends the stream
   */
  take(registration: Registration, stream: RegistrarStream): number;
  /** Once, however it ended; nothing comes after it. */
  onEnd(stream: RegistrarStream, error: OperationError | undefined): void;
  /** Somebody's bug. */
  onDefect(error: unknown): void;
}

export class RegistrarStream {
  readonly peer: string;
  readonly #call: RegisterCall;
  readonly #limits: MessageLimits;
  readonly #registrar: Registrar;
  readonly #replies: NewestWriter<number, RegistrationReply.$Properties>;
  #first: Registration | undefined;
  #isOver = false;

  constructor(call: RegisterCall, limits: MessageLimits, registrar: Registrar) {
    this.peer = call.getPeer();
    this.#call = call;
    this.#limits = limits;
    this.#registrar = registrar;
    this.#replies = new NewestWriter(call, (metadataVersion) => ({ metadataVersion }));
    call.on("data", (message: RegistrationMessage) => {
      this.#onMessage(message);
    });
    for (const event of ["end", "cancelled", "error", "close"])
      call.on(event, () => {
        this.#onEnd();
        if (!call.writableEnded) call.end();
      });
  }

  /** Who it is, once it has said so. */
  get node(): { readonly clusterId: string; readonly nodeId: number } | undefined {
    return this.#first;
  }

  end(error: OperationError): void {
    if (this.#isOver) return;
    this.#onEnd(error);
    endWith(this.#call, error);
  }

  #onMessage(message: RegistrationMessage): void {
    if (this.#isOver) return;
    try {
      const registration = checkedRegistration(message, this.#limits);
      this.#checkAgainstFirst(registration);
      this.#replies.write(this.#registrar.take(registration, this));
      this.#first ??= registration;
    } catch (error) {
      if (error instanceof OperationError) {
        this.end(error);
        return;
      }
      this.end(new OperationError("FAILED", "a defect ended the stream", { cause: error }));
      this.#registrar.onDefect(error);
    }
  }

  #checkAgainstFirst(registration: Registration): void {
    const first = this.#first;
    if (first === undefined) {
      if (registration.group === undefined)
        throw refusal("group", "the first registration of a stream is whole");
      return;
    }
    if (registration.clusterId !== first.clusterId)
      throw refusal("cluster_id", `this stream is of cluster ${first.clusterId}`);
    if (registration.nodeId !== first.nodeId)
      throw refusal("node_id", `this stream is of node ${first.nodeId}`);
  }

  #onEnd(error?: OperationError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#registrar.onEnd(this, error);
  }
}

function refusal(field: string, problem: string): OperationError {
  const problems = [{ field, problem }];
  return new OperationError("INVALID_ARGUMENT", `${field}: ${problem}`, { problems });
}
