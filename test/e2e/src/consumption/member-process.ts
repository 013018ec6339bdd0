/** A member of a consumer group that can be stopped, continued, killed, and asked to close. */

import type { QueueName } from "@quorumlog/client";
import { OwnedProcess, until } from "@quorumlog/integration/testing";
import type { HandedOut, MemberOptions, MemberWord } from "./member-words.ts";

/** Built code, also when a test runs the sources. */
const MAIN = new URL("../../dist/consumption/member-main.js", import.meta.url);
const PATIENCE_MS = 60_000;

export class MemberProcess {
  /** In the order in which they were handed out. */
  readonly handedOut: HandedOut[] = [];
  /** Names of events, with the error if there is one. */
  readonly events: string[] = [];
  /** What it has, since it was assigned something last; `undefined`: it never was. */
  queues: readonly QueueName[] | undefined;
  readonly #process: OwnedProcess;
  #isClosed = false;

  private constructor(options: MemberOptions) {
    this.#process = new OwnedProcess({
      name: `member ${options.instanceId}`,
      main: MAIN,
      args: [JSON.stringify(options)],
      onMessage: (word) => {
        this.#onWord(word as MemberWord);
      },
    });
  }

  /** @returns once it has joined. */
  static async start(options: MemberOptions): Promise<MemberProcess> {
    const member = new MemberProcess(options);
    await member.#process.start();
    return member;
  }

  get bodies(): string[] {
    return this.handedOut.map(({ body }) => body);
  }

  /** `SIGSTOP` */
  pause(): void {
    this.#process.pause();
  }

  resume(): void {
    this.#process.resume();
  }

  /** `kill -9`; idempotent. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** It commits, and leaves the group. */
  async close(): Promise<void> {
    this.#process.tell({ type: "close" });
    const what = `${this.#process.name} has left`;
    await until(what, PATIENCE_MS, () => this.#isClosed || undefined);
  }

  describe(): string {
    return this.#process.describe();
  }

  #onWord(word: MemberWord): void {
    switch (word.type) {
      case "message":
        this.handedOut.push(word);
        return;
      case "event":
        this.queues = word.queues ?? this.queues;
        this.events.push(word.error === undefined ? word.event : `${word.event}: ${word.error}`);
        return;
      case "closed":
        this.#isClosed = true;
        return;
      case "ready":
    }
  }
}
