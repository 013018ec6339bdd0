/**
 * How far the group of a pull consumer is: noted in the log, one call behind the other; and whether
 * somebody has reset its offset since, as the token beside the offset is another one then.
 *
 * A queue that members of the group have claimed is theirs: it is read all the same, and nothing is
 * committed in it.
 */

import type { OperationError } from "@quorumlog/protocol";
import type { FetchedQueue } from "./fetched-queue.ts";
import type { Fetcher } from "./fetcher.ts";
import type { CommitPlace, GroupOffsets } from "./group-offsets.ts";
import { demandNotAborted, type WaitOptions } from "./waiting.ts";

export interface PullProgressInit {
  readonly offsets: GroupOffsets;
  readonly fetcher: Fetcher;
  /** It goes on elsewhere. */
  readonly onReset: (queue: FetchedQueue) => void;
}

/** What is known of a queue. */
interface Noted {
  readonly offset: number;
  /** By `performance.now()`. */
  readonly at: number;
}

/** What is to be noted of a queue. */
interface Asked {
  readonly offset: number;
  /** Of its offset, as many as were known then: the place is of before the next one. */
  readonly resets: number;
}

/** Of assignments made by the program itself: whoever is assigned by the coordinator is newer. */
const EPOCH = 0;
const NO_TOKEN = 0;
/** What has not changed is said again: a group that commits nothing for long is forgotten. */
const AGAIN_MS = 600_000;

export class PullProgress {
  readonly #init: PullProgressInit;
  readonly #noted = new WeakMap<FetchedQueue, Noted>();
  readonly #tokens = new WeakMap<FetchedQueue, number>();
  /** How often the offset of a queue was reset, as far as is known. */
  readonly #resets = new WeakMap<FetchedQueue, number>();
  /** The last commit that was asked for. */
  #last: Promise<void> = Promise.resolve();

  constructor(init: PullProgressInit) {
    this.#init = init;
  }

  /** @returns where the group is; `undefined`: nowhere yet. */
  async startOf(queue: FetchedQueue, wait: WaitOptions): Promise<number | undefined> {
    const { offset, fencingToken, epoch } = await this.#init.offsets.committed(queue, wait);
    this.#learn(queue, fencingToken, epoch);
    if (offset < 0) return undefined;
    this.#noted.set(queue, { offset, at: performance.now() });
    return offset;
  }

  /**
   * Behind all commits before it, so that none overtakes another one.
   *
   * @throws OperationError of the first queue that was refused
   */
  commit(places: ReadonlyMap<FetchedQueue, number>, wait: WaitOptions): Promise<void> {
    const asked = new Map<FetchedQueue, Asked>();
    for (const [queue, offset] of places)
      asked.set(queue, { offset, resets: this.#resetsOf(queue) });
    const commit = this.#last.then(() => this.#commit(asked, wait));
    // Whoever has asked is told; the next one is not about it.
    this.#last = commit.catch(() => undefined);
    return commit;
  }

  /**
   * Asks whether the offset of a queue was reset, and has it go on there.
   *
   * @returns whether it was.
   * @throws OperationError of an owner that cannot be asked
   */
  async follow(queue: FetchedQueue, wait: WaitOptions): Promise<boolean> {
    const { version } = queue;
    const { offset, fencingToken, epoch } = await this.#init.offsets.committed(queue, wait);
    if (queue.version !== version) return false;
    const isNew = fencingToken !== (this.#tokens.get(queue) ?? NO_TOKEN);
    this.#learn(queue, fencingToken, epoch);
    // Claimed by a member; or the group was deleted, and begins anew with the next commit.
    if (!isNew || epoch > 0 || offset < 0) return false;
    this.#noted.set(queue, { offset, at: performance.now() });
    this.#resets.set(queue, this.#resetsOf(queue) + 1);
    this.#init.fetcher.seek(queue, offset);
    this.#init.onReset(queue);
    return true;
  }

  #learn(queue: FetchedQueue, fencingToken: number, epoch: number): void {
    const isClaimed = epoch > 0;
    // A member's token is none to commit with.
    this.#tokens.set(queue, isClaimed ? NO_TOKEN : fencingToken);
    queue.fencingToken = isClaimed ? undefined : fencingToken;
  }

  async #commit(asked: ReadonlyMap<FetchedQueue, Asked>, wait: WaitOptions): Promise<void> {
    demandNotAborted(wait.signal);
    const due = new Map([...asked].filter(([queue, place]) => this.#isDue(queue, place)));
    const refusals = await this.#say(due, wait);
    const again = new Map<FetchedQueue, Asked>();
    let failure: OperationError | undefined;
    for (const [queue, refusal] of refusals) {
      if (refusal.code !== "STALE_FENCING_TOKEN") {
        failure ??= refusal;
        continue;
      }
      await this.follow(queue, wait);
      const place = due.get(queue);
      // Somebody else may have found out meanwhile that it was reset.
      if (place !== undefined && this.#isOfNow(queue, place)) again.set(queue, place);
    }
    for (const refusal of (await this.#say(again, wait)).values()) failure ??= refusal;
    if (failure !== undefined) throw failure;
  }

  #resetsOf(queue: FetchedQueue): number {
    return this.#resets.get(queue) ?? 0;
  }

  /** Not of before a reset. */
  #isOfNow(queue: FetchedQueue, { resets }: Asked): boolean {
    return resets === this.#resetsOf(queue);
  }

  #isDue(queue: FetchedQueue, place: Asked): boolean {
    if (!this.#isOfNow(queue, place)) return false;
    const noted = this.#noted.get(queue);
    return noted?.offset !== place.offset || performance.now() - noted.at >= AGAIN_MS;
  }

  /** @returns what was refused. */
  async #say(
    due: ReadonlyMap<FetchedQueue, Asked>,
    wait: WaitOptions,
  ): Promise<ReadonlyMap<FetchedQueue, OperationError>> {
    if (due.size === 0) return new Map();
    const places = new Map<FetchedQueue, CommitPlace>();
    for (const [queue, { offset }] of due)
      places.set(queue, { offset, fencingToken: this.#tokens.get(queue) ?? NO_TOKEN });
    const refusals = await this.#init.offsets.commit(places, { ...wait, epoch: EPOCH });
    for (const [queue, place] of due)
      if (!refusals.has(queue) && this.#isOfNow(queue, place))
        this.#noted.set(queue, { offset: place.offset, at: performance.now() });
    return refusals;
  }
}
