/** A member of a consumer group whose messages are taken by hand, and finished by hand. */

import {
  type ConsumedMessage,
  type MessageContext,
  PushConsumer,
  type PushConsumerEvent,
  type PushConsumerOptions,
} from "@quorumlog/client";

/** A message that was handed out, and is not finished. */
export interface Letter {
  readonly message: ConsumedMessage;
  readonly context: MessageContext;
  /** It is not to be handed out again. */
  finish(): void;
  /** It is somebody else's to take. */
  giveBack(): void;
}

export type MemberOptions = Pick<
  PushConsumerOptions,
  "nameServers" | "consumerGroup" | "subscriptions" | "order" | "commitIntervalMs"
>;

const SETTINGS = {
  /** As short as it may be: what a member had that was killed is given to others after it. */
  sessionTimeoutMs: 6_000,
  closeTimeoutMs: 2_000,
  concurrency: 100,
} as const;

export class GroupMember {
  readonly #consumer: PushConsumer;
  readonly #inbox: Inbox;

  private constructor(consumer: PushConsumer, inbox: Inbox) {
    this.#consumer = consumer;
    this.#inbox = inbox;
  }

  /** Joins the group. @throws OperationError */
  static async open(options: MemberOptions): Promise<GroupMember> {
    const inbox = new Inbox();
    const consumer = await PushConsumer.open({
      ...SETTINGS,
      ...options,
      listener: (message, context) => inbox.put(message, context),
      onEvent: (event) => {
        inbox.note(event);
      },
    });
    return new GroupMember(consumer, inbox);
  }

  /**
   * @returns what was handed out, in that order; nothing, if nothing comes in time.
   * @throws Error if the member can consume nothing more: that is a defect
   */
  take(countMax: number, timeoutMs: number): Promise<Letter[]> {
    return this.#inbox.take(countMax, timeoutMs);
  }

  /**
   * @returns the one that was handed out first, and is of a queue that this member still has.
   * @throws Error as `take`
   */
  takeOne(): Letter | undefined {
    for (;;) {
      const [letter] = this.#inbox.takeNow(1);
      if (letter?.context.signal.aborted !== true) return letter;
      letter.giveBack();
    }
  }

  /** Notes how far the group is. @throws OperationError */
  commit(timeoutMs: number): Promise<void> {
    return this.#consumer.commit({ timeoutMs });
  }

  /** Leaves the group; what is not finished is somebody else's. */
  async close(): Promise<void> {
    const closed = this.#consumer.close();
    for (const letter of this.#inbox.takeNow(Infinity)) letter.giveBack();
    await closed;
  }
}

class Inbox {
  readonly #letters: Letter[] = [];
  #onNews: () => void = () => undefined;
  #failure: Error | undefined;

  put(message: ConsumedMessage, context: MessageContext): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveBack = (): void => {
        reject(new Error("it was given back"));
      };
      this.#letters.push({ message, context, finish: resolve, giveBack });
      this.#onNews();
    });
  }

  async take(countMax: number, timeoutMs: number): Promise<Letter[]> {
    if (this.#letters.length === 0)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#onNews = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    return this.takeNow(countMax);
  }

  takeNow(countMax: number): Letter[] {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#letters.splice(0, countMax);
  }

  /** What no fault of a cluster explains ends the run. */
  note(event: PushConsumerEvent): void {
    const { type } = event;
    if (type !== "refused" && type !== "undecodable" && type !== "queue-problem") return;
    this.#failure = new Error(`a consumer was told ${type}`, { cause: event.error });
    this.#onNews();
  }
}
