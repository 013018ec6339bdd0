/**
 * One log: appended to, compared and appended to, and read, by single offsets, by ranges and to its
 * end. Each operation is one attempt at one node: reads at any, appends at whoever is thought to
 * lead. Some clients append within a session, and repeat what they do not know to be stored. In the
 * end everything is read, at every node.
 */

import { checkAppends } from "../check/append-check.ts";
import { ServiceClient } from "../client/service-client.ts";
import type { HistoryEvent, Value } from "../history/history-event.ts";
import { operationsOf } from "../history/operations.ts";
import { SessionAppender } from "./session-appender.ts";
import { verdictOf } from "./verdict.ts";
import type {
  Attempt,
  ClientContext,
  LogicalClient,
  Workload,
  WorkloadVerdict,
} from "./workload.ts";

const CLIENTS = 30;
/** Of the clients, every so many. */
const SESSION_EVERY = 5;
/** What comes is read by whichever draw is below. */
const MIX = { append: 0.5, compareAndAppend: 0.65, readOne: 0.72, readRange: 0.85 };
const RANGE_MAX = 24;
const FINAL_RANGE = 500;
/** Most records are a few bytes, some are pages, so that segments fill up. */
const BYTES = { largeChance: 0.1, max: 8_192 };

export const APPEND_WORKLOAD: Workload = {
  name: "append",
  kind: "log",
  clientCount: CLIENTS,
  rate: 700,
  prepare: () => Promise.resolve(),
  open(context) {
    const seen = { end: 0 };
    return Promise.resolve(context.slots.map((slot) => new AppendClient(context, { slot, seen })));
  },
  check: checkAppendEvents,
};

interface AppendClientInit {
  readonly slot: number;
  /** Of the log, as the clients of this process saw it last. */
  readonly seen: { end: number };
}

class AppendClient implements LogicalClient {
  readonly #context: ClientContext;
  readonly #init: AppendClientInit;
  readonly #service: ServiceClient;
  readonly #session: SessionAppender | undefined;
  /** Of the nodes whose log this client reads in the end, and how far it is. */
  #left: { readonly nodeId: number; from: number }[] | undefined;

  constructor(context: ClientContext, init: AppendClientInit) {
    this.#context = context;
    this.#init = init;
    const { prng } = context;
    this.#service = new ServiceClient({ target: () => context.target, prng: prng.fork() });
    if (init.slot % SESSION_EVERY === 0)
      this.#session = new SessionAppender(this.#service, context.signal);
  }

  next(): Attempt {
    const { prng } = this.#context;
    const draw = prng.fraction();
    if (draw < MIX.append) return this.#append();
    if (draw < MIX.compareAndAppend) return this.#compareAndAppend();
    const { end } = this.#init.seen;
    // Around the end, where what is read may be stale; or anywhere, where it may be lost.
    const from = prng.chance(0.5)
      ? Math.max(0, end - prng.below(RANGE_MAX))
      : prng.below(end + RANGE_MAX);
    if (draw < MIX.readOne) return this.#read(from, 1);
    if (draw < MIX.readRange) return this.#read(from, prng.between(2, RANGE_MAX));
    return this.#readEnd();
  }

  last(): Attempt | undefined {
    this.#left ??= this.#ownNodes().map((nodeId) => ({ nodeId, from: 0 }));
    const next = this.#left.at(-1);
    return next === undefined ? undefined : this.#readOn(next);
  }

  /** Each node is read by one client. */
  #ownNodes(): number[] {
    const { clientCount } = this.#context;
    return this.#service.nodeIds.filter((nodeId) => nodeId % clientCount === this.#init.slot);
  }

  #append(): Attempt {
    const value = this.#context.unique();
    const fields = { value, bytes: this.#drawBytes() };
    return {
      action: "append",
      value,
      isRead: false,
      run: async () => {
        const offset =
          this.#session === undefined
            ? ((await this.#service.askLeader("append", fields))["offset"] as number)
            : await this.#session.append(fields);
        this.#sawEnd(offset + 1);
        return [value, offset];
      },
    };
  }

  #compareAndAppend(): Attempt {
    const value = this.#context.unique();
    const expected = this.#init.seen.end;
    return {
      action: "compareAndAppend",
      value: [expected, value],
      isRead: false,
      run: async () => {
        const fields = { expected, value, bytes: this.#drawBytes() };
        const { end } = (await this.#service.askLeader("compareAndAppend", fields)) as {
          end: number;
        };
        this.#sawEnd(end === expected ? end + 1 : end);
        return [expected, value, end];
      },
    };
  }

  #read(from: number, recordsMax: number): Attempt {
    return {
      action: "read",
      value: from,
      isRead: true,
      run: async () => this.#noteRead(from, await this.#service.ask("read", { from, recordsMax })),
    };
  }

  #readEnd(): Attempt {
    return {
      action: "read",
      value: null,
      isRead: true,
      run: async () => {
        const { end } = (await this.#service.ask("end", {})) as { end: number };
        this.#sawEnd(end);
        return [end, [], end];
      },
    };
  }

  /** Of a final read: goes on until that node's end. */
  #readOn(next: { readonly nodeId: number; from: number }): Attempt {
    const { nodeId, from } = next;
    return {
      action: "read",
      value: from,
      isRead: true,
      run: async () => {
        const fields = { from, recordsMax: FINAL_RANGE };
        const answer = await this.#service.askNode(nodeId, "read", fields);
        const { values, end } = answer as { values: number[]; end: number | null };
        next.from += values.length;
        if (end !== null) this.#left?.pop();
        return this.#noteRead(from, answer);
      },
    };
  }

  #noteRead(from: number, answer: Readonly<Record<string, unknown>>): Value {
    const { values, end } = answer as { values: number[]; end: number | null };
    this.#sawEnd(end ?? from + values.length);
    return [from, values, end];
  }

  #sawEnd(end: number): void {
    this.#init.seen.end = Math.max(this.#init.seen.end, end);
  }

  #drawBytes(): number {
    const { prng } = this.#context;
    return prng.chance(BYTES.largeChance) ? prng.below(BYTES.max) : 0;
  }
}

function checkAppendEvents(events: readonly HistoryEvent[]): WorkloadVerdict {
  const operations = operationsOf(events);
  const { anomalies, acknowledged, recovered, reads } = checkAppends(operations);
  return verdictOf({
    operations,
    anomalies,
    counts: { acknowledged, recovered, reads },
    needed: ["read"],
  });
}
