/** A call with a promise: one object for all that it takes, as there are many of them. */

import type { AppendCall, AppendedAt, Durability } from "./append-call.ts";
import type { CommandDraft } from "./container.ts";
import { closed, type ReplicaError } from "./replica-error.ts";

export interface PromisedCallInit<T> {
  readonly draft: CommandDraft;
  readonly durability: Durability;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
  /** @throws ReplicaError if it was refused when it was applied. */
  readonly answer: (at: AppendedAt, call: PromisedCall<T>) => T;
}

export class PromisedCall<T> implements AppendCall {
  readonly draft: CommandDraft;
  readonly durability: Durability;
  /** Set before it is submitted. */
  deadline = 0;
  state: AppendCall["state"] = undefined;
  /** Called when it is settled. */
  onSettled: (() => void) | undefined = undefined;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  readonly #answer: PromisedCallInit<T>["answer"];

  constructor(init: PromisedCallInit<T>) {
    this.draft = init.draft;
    this.durability = init.durability;
    this.#resolve = init.resolve;
    this.#reject = init.reject;
    this.#answer = init.answer;
  }

  /** It was not submitted. */
  refuse(error: unknown): void {
    this.#reject(error);
  }

  settle(error: ReplicaError | undefined, at: AppendedAt | undefined): void {
    this.onSettled?.();
    if (at === undefined) {
      this.#reject(error ?? closed());
      return;
    }
    try {
      this.#resolve(this.#answer(at, this));
    } catch (refusal) {
      this.#reject(refusal);
    }
  }
}
