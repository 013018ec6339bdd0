/**
 * A client that consumes as a member of a group: a poll takes what was handed out, and it is
 * finished once that is recorded, so that whatever is committed was seen. In the end it consumes
 * until the group has nothing left.
 */

import type { ConsumedMessage } from "@quorumlog/client";
import type { Value } from "../history/history-event.ts";
import type { GroupLag } from "./group-lag.ts";
import type { GroupMember, Letter } from "./group-member.ts";
import type { Attempt, LogicalClient } from "./workload.ts";

export interface ConsumingClientInit {
  readonly member: GroupMember;
  readonly lag: GroupLag;
  /** @returns what is recorded of a message. */
  readonly toValue: (message: ConsumedMessage) => Value;
}

const MESSAGES_MAX = 50;
const WAIT_MS = 500;

export class ConsumingClient implements LogicalClient {
  readonly #init: ConsumingClientInit;

  constructor(init: ConsumingClientInit) {
    this.#init = init;
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
