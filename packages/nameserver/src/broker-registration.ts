/** A broker's node tells every NameServer of itself, for as long as it lives. */

import { type ChannelTls, type FieldProblem, OperationError } from "@quorumlog/protocol";
import type { Scheduler } from "@quorumlog/transport";
import type { Registration } from "./cluster.ts";
import { addressProblem } from "./message-check.ts";
import { processScheduler } from "./process-scheduler.ts";
import type { ReconnectBounds } from "./reconnect-delay.ts";
import { RegistrationLink } from "./registration-link.ts";

export interface BrokerRegistrationOptions extends ReconnectBounds {
  /** Each as `host:port`; each of them is told. */
  readonly nameServers: readonly string[];
  readonly tls?: ChannelTls;
  /** In milliseconds, well below what the NameServers wait for; default 30000. */
  readonly heartbeatMs?: number;
  /** Without a first answer for so long, in milliseconds, it connects anew; default 2000. */
  readonly answerMs?: number;
  readonly onEvent?: (event: BrokerRegistrationEvent) => void;
  /** Default: the process's own time. */
  readonly scheduler?: Scheduler;
}

export type BrokerRegistrationEvent =
  | { readonly type: "nameServerUp"; readonly nameServer: string }
  | {
      readonly type: "nameServerDown";
      readonly nameServer: string;
      readonly error: OperationError;
    };

/** A registration that is whole. */
export type NodeRegistration = Registration & {
  readonly group: NonNullable<Registration["group"]>;
};

const HEARTBEAT_MS = 30_000;
const ANSWER_MS = 2_000;

export class BrokerRegistration implements AsyncDisposable {
  readonly #links: readonly RegistrationLink[];
  #registration: NodeRegistration;
  #isTelling = false;
  #closing: Promise<unknown> | undefined;

  /**
   * Begins at once, and does not wait for any NameServer: a broker works without.
   *
   * @throws OperationError `INVALID_ARGUMENT` if an address is none
   */
  constructor(options: BrokerRegistrationOptions, registration: NodeRegistration) {
    checkAddresses(options.nameServers);
    const onEvent = options.onEvent ?? (() => undefined);
    this.#registration = registration;
    this.#links = options.nameServers.map(
      (nameServer) =>
        new RegistrationLink(
          {
            ...options,
            nameServer,
            tls: options.tls,
            heartbeatMs: options.heartbeatMs ?? HEARTBEAT_MS,
            answerMs: options.answerMs ?? ANSWER_MS,
            scheduler: options.scheduler ?? processScheduler,
            onUp: () => {
              onEvent({ type: "nameServerUp", nameServer });
            },
            onDown: (error) => {
              onEvent({ type: "nameServerDown", nameServer, error });
            },
          },
          registration,
        ),
    );
  }

  /** How many of the NameServers have taken this node in. */
  get upCount(): number {
    return this.#links.filter(({ isUp }) => isUp).length;
  }

  /** Replaces what was told: at the end of this turn each NameServer is told the last of it. */
  tell(change: Partial<Pick<NodeRegistration, "address" | "group" | "metadata">>): void {
    this.#registration = { ...this.#registration, ...change };
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      if (this.#closing !== undefined) return;
      for (const link of this.#links) link.tell(this.#registration);
    });
  }

  /** Takes this node off the routes. Idempotent. */
  async close(): Promise<void> {
    this.#closing ??= Promise.all(this.#links.map((link) => link.close()));
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** @throws OperationError `INVALID_ARGUMENT` */
export function checkAddresses(nameServers: readonly string[]): void {
  const problems = nameServers.flatMap((address, i): FieldProblem[] => {
    const problem = addressProblem(address);
    return problem === undefined ? [] : [{ field: `nameServers[${i}]`, problem }];
  });
  if (problems.length === 0) return;
  const text = problems.map(({ field, problem }) => `${field}: ${problem}`).join("; ");
  throw new OperationError("INVALID_ARGUMENT", text, { problems });
}
