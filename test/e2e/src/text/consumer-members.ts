/** The members of the consumer group: processes that are started, killed and asked to end. */

import { OwnedProcess, until } from "@quorumlog/integration/testing";
import type { DeliveredRange } from "./delivery-audit.ts";
import type { MemberMessage, MemberSettings } from "./member-protocol.ts";

export interface ConsumerMembersInit {
  readonly settings: Omit<MemberSettings, "memberId">;
  readonly onRange: (range: DeliveredRange) => void;
  readonly onEvent: (memberId: string, text: string) => void;
  readonly onProblem: (problem: string) => void;
}

/** Built code, also when a test runs the sources. */
const MAIN = new URL("../../dist/text/member-main.js", import.meta.url);
const CLOSE_MS = 120_000;

export class ConsumerMembers {
  readonly #init: ConsumerMembersInit;
  readonly #members = new Map<string, OwnedProcess>();
  readonly #closed = new Set<string>();
  #count = 0;

  constructor(init: ConsumerMembersInit) {
    this.#init = init;
  }

  get memberIds(): readonly string[] {
    return [...this.#members.keys()];
  }

  /** One more, once it has joined. */
  async start(): Promise<void> {
    this.#count += 1;
    const memberId = `member-${this.#count}`;
    const settings: MemberSettings = { ...this.#init.settings, memberId };
    const member = new OwnedProcess({
      name: memberId,
      main: MAIN,
      args: [JSON.stringify(settings)],
      onMessage: (message) => {
        this.#onMessage(memberId, message as MemberMessage);
      },
    });
    this.#members.set(memberId, member);
    await member.start();
  }

  /** `kill -9` */
  async kill(memberId: string): Promise<void> {
    const member = this.#members.get(memberId);
    this.#members.delete(memberId);
    await member?.kill();
  }

  /** They commit, leave, and say the last of what they were handed. */
  async close(): Promise<void> {
    for (const member of this.#members.values()) member.tell({ type: "close" });
    await until("every member has left", CLOSE_MS, () => {
      for (const [memberId, member] of this.#members)
        if (!this.#closed.has(memberId) && !member.isRunning)
          throw new Error(`it ended before it had left:\n${member.describe()}`);
      return this.memberIds.every((memberId) => this.#closed.has(memberId)) ? true : undefined;
    });
  }

  /** Whatever still runs. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all([...this.#members.values()].map((member) => member.kill()));
    this.#members.clear();
  }

  #onMessage(memberId: string, message: MemberMessage): void {
    switch (message.type) {
      case "ranges":
        for (const range of message.ranges) this.#init.onRange(range);
        return;
      case "event":
        this.#init.onEvent(memberId, message.text);
        if (message.isProblem) this.#init.onProblem(`${memberId}: ${message.text}`);
        return;
      case "closed":
        this.#closed.add(memberId);
        return;
      case "ready":
    }
  }
}
