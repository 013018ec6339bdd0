/** Coordinates consumer groups, in memory: queues in turn, to the members that are there. */

import { COORDINATOR_SERVICE, endWith, OperationError, type RpcServer } from "@quorumlog/protocol";
import type {
  AssignedQueue,
  CoordinatorMessage,
  MemberMessage,
} from "@quorumlog/protocol/messages";
import { ConsumeMode } from "@quorumlog/protocol/messages";

/** What members use; for the rest there is a real cluster. */
const JOIN_SERVICE = { join: COORDINATOR_SERVICE.join };

interface Member {
  readonly memberId: string;
  readonly topics: readonly string[];
  readonly isBroadcasting: boolean;
  readonly call: { write(message: CoordinatorMessage.$Properties): unknown };
}

export class SmallCoordinator {
  /** By topic. */
  queues: ReadonlyMap<string, readonly AssignedQueue.$Properties[]> = new Map();
  readonly #members = new Map<string, Member>();
  #epoch = 0;

  serve(server: RpcServer, refusal: () => OperationError | undefined): void {
    server.handle(JOIN_SERVICE, {
      join: {
        duplex: (call) => {
          let memberId: string | undefined;
          call.on("data", ({ join, isLeaving }: MemberMessage) => {
            const error = refusal();
            if (error !== undefined) {
              endWith(call, error);
              return;
            }
            if (join) {
              const topics = (join.subscriptions ?? []).map(({ topic }) => topic ?? "");
              const mode = join.mode ?? 0;
              const [other] = [...this.#members.values()];
              if (other !== undefined && other.topics.join("+") !== topics.join("+")) {
                const why = `the group subscribes to ${other.topics.join("+")}`;
                endWith(call, new OperationError("SUBSCRIPTION_MISMATCH", why));
                return;
              }
              memberId = join.memberId ?? "";
              const isBroadcasting = mode === ConsumeMode.CONSUME_MODE_BROADCASTING;
              this.#members.set(memberId, { memberId, topics, isBroadcasting, call });
              this.#assign();
            }
            if (isLeaving && memberId !== undefined) this.forget(memberId);
          });
          call.on("end", () => call.end());
          call.on("error", () => undefined);
        },
      },
    });
  }

  forget(memberId: string): void {
    if (this.#members.delete(memberId)) this.#assign();
  }

  #assign(): void {
    this.#epoch += 1;
    const members = [...this.#members.values()];
    for (const [i, { topics, isBroadcasting, call }] of members.entries()) {
      const all = topics.flatMap((topic) => this.queues.get(topic) ?? []);
      const queues = isBroadcasting ? all : all.filter((_, n) => n % members.length === i);
      call.write({ epoch: this.#epoch, queues });
    }
  }
}
