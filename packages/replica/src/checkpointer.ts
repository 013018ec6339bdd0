/**
 * When the state is kept: often enough for restarts to be short and memory to be bounded, and
 * seldom enough not to compete with the log for its disk.
 *
 *     CUT_BYTES have changed, and the disk is idle ──┐
 *     CUT_BYTES_MAX have changed ────────────────────┼──> cut ──> written, off the way of answers
 *     CUT_INTERVAL_MS are over, more for many rows ──┘
 *     LAG_BYTES_MAX wait for the disk ──────────────────> nothing is applied until fewer do
 *
 * Cuts are taken between two entries, and of what is applied alone. What is applied is committed,
 * and durable in this node's own log: so no checkpoint is ever ahead of the log it belongs to, but
 * in flush mode `async`, where a loss of power may take from the log what was applied.
 */

import type { LogStore } from "@quorumlog/log";
import { assert, sometimes } from "@quorumlog/std";
import type { Checkpoint, CheckpointPosition } from "./checkpoint.ts";
import type { GroupState } from "./group-state.ts";
import { ReplicaError } from "./replica-error.ts";

const CUT_BYTES = 2 * 1024 * 1024;
/** What one turn has to hand over: a cut of more is that of one large entry. */
const CUT_BYTES_MAX = 2 * CUT_BYTES;
const CUT_INTERVAL_MS = 1_000;
/**
 * To hand over thousands of rows takes tens of milliseconds, and their pages are megabytes for the
 * disk that the log is on: who changes so many each second keeps them less often.
 */
const CUT_INTERVAL_MS_MAX = 5_000;
const INTERVAL_BYTES = 256 * 1024;
const LAG_BYTES_MAX = 32 * CUT_BYTES;

export class Checkpointer {
  readonly #checkpoint: Checkpoint;
  #cutIndex: number;
  #cutAt: number | undefined;

  /** @param index - Of the state that the checkpoint holds; 0 if it holds none. */
  constructor(checkpoint: Checkpoint, index: number) {
    this.#checkpoint = checkpoint;
    this.#cutIndex = index;
  }

  /** Whether more may be applied. */
  hasRoom(): boolean {
    const { changedBytes, pendingBytes } = this.#checkpoint;
    return changedBytes + pendingBytes < LAG_BYTES_MAX;
  }

  /** Whether so much has changed that it should be cut before more is applied. */
  isFull(): boolean {
    const { changedBytes, pendingBytes } = this.#checkpoint;
    return changedBytes >= (pendingBytes === 0 ? CUT_BYTES : CUT_BYTES_MAX);
  }

  /** @param now - In milliseconds, of a clock that never goes back. */
  isDue(now: number): boolean {
    this.#cutAt ??= now;
    if (now - this.#cutAt < this.#intervalMs()) return false;
    this.#cutAt = now;
    return true;
  }

  #intervalMs(): number {
    const share = this.#checkpoint.changedBytes / INTERVAL_BYTES;
    return Math.min(CUT_INTERVAL_MS_MAX, CUT_INTERVAL_MS * Math.max(1, share));
  }

  /** Keeps the state as it is now, if it is news. */
  cut(position: CheckpointPosition, state: GroupState): void {
    assert(position.index >= this.#cutIndex, "a state that is kept is never an older one");
    const { isWhole } = this.#checkpoint;
    if (position.index === this.#cutIndex && !isWhole) return;
    this.#cutIndex = position.index;
    this.#checkpoint.cut({ position, rows: state.takeRows(isWhole) });
  }
}

/**
 * Whether a log goes on from where a state was kept. If it begins behind that, a snapshot is newer.
 *
 * @param hasLost - Whether it is known that the log may have lost entries before they were synced.
 * @throws ReplicaError `DISK_LOST` if it does not hold the entry that was applied all the same: it
 *   had been synced before it was.
 */
export function isContinued(
  log: LogStore,
  { index, term }: CheckpointPosition,
  hasLost: boolean,
): boolean {
  if (index < log.base().index) return false;
  const found = log.term(index);
  if (found === term) return true;
  if (hasLost) {
    sometimes("checkpoint ahead of a log that lost power");
    return false;
  }
  const what = found === undefined ? `ends at index ${log.lastIndex()}` : "holds another entry";
  throw new ReplicaError(
    "DISK_LOST",
    `the state was kept behind index ${index} of term ${term}, and the log ${what}: its disk has ` +
      "lost what was synced. Keep the directory for a look, and replace the node",
  );
}
