/** A member of the consumer group `readers`, as a stream to its coordinator. */

import { COORDINATOR_SERVICE, type RpcChannel } from "@quorumlog/protocol";
import {
  AssignmentStrategy,
  ConsumeMode,
  type CoordinatorMessage,
  type JoinRequest,
  type MemberMessage,
} from "@quorumlog/protocol/messages";
import { onTestFinished } from "vitest";

export class Member {
  readonly told: CoordinatorMessage[] = [];
  readonly failures: Error[] = [];
  readonly #call: { write(message: MemberMessage.$Properties): unknown; cancel(): void };
  readonly #wakes: (() => void)[] = [];

  constructor(channel: RpcChannel, memberId: string, request: JoinRequest.$Properties = {}) {
    const call = channel.duplex(COORDINATOR_SERVICE.join);
    this.#call = call;
    const wake = (): void => {
      for (const each of this.#wakes.splice(0)) each();
    };
    call.on("data", (message: CoordinatorMessage) => {
      this.told.push(message);
      wake();
    });
    call.on("error", (error) => {
      this.failures.push(error);
      wake();
    });
    onTestFinished(() => {
      call.cancel();
    });
    call.write({
      join: {
        group: "readers",
        memberId,
        mode: ConsumeMode.CONSUME_MODE_CLUSTERING,
        strategy: AssignmentStrategy.ASSIGNMENT_STRATEGY_STICKY,
        subscriptions: [{ topic: "orders", tagExpression: "*" }],
        ...request,
      },
    });
  }

  adopt(): void {
    this.#call.write({ adoptedEpoch: this.told.at(-1)?.epoch ?? 0 });
  }

  /** As a process that dies. */
  vanish(): void {
    this.#call.cancel();
  }

  leave(): void {
    this.#call.write({ adoptedEpoch: 0, isLeaving: true });
  }

  queues(): number[] {
    return (this.told.at(-1)?.queues ?? []).map(({ queue }) => queue ?? 0);
  }

  async until(isSo: (member: Member) => boolean): Promise<void> {
    while (!isSo(this)) await new Promise<void>((resolve) => this.#wakes.push(resolve));
  }
}
