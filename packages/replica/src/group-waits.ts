/** Waiting until a replica has come somewhere: looked at again whenever anything happened. */

import type { Environment } from "./environment.ts";
import { demandNotAborted, ReplicaError } from "./replica-error.ts";

export interface WaitOptions {
  /** What is said when the time is over. */
  readonly why: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

interface Wait {
  readonly look: () => void;
  readonly fail: (error: Error) => void;
}

export class GroupWaits {
  readonly #environment: Environment;
  readonly #waits = new Set<Wait>();
  #stopped: Error | undefined;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /**
   * Whoever has begun something before says so of what ends the wait: see `withUnknownOutcome`.
   *
   * @returns what `look` gives first that is not `undefined`; what it throws ends the wait.
   */
  until<T>(look: () => T | undefined, options: WaitOptions): Promise<T> {
    return new Promise((resolve, reject) => {
      const { signal, timeoutMs, why } = options;
      if (this.#stopped !== undefined) throw this.#stopped;
      demandNotAborted(signal);
      const found = look();
      if (found !== undefined) {
        resolve(found);
        return;
      }
      const onAbort = (): void => {
        wait.fail(new ReplicaError("ABORTED", "the caller's signal was aborted"));
      };
      const end = (): void => {
        cancelTimer();
        signal?.removeEventListener("abort", onAbort);
        this.#waits.delete(wait);
      };
      const wait: Wait = {
        look: () => {
          try {
            const value = look();
            if (value === undefined) return;
            end();
            resolve(value);
          } catch (error) {
            wait.fail(error as Error);
          }
        },
        fail: (error) => {
          end();
          reject(error);
        },
      };
      const cancelTimer = this.#environment.after(timeoutMs, () => {
        wait.fail(new ReplicaError("TIMEOUT", why));
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waits.add(wait);
    });
  }

  /** Something happened. */
  check(): void {
    for (const wait of this.#waits) wait.look();
  }

  /** Ends all waits, and those to come. */
  stop(error: Error): void {
    this.#stopped ??= error;
    for (const wait of this.#waits) wait.fail(error);
  }
}
