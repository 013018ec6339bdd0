/**
 * Appends within a session of the log: what may have been stored is asked for again under its
 * number, at whoever leads by then, until that is known. So one operation is several attempts, and
 * is stored once.
 */

import type { ServiceClient } from "../client/service-client.ts";
import type { Fields } from "../client/service-connection.ts";
import { CallError } from "../service/call-error.ts";

/** How long an operation is repeated. */
const REPEAT_MS = 8_000;
const PAUSE_MS = 50;

export class SessionAppender {
  readonly #service: ServiceClient;
  readonly #signal: AbortSignal;
  #sessionId: number | undefined;
  #sequence = 1;

  constructor(service: ServiceClient, signal: AbortSignal) {
    this.#service = service;
    this.#signal = signal;
  }

  /**
   * @returns its offset. @throws CallError: not applied, unless an attempt's outcome was unknown
   */
  async append(fields: Fields): Promise<number> {
    const sessionId = await this.#open();
    const deadline = performance.now() + REPEAT_MS;
    let isUnknown = false;
    for (;;) {
      try {
        const append = { ...fields, sessionId, sequence: this.#sequence };
        const { offset } = await this.#service.askLeader("append", append);
        this.#sequence += 1;
        return offset as number;
      } catch (error) {
        if (!(error instanceof CallError)) throw error;
        // Of one that was never sent, or surely not stored, the number is free for the next one.
        if (error.outcome === "not-applied" && !isUnknown) throw error;
        isUnknown = true;
        if (error.code === "SESSION_EXPIRED" || performance.now() > deadline || this.#isOver())
          throw this.#giveUp(error);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** One that was opened and not answered is nobody's, and is forgotten in time. */
  async #open(): Promise<number> {
    if (this.#sessionId !== undefined) return this.#sessionId;
    try {
      const { sessionId } = await this.#service.askLeader("openSession", {});
      this.#sessionId = sessionId as number;
      this.#sequence = 1;
      return this.#sessionId;
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      const { code, message } = error;
      throw new CallError({ code, message, outcome: "not-applied", leaderId: null });
    }
  }

  /** Its number may be used, or not: another session begins with numbers that surely are not. */
  #giveUp({ code, message }: CallError): CallError {
    this.#sessionId = undefined;
    return new CallError({ code, message, outcome: "unknown", leaderId: null });
  }

  #isOver(): boolean {
    return this.#signal.aborted;
  }
}
