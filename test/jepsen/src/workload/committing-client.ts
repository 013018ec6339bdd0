/**
 * A member of a consumer group that comes and goes: it commits each message that it is handed, and
 * knows it for committed only if nobody else has taken the queue over by then. That is no failure
 * to the consumer, and so not told by it.
 */

import { type Admin, OperationError } from "@quorumlog/client";
import type { Prng } from "@quorumlog/std";
import { openPatiently } from "./broker-access.ts";
import type { GroupMember, Letter } from "./group-member.ts";
import type { Attempt, LogicalClient } from "./workload.ts";

export interface CommittingInit {
  readonly open: () => Promise<GroupMember>;
  readonly admin: Admin;
  readonly group: string;
  readonly prng: Prng;
}

/** How long a member stays, and how long it is away: milliseconds. */
const STAY_MS = { min: 2_000, max: 15_000 };
const AWAY_MS = { min: 100, max: 1_500 };
const COMMIT_MS = 3_000;

export class CommittingClient implements LogicalClient {
  readonly #init: CommittingInit;
  #member: GroupMember | undefined;
  /** While it joins or leaves. */
  #moving: Promise<void> | undefined;
  #failure: unknown;
  /** When it joins, or leaves. */
  #movesAt = 0;

  constructor(init: CommittingInit) {
    this.#init = init;
  }

  next(): Attempt | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#moving !== undefined) return undefined;
    if (performance.now() >= this.#movesAt) {
      this.#move();
      return undefined;
    }
    const letter = this.#member?.takeOne();
    return letter === undefined ? undefined : this.#commit(letter);
  }

  last(): undefined {
    return undefined;
  }

  #move(): void {
    this.#moving = this.#joinOrLeave()
      .catch((error: unknown) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#moving = undefined;
      });
  }

  async #joinOrLeave(): Promise<void> {
    const { open, prng } = this.#init;
    const member = this.#member;
    if (member === undefined) {
      this.#member = await openPatiently(open, NEVER);
      this.#movesAt = performance.now() + prng.between(STAY_MS.min, STAY_MS.max);
    } else {
      this.#member = undefined;
      await member.close();
      this.#movesAt = performance.now() + prng.between(AWAY_MS.min, AWAY_MS.max);
    }
  }

  #commit(letter: Letter): Attempt {
    const { message } = letter;
    return {
      action: "commit",
      value: [message.queue, message.offset + 1],
      isRead: false,
      run: async () => {
        letter.finish();
        // The consumer hears of it within this turn.
        await new Promise((resolve) => setImmediate(resolve));
        // A commit that fails is not given up: the consumer has it in its next one, too.
        await this.#member?.commit(COMMIT_MS).catch(notKnown);
        await this.#demandOwn(letter);
        return [message.queue, message.offset + 1];
      },
    };
  }

  /** @throws OperationError if somebody else may have had the queue before it was committed */
  async #demandOwn({ message: { topic, queue }, context }: Letter): Promise<void> {
    const { admin, group } = this.#init;
    // Asked first: what is lost is not committed, and its token may still be the last one.
    const isLost = context.signal.aborted;
    const offsets = await admin.groupOffsets(group, { timeoutMs: COMMIT_MS }).catch(notKnown);
    const own = offsets.find((each) => each.topic === topic && each.queue === queue);
    if (!isLost && own?.fencingToken === context.fencingToken) return;
    throw new OperationError("STALE_FENCING_TOKEN", "the queue is another's", {
      outcome: "unknown",
    });
  }
}

const NEVER = new AbortController().signal;

/** Whatever came of it: what it was about is not known. */
function notKnown(error: unknown): never {
  if (!(error instanceof OperationError)) throw error;
  throw new OperationError(error.code, error.message, { outcome: "unknown", cause: error });
}
