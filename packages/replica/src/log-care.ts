/**
 * Looks after the files of a replica while it runs: finds entries that are damaged, has them made
 * anew with the help of peers, and gives what is committed to peers that have lost it.
 *
 *     a read, or the scrub ──> damage ──> (recoverFromPeers) segment by segment: fetch, make anew
 *                                │                                     │ failed: again, later
 *                                └──> told to the owner, and to peers: not fit to lead until then
 *
 * Without `recoverFromPeers` damage is told of, and whoever needs what is damaged gets the error.
 */

import { type EntryRange, LogError, type LogStore, type SegmentRepaired } from "@quorumlog/log";
import { allMembers, type Configuration, type Status } from "@quorumlog/raft";
import { EntryFetcher } from "./entry-fetcher.ts";
import { EntryServer } from "./entry-server.ts";
import type { Environment } from "./environment.ts";
import type { Envelope } from "./peer-envelope.ts";
import type { CareInit } from "./replica-init.ts";
import type { ReplicaEventListener } from "./replica-event.ts";
import { Scrubber } from "./scrubber.ts";
import { SegmentScrub } from "./segment-scrub.ts";
import { SnapshotScrub } from "./snapshot-scrub.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import { Timers } from "./timers.ts";

export interface LogCareInit extends CareInit {
  readonly log: LogStore;
  readonly snapshots: SnapshotStore;
  readonly environment: Environment;
  /** Of the core. */
  readonly status: () => Pick<Status, "firstIndex" | "commitIndex" | "stableIndex">;
  readonly nodeId: number;
  /** Of the group: all its other members are asked. */
  readonly configuration: () => Configuration;
  /** @returns false if it cannot be reached now. */
  readonly send: (to: number, envelope: Envelope) => boolean;
  readonly guarded: (run: () => void) => void;
  readonly onEvent: ReplicaEventListener;
  /** What could not be read may be readable now. */
  readonly onRepaired: () => void;
}

/** What is known of the files of a log. */
export interface LogCondition {
  /** Segments that were found to be damaged since the start. */
  readonly damagesFound: number;
  /** Of these, made anew. */
  readonly damagesRepaired: number;
  /** When everything was read through last, in milliseconds since 1970. */
  readonly scrubbedAt: number | undefined;
}

/** What is said between nodes of which one has lost entries. */
export type EntriesEnvelope = Extract<Envelope, { kind: "entriesRequest" | "entriesReply" }>;

const RETRY_MS = 10_000;

export class LogCare {
  readonly #init: LogCareInit;
  readonly #timers: Timers;
  readonly #server: EntryServer;
  readonly #fetcher: EntryFetcher;
  readonly #scrubber: Scrubber;
  /** Ids of segments that are damaged and not made anew yet. */
  readonly #damaged = new Set<number>();
  /** Entries that could not be read, and the segments that they are in, which are made anew. */
  readonly #unreadable = new Map<number, number>();
  /** Of the segments, what is not tried again before a while has passed. */
  readonly #resting = new Set<number>();
  #isRepairing = false;
  #isStopped = false;
  #damagesFound = 0;
  #damagesRepaired = 0;

