/**
 * Asks peers for entries that this node has lost, one peer and one question at a time.
 *
 *     wanted ──> ask the next peer ──> entries that fit ──> done
 *                  ^        │ no answer in time, a refusal, or what cannot be
 *                  └────────┘
 *
 * Whoever gave something is asked first the next time. It gives up once all peers have said for
 * long enough that they do not have it: one that cannot be reached may.
 */

import {
  type FetchEntries,
  type LogEntry,
  PrecededOtherwise,
  type WantedEntries,
} from "@quorumlog/log";
import { sometimes } from "@quorumlog/std";
import type { EntriesReply, EntriesRequest } from "./entry-transfer.ts";

/** Why a peer did not give what it was asked for. */
export interface EntriesRefusal {
  readonly nodeId: number;
  readonly why: string;
  /** It has said so itself, and waiting changes nothing. */
  readonly isFinal: boolean;
}

export interface EntryFetcherInit {
  /** Everybody who may have it, reachable or not. */
  readonly peers: () => readonly number[];
  /** @returns false if the peer cannot be reached now. */
  readonly send: (to: number, request: EntriesRequest) => boolean;
  readonly now: () => number;
  readonly after: (delayMs: number, run: () => void) => void;
  /** Another one in each life, so that answers to a former one are no answers. */
  readonly firstNumber: number;
  /** All were asked in vain: they are asked again. */
  readonly onVain: (range: WantedRange, refusals: readonly EntriesRefusal[]) => void;
}

export interface WantedRange {
  readonly low: number;
  readonly high: number;
}

interface Fetch {
  readonly wanted: WantedEntries;
  readonly done: Parameters<FetchEntries>[1];
  readonly begunAt: number;
  /** Whoever was asked in this round, or is. */
  readonly asked: Set<number>;
  readonly refusals: Map<number, EntriesRefusal>;
  /** Of the question that is under way. */
  question: { readonly number: number; readonly to: number } | undefined;
}

const ANSWER_MS_MAX = 2_000;
const ROUND_MS = 500;
/** Long enough for each to hear from all others that they have lost it, too. */
const GIVE_UP_MS = 3_000;

export class EntryFetcher {
  readonly #init: EntryFetcherInit;
  #fetch: Fetch | undefined;
  #number: number;
  #favourite: number | undefined;

  constructor(init: EntryFetcherInit) {
    this.#init = init;
    this.#number = Math.floor(init.firstNumber);
  }

  readonly fetch: FetchEntries = (wanted, done) => {
    const begunAt = this.#init.now();
    const fetch: Fetch = {
      wanted,
      done,
      begunAt,
      asked: new Set(),
      refusals: new Map(),
      question: undefined,
    };
    this.#fetch = fetch;
    // Never before this returns.
    this.#init.after(0, () => {
      if (this.#fetch === fetch) this.#askNext(fetch);
    });
  };

  onReply(from: number, reply: EntriesReply): void {
    const fetch = this.#fetch;
    const question = fetch?.question;
    if (fetch === undefined || question?.number !== reply.number || question.to !== from) return;
    if (reply.low !== fetch.wanted.low) return;
    fetch.question = undefined;
    const isEnough = reply.verdict === "unsure" && isExact(fetch.wanted, reply);
    if (reply.verdict === "entries" || isEnough) this.#onEntries(fetch, from, reply);
    else {
      const isFinal = reply.verdict === "trimmed" || reply.verdict === "damaged";
      this.#refuse(fetch, { nodeId: from, why: WHY[reply.verdict], isFinal });
    }
  }

  /** It may have what others have not. */
  onPeerUp(nodeId: number): void {
    const fetch = this.#fetch;
    if (fetch === undefined) return;
    fetch.asked.delete(nodeId);
    fetch.refusals.delete(nodeId);
    if (fetch.question === undefined) this.#askNext(fetch);
  }

  /** What is under way ends with an error. */
  stop(): void {
    const fetch = this.#fetch;
    if (fetch !== undefined) this.#end(fetch, new Error("it was called off"));
  }

  #onEntries(fetch: Fetch, from: number, { entries, previousTerm }: EntriesReply): void {
    const { wanted } = fetch;
    const { previous } = wanted;
    const problem = wanted.problemWith(entries);
    if (problem !== undefined) {
      sometimes("entries of a peer refused");
      this.#refuse(fetch, {
        nodeId: from,
        why: `it sent what cannot be: ${problem}`,
        isFinal: true,
      });
    } else if (previous !== undefined && previous.term !== previousTerm)
      this.#end(fetch, new PrecededOtherwise(`entry ${previous.index} is of term ${previousTerm}`));
    else {
      this.#favourite = from;
      this.#end(fetch, entries);
    }
  }

  #refuse(fetch: Fetch, refusal: EntriesRefusal): void {
    if (this.#favourite === refusal.nodeId) this.#favourite = undefined;
    this.#note(fetch, refusal);
    this.#askNext(fetch);
  }

  /** What a peer said itself stands until it is back: it may have given up since. */
  #note({ refusals }: Fetch, refusal: EntriesRefusal): void {
    const { nodeId, isFinal } = refusal;
    if (isFinal || refusals.get(nodeId)?.isFinal !== true) refusals.set(nodeId, refusal);
  }

  #askNext(fetch: Fetch): void {
    const { peers, send, after } = this.#init;
    const { low, high } = fetch.wanted;
    for (const to of new Set([this.#favourite ?? 0, ...peers()])) {
      if (to === 0 || fetch.asked.has(to)) continue;
      fetch.asked.add(to);
      this.#number += 1;
      const number = this.#number;
      if (!send(to, { number, low, high })) {
        this.#note(fetch, { nodeId: to, why: "it cannot be reached", isFinal: false });
        continue;
      }
      fetch.question = { number, to };
      after(ANSWER_MS_MAX, () => {
        if (this.#fetch !== fetch || fetch.question?.number !== number) return;
        fetch.question = undefined;
        this.#refuse(fetch, { nodeId: to, why: "it has not answered", isFinal: false });
      });
      return;
    }
    this.#onRoundOver(fetch);
  }

  #onRoundOver(fetch: Fetch): void {
    const { peers, now, after, onVain } = this.#init;
    const { low, high } = fetch.wanted;
    const refusals = [...fetch.refusals.values()];
    const isFinal = peers().every((nodeId) => fetch.refusals.get(nodeId)?.isFinal === true);
    if (isFinal && now() - fetch.begunAt >= GIVE_UP_MS) {
      const reasons = refusals.map(({ nodeId, why }) => `node ${nodeId}: ${why}`).join("; ");
      const none = peers().length === 0 ? "there are no peers" : reasons;
      this.#end(fetch, new Error(`nobody has entry ${low}: ${none}`));
      return;
    }
    onVain({ low, high }, refusals);
    after(ROUND_MS, () => {
      if (this.#fetch !== fetch || fetch.question !== undefined) return;
      fetch.asked.clear();
      this.#askNext(fetch);
    });
  }

  #end(fetch: Fetch, answer: readonly LogEntry[] | Error): void {
    this.#fetch = undefined;
    fetch.done(answer);
  }
}

/** These are what was here, whatever else is wrong where they come from. */
function isExact({ hasTerms, previous }: WantedEntries, { previousTerm }: EntriesReply): boolean {
  return hasTerms && (previous === undefined || previous.term === previousTerm);
}

const WHY = {
  entries: "it gave others than were asked for",
  unsure: "it is damaged, and not sure of them",
  later: "it does not know them to be committed",
  trimmed: "it has trimmed them",
  damaged: "they are damaged there, too",
} as const;
