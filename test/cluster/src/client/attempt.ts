/** One call to one process, which ends once: answered, or cut off with the process. */

import type { Durability, ReplicaError } from "@quorumlog/replica";
import type { CommandDraft } from "@quorumlog/replica/testing";
import { ReplicaError as ReplicaErrorClass } from "@quorumlog/replica";
import type { EventQueue } from "../engine/event-queue.ts";
import { hold } from "../engine/violation.ts";
import type { Life, SimNode } from "../node/sim-node.ts";

type Settle = Parameters<Life["replica"]["proposals"]["submit"]>[0]["settle"];
export type AppendedAt = NonNullable<Parameters<Settle>[1]>;

export type AttemptEnd =
  | { readonly kind: "ok"; readonly at: AppendedAt }
  | { readonly kind: "error"; readonly error: ReplicaError }
  /** Nobody was there: it was never sent. */
  | { readonly kind: "refused" }
  /** The process went away. */
  | { readonly kind: "lost" };

const PATIENCE_MS = 100;

export interface AttemptInit {
  readonly node: SimNode;
  readonly draft: CommandDraft;
  readonly durability: Durability;
  readonly timeoutMs: number;
  readonly onEnd: (end: AttemptEnd) => void;
}

/** Those that are under way, by the process that they were sent to. */
export class Attempts {
  readonly #queue: EventQueue;
  readonly #open = new Map<Life, Set<Attempt>>();

  constructor(queue: EventQueue) {
    this.#queue = queue;
  }

  start(init: AttemptInit): Attempt | undefined {
    const { life } = init.node;
    if (life === undefined || life.gate.isOver) {
      init.onEnd({ kind: "refused" });
      return undefined;
    }
    const attempts = this.#open.get(life) ?? new Set();
    this.#open.set(life, attempts);
    const attempt = new Attempt(init, life, () => attempts.delete(attempt));
    attempts.add(attempt);
    attempt.send();
    // A process that stands still does not answer in time either.
    this.#queue.after(init.timeoutMs + PATIENCE_MS, () => {
      attempt.giveUp();
    });
    return attempt;
  }

  onEnded(node: SimNode): void {
    const { life } = node;
    const attempts = life === undefined ? undefined : this.#open.get(life);
    if (life === undefined || attempts === undefined) return;
    this.#open.delete(life);
    for (const attempt of attempts) attempt.lose();
  }

  /** Whoever waited for a replica that has stopped was answered. */
  demandAnswered({ life, nodeId }: SimNode): void {
    const attempts = life === undefined ? undefined : this.#open.get(life);
    for (const { isSent } of attempts ?? [])
      hold(!isSent, "every call ends", () => `node ${nodeId} has stopped, and a call waits`);
  }

  /** Every call to a process that runs has ended in time. */
  demandEnded(graceMs: number): void {
    for (const [life, attempts] of this.#open)
      for (const { deadline } of attempts)
        hold(life.environment.now() < deadline + graceMs, "every call ends", () => {
          return `a call is ${life.environment.now() - deadline} ms over its time`;
        });
  }
}

export class Attempt {
  readonly #init: AttemptInit;
  readonly #life: Life;
  readonly #onOver: () => void;
  #abort: (() => void) | undefined;
  #isOver = false;
  #isTold = false;
  isSent: boolean = false;
  deadline: number = Number.POSITIVE_INFINITY;

  constructor(init: AttemptInit, life: Life, onOver: () => void) {
    this.#init = init;
    this.#life = life;
    this.#onOver = onOver;
  }

  send(): void {
    const { draft, durability, timeoutMs } = this.#init;
    const { gate, replica, environment } = this.#life;
    gate.run(() => {
      if (!replica.isOpen()) {
        this.#end({ kind: "error", error: closed() });
        return;
      }
      this.deadline = environment.now() + timeoutMs;
      this.isSent = true;
      try {
        const call = {
          draft,
          durability,
          deadline: this.deadline,
          settle: (error: ReplicaError | undefined, at: AppendedAt | undefined): void => {
            this.#settle(error, at);
          },
        };
        replica.proposals.submit(call, timeoutMs);
        this.#abort = (): void => {
          replica.proposals.abort(call);
        };
        replica.wantTurn();
      } catch (error) {
        if (!(error instanceof ReplicaErrorClass)) throw error;
        this.#end({ kind: "error", error });
      }
    });
  }

  /** As a caller's signal does. */
  abort(): void {
    this.#life.gate.run(() => this.#abort?.());
  }

  lose(): void {
    this.#end({ kind: "lost" });
  }

  /** The caller waits no longer. The process does not know, and still owes the call an end. */
  giveUp(): void {
    this.#tell({ kind: "lost" });
  }

  #settle(error: ReplicaError | undefined, at: AppendedAt | undefined): void {
    if (this.#life.gate.isOver) return;
    hold(!this.#isOver, "a call ends once", () => "an append was answered again");
    if (error === undefined && at !== undefined) this.#end({ kind: "ok", at });
    else if (error !== undefined) this.#end({ kind: "error", error });
  }

  #end(end: AttemptEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver();
    this.#tell(end);
  }

  #tell(end: AttemptEnd): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#init.onEnd(end);
  }
}

function closed(): ReplicaError {
  return new ReplicaErrorClass("CLOSED", "the replica was closed");
}
