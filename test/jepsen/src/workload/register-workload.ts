/**
 * Registers: many, each with few operations; see `register-keys.ts`. Each operation is one attempt
 * at one node: reads at any, writes at whoever is thought to lead. In the end all registers are
 * read, at all nodes.
 */

import { type RegisterResult, checkRegisters } from "../check/register-check.ts";
import type { SearchLimits } from "../check/linearizability.ts";
import { ServiceClient } from "../client/service-client.ts";
import type { HistoryEvent, Value } from "../history/history-event.ts";
import { operationsOf } from "../history/operations.ts";
import { RegisterKeys } from "./register-keys.ts";
import { verdictOf } from "./verdict.ts";
import type {
  Attempt,
  ClientContext,
  LogicalClient,
  Workload,
  WorkloadVerdict,
} from "./workload.ts";

const CLIENTS = 30;
const COLUMNS = 15;
/** Of one register, if all that is asked for is done. */
const OPERATIONS_PER_KEY = 80;
const NANOSECONDS = 1e9;
const MIX = { read: 0.4, write: 0.3, formerRead: 0.05 };
const SEARCH_LIMITS: SearchLimits = { stepsMax: 20_000_000, memoryBytesMax: 512 * 1024 * 1024 };
/** Of the way to where a search was stuck: the last operations tell the most. */
const SHOWN_MAX = 12;

export const REGISTER_WORKLOAD: Workload = {
  name: "register",
  kind: "registers",
  clientCount: CLIENTS,
  rate: 500,
  prepare: () => Promise.resolve(),
  open(context) {
    const lifeNs = (NANOSECONDS * COLUMNS * OPERATIONS_PER_KEY) / context.rate;
    const keys = new RegisterKeys({ columns: COLUMNS, lifeNs });
    const seen = new Map<number, number | null>();
    return Promise.resolve(
      context.slots.map((slot) => new RegisterClient(context, { slot, keys, seen })),
    );
  },
  check: checkRegisterEvents,
};

interface RegisterClientInit {
  readonly slot: number;
  readonly keys: RegisterKeys;
  /** By key, what a client of this process saw last: a guess that compare-and-set begins with. */
  readonly seen: Map<number, number | null>;
}

class RegisterClient implements LogicalClient {
  readonly #context: ClientContext;
  readonly #init: RegisterClientInit;
  readonly #service: ServiceClient;
  /** Final reads; the one that is under way is the last. */
  #left: { readonly key: number; readonly nodeId: number }[] | undefined;

  constructor(context: ClientContext, init: RegisterClientInit) {
    this.#context = context;
    this.#init = init;
    const { prng } = context;
    this.#service = new ServiceClient({ target: () => context.target, prng: prng.fork() });
  }

  next(): Attempt {
    const { prng } = this.#context;
    const now = this.#context.now();
    const { keys } = this.#init;
    const draw = prng.fraction();
    if (draw < MIX.formerRead) return this.#read(keys.former(now, prng), undefined);
    const key = keys.current(now, prng);
    if (draw < MIX.formerRead + MIX.read) return this.#read(key, undefined);
    return draw < MIX.formerRead + MIX.read + MIX.write
      ? this.#write(key)
      : this.#compareAndSet(key);
  }

  last(): Attempt | undefined {
    this.#left ??= this.#finalReads();
    // It is left until it was answered, and behind others: a node that is away keeps none of them.
    const next = this.#left.shift();
    if (next === undefined) return undefined;
    this.#left.push(next);
    return this.#read(next.key, next.nodeId);
  }

  /** This client's share of all registers, at each node. */
  #finalReads(): { readonly key: number; readonly nodeId: number }[] {
    const { clientCount } = this.#context;
    const own = this.#init.keys
      .all(this.#context.now())
      .filter((key) => key % clientCount === this.#init.slot);
    return own.flatMap((key) => this.#service.nodeIds.map((nodeId) => ({ key, nodeId })));
  }

  /** @param nodeId - Of a final read. */
  #read(key: number, nodeId: number | undefined): Attempt {
    const fields = { key };
    return {
      action: "read",
      value: [key, null],
      isRead: true,
      run: async () => {
        const { value } =
          nodeId === undefined
            ? await this.#service.ask("read", fields)
            : await this.#service.askNode(nodeId, "read", fields);
        if (nodeId !== undefined) this.#left?.pop();
        this.#init.seen.set(key, value as number | null);
        return [key, value as Value];
      },
    };
  }

  #write(key: number): Attempt {
    const value = this.#context.unique();
    return {
      action: "write",
      value: [key, value],
      isRead: false,
      run: async () => {
        await this.#service.askLeader("write", { key, value });
        this.#init.seen.set(key, value);
        return [key, value];
      },
    };
  }

  #compareAndSet(key: number): Attempt {
    const expected = this.#init.seen.get(key) ?? null;
    const value = this.#context.unique();
    return {
      action: "compareAndSet",
      value: [key, expected, value],
      isRead: false,
      run: async () => {
        const fields = { key, expected, value };
        const { hasSet } = await this.#service.askLeader("compareAndSet", fields);
        if (hasSet === true) this.#init.seen.set(key, value);
        return [key, expected, value, hasSet as boolean];
      },
    };
  }
}

function checkRegisterEvents(events: readonly HistoryEvent[]): WorkloadVerdict {
  const operations = operationsOf(events);
  const result = checkRegisters(operations, SEARCH_LIMITS);
  const unknown = result.unknown.map(({ key, why }) => {
    return `the search for an order of register ${key} met its limit of ${why}`;
  });
  const anomalies = result.anomalies.map(anomalyOf);
  const counts = { registers: result.keys };
  return verdictOf({ operations, anomalies, unknown, counts, needed: ["read"] });
}

function anomalyOf({ key, stuck, before }: RegisterResult["anomalies"][number]): {
  readonly kind: "not-linearizable";
  readonly message: string;
  readonly events: readonly number[];
} {
  const { invoke, completion } = stuck;
  const what = `${invoke.action} ${JSON.stringify(completion?.value ?? invoke.value)}`;
  const message = `register ${key}: no order explains ${what} of process ${invoke.process}`;
  const shown = [...before.slice(-SHOWN_MAX), stuck];
  return { kind: "not-linearizable", message, events: shown.map((each) => each.invoke.index) };
}
