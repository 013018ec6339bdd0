/**
 * Says what a consumer tries again and again, as it goes on by itself and nobody would hear of it:
 * the first failure, another cause, and that it is over.
 *
 * Of one kind of work there are at most as many words as causes, and not the same ones within ten
 * seconds: what fails and succeeds in turn, many times a second, is not told each time.
 */

import type { OperationError } from "@quorumlog/protocol";

/** Reading, noting offsets, taking queues over, belonging to the group, finding brokers. */
export type RetriedWork = "fetch" | "commit" | "claim" | "membership" | "routes";

export type RetryEvent =
  /** It failed, and is tried again until it succeeds: `error` has the code and the advice. */
  | {
      readonly type: "retrying";
      readonly work: RetriedWork;
      /** Of the broker group; `undefined`: it is of no group, or of several. */
      readonly groupId: number | undefined;
      readonly error: OperationError;
    }
  /** What was told of as failing does not any more. */
  | {
      readonly type: "recovered";
      readonly work: RetriedWork;
      readonly groupId: number | undefined;
      /** Since the first failure, in milliseconds. */
      readonly afterMs: number;
    };

interface Trouble {
  /** By `performance.now()`, as are the others. */
  since: number;
  toldAt: number;
  code: string;
  isFailing: boolean;
  /** Its failure was told, so its end is, too. */
  isTold: boolean;
}

const AGAIN_MS = 10_000;

export class RetryNotices {
  readonly #onEvent: (event: RetryEvent) => void;
  /** By work and group: as many as there are broker groups, five times. */
  readonly #troubles = new Map<string, Trouble>();

  constructor(onEvent: (event: RetryEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** @param error - `undefined`: it has succeeded. */
  note(work: RetriedWork, groupId: number | undefined, error: OperationError | undefined): void {
    if (error === undefined) this.#recovered(work, groupId);
    else this.#failed(work, groupId, error);
  }

  #failed(work: RetriedWork, groupId: number | undefined, error: OperationError): void {
    const now = performance.now();
    const name = nameOf(work, groupId);
    const before = this.#troubles.get(name);
    const isGoingOn = before?.isFailing === true;
    const isSame = before?.code === error.code;
    const mayTell = !isSame || (!isGoingOn && now - before.toldAt >= AGAIN_MS);
    this.#troubles.set(name, {
      since: isGoingOn ? before.since : now,
      toldAt: mayTell ? now : before.toldAt,
      code: error.code,
      isFailing: true,
      isTold: mayTell || (isGoingOn && before.isTold),
    });
    if (mayTell) this.#onEvent({ type: "retrying", work, groupId, error });
  }

  #recovered(work: RetriedWork, groupId: number | undefined): void {
    const trouble = this.#troubles.get(nameOf(work, groupId));
    if (trouble?.isFailing !== true) return;
    trouble.isFailing = false;
    if (!trouble.isTold) return;
    const afterMs = Math.round(performance.now() - trouble.since);
    this.#onEvent({ type: "recovered", work, groupId, afterMs });
  }
}

function nameOf(work: RetriedWork, groupId: number | undefined): string {
  return `${work} ${groupId ?? ""}`;
}