  constructor(init: LogCareInit) {
    const { log, status, environment } = init;
    this.#init = init;
    this.#timers = new Timers(environment);
    this.#server = new EntryServer({
      // The log hears at the end of a turn of what the core has replaced in it. Until then entries
      // that were never committed stand there, at indexes up to which all is.
      base: () => ({ index: status().firstIndex - 1 }),
      commitIndex: () => Math.min(status().commitIndex, status().stableIndex),
      term: (index) => log.term(index),
      entries: (range) => this.#readForPeer(range),
    });
    this.#fetcher = new EntryFetcher({
      peers: () => peersOf(init),
      send: (to, request) => init.send(to, { kind: "entriesRequest", ...request }),
      now: () => environment.now(),
      after: (delayMs, run) => this.#after(delayMs, run),
      firstNumber: environment.wallTime(),
      onVain: (range, refusals) => {
        init.onEvent({ type: "logRepairWaiting", ...range, refusals });
      },
    });
    this.#scrubber = this.#makeScrubber();
  }

  #makeScrubber(): Scrubber {
    const { sealed, snapshots, scrub, environment, onEvent } = this.#init;
    const ofSnapshots = new SnapshotScrub({
      snapshots,
      onTrouble: (index, error) => {
        onEvent({ type: "snapshotFailed", index, error });
      },
    });
    const onDamage = this.#note.bind(this);
    return new Scrubber({
      sources:
        sealed === undefined
          ? [ofSnapshots]
          : [new SegmentScrub({ sealed, onDamage }), ofSnapshots],
      pace: scrub,
      after: (delayMs, run) => this.#after(delayMs, run),
      wallTime: () => environment.wallTime(),
    });
  }

  condition(): LogCondition {
    return {
      damagesFound: this.#damagesFound,
      damagesRepaired: this.#damagesRepaired,
      scrubbedAt: this.#scrubber.completedAt,
    };
  }

  /** Entries are lost, and this node should not lead. */
  isDamaged(): boolean {
    this.#forgetTrimmed();
    return this.#damaged.size > 0;
  }

  /** Whether a segment is being made anew. */
  get isRepairing(): boolean {
    return this.#isRepairing;
  }

  /** Whether an entry could not be read, and nothing has changed since: it may be replaced, too. */
  isAwaited(index: number): boolean {
    const id = this.#unreadable.get(index);
    return id !== undefined && this.#init.sealed?.idWith(index) === id;
  }

  /**
   * A read has met damage.
   *
   * @returns whether it is being repaired: then the read may be tried again later.
   */
  onDamage(error: unknown): error is LogError {
    if (!(error instanceof LogError) || error.code !== "LOG_CORRUPT") return false;
    const { sealed, recoverFromPeers } = this.#init;
    const { index } = error;
    const id = index === undefined ? undefined : sealed?.idWith(index);
    if (index === undefined || id === undefined) return false;
    this.#note(id, error);
    if (recoverFromPeers) this.#unreadable.set(index, id);
    return recoverFromPeers;
  }

  /** What a read that met damage should be told. */
  explained(error: unknown): unknown {
    if (!(error instanceof LogError) || error.code !== "LOG_CORRUPT") return error;
    const advice = this.onDamage(error)
      ? "It is being repaired from the other nodes: try again in a moment"
      : "With recoverFromPeers: true this node has the others repair it; else replace the node";
    return LogError.extending(error, advice);
  }

  onEnvelope(from: number, envelope: EntriesEnvelope): void {
    if (envelope.kind === "entriesReply") this.#fetcher.onReply(from, envelope);
    else this.#init.send(from, { kind: "entriesReply", ...this.#server.answer(envelope) });
  }

  onPeerUp(nodeId: number): void {
    this.#fetcher.onPeerUp(nodeId);
  }

  /** Calls off what is under way. */
  stop(): void {
    this.#isStopped = true;
    this.#timers.stop();
    this.#fetcher.stop();
    this.#scrubber.stop();
  }

  #after(delayMs: number, run: () => void): void {
    this.#timers.after(delayMs, () => {
      this.#init.guarded(run);
    });
  }

  #readForPeer(range: EntryRange): ReturnType<LogStore["entries"]> {
    try {
      return this.#init.log.entries(range);
    } catch (error) {
      this.onDamage(error);
      throw error;
    }
  }

  #note(segmentId: number, error: LogError): void {
    if (this.#damaged.has(segmentId)) return;
    this.#damaged.add(segmentId);
    this.#damagesFound += 1;
    this.#init.onEvent({ type: "logDamaged", error });
    // Not within a read: whoever reads is in the middle of something.
    this.#after(0, () => {
      this.#repairNext();
    });
  }

  #repairNext(): void {
    const { sealed, recoverFromPeers } = this.#init;
    if (sealed === undefined || !recoverFromPeers || this.#isRepairing) return;
    this.#forgetTrimmed();
    const id = [...this.#damaged].find((each) => !this.#resting.has(each));
    if (id === undefined) return;
    this.#isRepairing = true;
    sealed.repair(id, this.#fetcher.fetch, (result) => {
      this.#isRepairing = false;
      // Of a repair that was called off, the question would be asked on and on.
      this.#fetcher.stop();
      if (this.#isStopped) return;
      if (result instanceof Error) this.#onFailed(id, result);
      else this.#onRepaired(id, result);
      this.#after(0, () => {
        this.#repairNext();
      });
    });
  }

  #forgetTrimmed(): void {
    if (this.#damaged.size === 0) return;
    const ids = new Set(this.#init.sealed?.ids());
    for (const id of this.#damaged) if (!ids.has(id)) this.#damaged.delete(id);
  }

  #onRepaired(id: number, repaired: SegmentRepaired): void {
    this.#damaged.delete(id);
    this.#unreadable.clear();
    this.#damagesRepaired += 1;
    this.#init.onEvent({ type: "logRepaired", ...repaired });
    this.#init.onRepaired();
  }

  #onFailed(id: number, error: Error): void {
    // Trimmed meanwhile, it is missed by nobody.
    if (this.#init.sealed?.ids().includes(id) !== true) return;
    this.#init.onEvent({ type: "logRepairFailed", error });
    this.#resting.add(id);
    this.#after(RETRY_MS, () => {
      this.#resting.delete(id);
      this.#repairNext();
    });
  }
}

function peersOf({ nodeId, configuration }: LogCareInit): number[] {
  return allMembers(configuration()).flatMap(({ id }) => (id === nodeId ? [] : id));
}
