/** Waits that end by what was waited for, by time, or by the caller. */

import { setMaxListeners } from "node:events";
import { type OperationOutcome, OperationError } from "@quorumlog/protocol";

/** What a caller may say of any call that waits. */
export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** In milliseconds. */
  readonly timeoutMs?: number;
}

/** Of any call of which its caller does not say how long it may take. */
export const CALL_TIMEOUT_MS = 10_000;

/** What several calls have together, one behind the other: it is over when its caller's is. */
export class CallTime {
  readonly #signal: { readonly signal?: AbortSignal };
  readonly #timeoutMs: number;
  readonly #deadline: number;

  constructor({ signal, timeoutMs = CALL_TIMEOUT_MS }: WaitOptions) {
    this.#signal = signal === undefined ? {} : { signal };
    this.#timeoutMs = timeoutMs;
    this.#deadline = performance.now() + timeoutMs;
  }

  /** For the next call, which tells of the whole time if it is over. */
  get shared(): WaitOptions & { readonly deadline: number } {
    return { timeoutMs: this.#timeoutMs, deadline: this.#deadline, ...this.#signal };
  }

  /** For the next call, as its own; of time that is over, a millisecond. */
  get left(): WaitOptions {
    const timeoutMs = Math.max(1, Math.ceil(this.#deadline - performance.now()));
    return { timeoutMs, ...this.#signal };
  }
}

export function aborted(outcome: OperationOutcome): OperationError {
  return new OperationError("ABORTED", "the caller's signal was aborted", { outcome });
}

/** @throws OperationError `ABORTED` */
export function demandNotAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw aborted("not-applied");
}

/** One signal may stop any number of calls: that is no leak, as each lets go of it in the end. */
export function onceAborted(signal: AbortSignal, onAbort: () => void): void {
  setMaxListeners(0, signal);
  signal.addEventListener("abort", onAbort, { once: true });
}

/** Aborted as soon as one of two is; `end` lets go of them, as they may live for longer. */
export function eitherSignal(
  one: AbortSignal,
  other: AbortSignal | undefined,
): { readonly signal: AbortSignal; readonly end: () => void } {
  const controller = new AbortController();
  const onAbort = (): void => {
    controller.abort();
  };
  const both = other === undefined ? [one] : [one, other];
  for (const signal of both) {
    if (signal.aborted) onAbort();
    else onceAborted(signal, onAbort);
  }
  const end = (): void => {
    for (const signal of both) signal.removeEventListener("abort", onAbort);
  };
  return { signal: controller.signal, end };
}

/** Rejects as soon as the signal is aborted: whoever pauses has done nothing meanwhile. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(aborted("not-applied"));
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(aborted("not-applied"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    if (signal !== undefined) onceAborted(signal, onAbort);
  });
}

/** Something that several wait for, each with its own patience. */
export class Bell {
  readonly #waiters = new Set<() => void>();

  ring(): void {
    for (const wake of this.#waiters) wake();
  }

  /** @returns whether it rang before the time was over; rejects if the signal is aborted. */
  wait(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(aborted("not-applied"));
        return;
      }
      const end = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(onRing);
        signal?.removeEventListener("abort", onAbort);
      };
      const onRing = (): void => {
        end();
        resolve(true);
      };
      const onAbort = (): void => {
        end();
        reject(aborted("not-applied"));
      };
      const timer = setTimeout(() => {
        end();
        resolve(false);
      }, timeoutMs);
      this.#waiters.add(onRing);
      if (signal !== undefined) onceAborted(signal, onAbort);
    });
  }
}
