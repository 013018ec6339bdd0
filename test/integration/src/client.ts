/**
 * A client of the log: appends one record after another, wherever the leader is, and notes down
 * what it was told.
 *
 * With a session it asks again until it knows; without one it gives up what is ambiguous.
 */

import type { Prng } from "@quorumlog/std";
import { drawRecordBytes, encodeClientRecord } from "./client-record.ts";
import type { Journal, JournalEntry } from "./journal.ts";
import type { NodeProcess } from "./node-process.ts";
import { sleep, within } from "./patience.ts";
import { ProcessCallError } from "./process/serving-process.ts";

export interface ClientInit {
  readonly client: number;
  readonly journal: Journal;
  readonly prng: Prng;
  readonly hasSession: boolean;
  /** Appends under way at a time. With a session one. */
  readonly width: number;
  readonly timeoutMs: number;
  /** Between two appends, in the mean. */
  readonly thinkMs: number;
  readonly recordBytes?: number;
  /** Those that can be asked. */
  readonly nodes: () => readonly NodeProcess[];
}

/** Nobody led, or nobody answered: not at once again. */
const RETRY_MS = 10;
/** A client that is told to stop knows how its last append ends after this at the latest. */
const STOP_TIMEOUT_MS = 60_000;

export class Client {
  readonly #init: ClientInit;
  readonly #done: Promise<void>;
  #isStopped = false;
  #target: number | undefined;
  #sessionId = 0;
  /** Answers by code, with how often they came. */
  readonly refusals: Map<string, number> = new Map();
  latencyMsMax: number = 0;

  constructor(init: ClientInit) {
    this.#init = init;
    const lanes = Array.from({ length: init.hasSession ? 1 : init.width }, () => this.#run());
    this.#done = Promise.all(lanes).then(() => undefined);
    // It is awaited when it is stopped; a failure before that is told then.
    this.#done.catch(() => undefined);
  }

  /** Ends when all that it asked for is answered. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await within(`client ${this.#init.client} ends`, STOP_TIMEOUT_MS, this.#done);
  }

  async #run(): Promise<void> {
    const { journal, prng, client, thinkMs, recordBytes, hasSession } = this.#init;
    if (hasSession) await this.#openSession();
    while (!this.#isStopped) {
      const entry = journal.invoke(client);
      const bytes = recordBytes ?? drawRecordBytes(prng);
      await this.#append(entry, encodeClientRecord(entry, bytes));
      await sleep(prng.fraction() * 2 * thinkMs);
    }
  }

  async #openSession(): Promise<void> {
    while (!this.#isStopped) {
      const result = await this.#ask((node, timeoutMs) => node.call("openSession", { timeoutMs }));
      if (typeof result !== "number") continue;
      this.#sessionId = result;
      return;
    }
  }

  async #append(entry: JournalEntry, data: Buffer): Promise<void> {
    const { journal, hasSession } = this.#init;
    const session = { sessionId: this.#sessionId, sequence: entry.sequence };
    for (;;) {
      const result = await this.#ask((node, timeoutMs) =>
        node.call("append", { data, timeoutMs, ...(hasSession ? { session } : {}) }),
      );
      if (typeof result === "object") {
        journal.acknowledge(entry, result.offset);
        this.latencyMsMax = Math.max(this.latencyMsMax, entry.endedAt - entry.invokedAt);
        return;
      }
      // Within a session an answer that was lost is asked for again, whatever it takes.
      const isOver = hasSession ? false : result === "unknown" || this.#isStopped;
      if (!isOver) continue;
      journal.fail(entry, result);
      return;
    }
  }

  /** Asks whoever is thought to lead; learns from the answer who does. */
  async #ask<T>(
    question: (node: NodeProcess, timeoutMs: number) => Promise<T>,
  ): Promise<T | "not-applied" | "unknown"> {
    const node = this.#pickNode();
    if (node === undefined) {
      await sleep(RETRY_MS);
      return "not-applied";
    }
    try {
      return await question(node, this.#init.timeoutMs);
    } catch (error) {
      if (!(error instanceof ProcessCallError)) {
        this.#count(error instanceof Error ? error.name : "unknown");
        this.#target = undefined;
        await sleep(RETRY_MS);
        return "unknown";
      }
      const { code, outcome, leaderId, retryAfterMs } = error.report;
      this.#count(code ?? error.report.name);
      if (code === "SESSION_EXPIRED" || code === "SEQUENCE_GAP" || code === "INVALID_ARGUMENT")
        throw error;
      if (code !== "OVERLOADED") this.#target = leaderId === node.nodeId ? undefined : leaderId;
      if (leaderId === undefined) await sleep(retryAfterMs ?? RETRY_MS);
      return outcome === "not-applied" ? "not-applied" : "unknown";
    }
  }

  #pickNode(): NodeProcess | undefined {
    const nodes = this.#init.nodes();
    const known = nodes.find(({ nodeId }) => nodeId === this.#target);
    if (known !== undefined || nodes.length === 0) return known;
    const node = this.#init.prng.pick(nodes);
    this.#target = node.nodeId;
    return node;
  }

  #count(code: string): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }
}
