/**
 * A client that consumes as a member of a group: a poll takes what was handed out, and it is
 * finished once that is recorded, so that whatever is committed was seen. In the end it consumes
 * until the group has nothing left.
 */

import type { ConsumedMessage, PushConsumerOptions } from "@quorumlog/client";
import type { Value } from "../history/history-event.ts";
import { openPatiently } from "./broker-access.ts";
import type { GroupLag } from "./group-lag.ts";
import { GroupMember, type Letter } from "./group-member.ts";
import type { Attempt, ClientContext, LogicalClient } from "./workload.ts";

interface ConsumingClientInit {
  readonly member: GroupMember;
  readonly lag: GroupLag;
  /** @returns what is recorded of a message. */
  readonly toValue: (message: ConsumedMessage) => Value;
}

/** Of what, and how, it consumes. */
export interface ConsumerInit
  extends
    Omit<ConsumingClientInit, "member">,
    Pick<PushConsumerOptions, "consumerGroup" | "order"> {
  readonly topic: string;
}

const COMMIT_MS = 1_000;
const MESSAGES_MAX = 50;
const WAIT_MS = 500;

export class ConsumingClient implements LogicalClient {
  readonly #init: ConsumingClientInit;

  private constructor(init: ConsumingClientInit) {
    this.#init = init;
  }

  /** @returns once it is a member. @throws OperationError as `openPatiently` does */
  static async open(
    { target: { nameServers }, signal }: ClientContext,
    { topic, lag, toValue, ...options }: ConsumerInit,
  ): Promise<ConsumingClient> {
    const open = (): Promise<GroupMember> =>
      GroupMember.open({
        nameServers,
        subscriptions: { [topic]: "*" },
        commitIntervalMs: COMMIT_MS,
        ...options,
      });
    return new ConsumingClient({ member: await openPatiently(open, signal), lag, toValue });
  }

  next(): Attempt {
    const { member, toValue } = this.#init;
    let letters: Letter[] = [];
    return {
      action: "consume",
      value: null,
      isRead: true,
      run: async () => {
        letters = await member.take(MESSAGES_MAX, WAIT_MS);
        return letters.map(({ message }) => toValue(message));
      },
      onRecorded: () => {
        for (const letter of letters) letter.finish();
      },
    };
  }

  async last(): Promise<Attempt | undefined> {
    return (await this.#init.lag.isZero()) ? undefined : this.next();
  }
}
