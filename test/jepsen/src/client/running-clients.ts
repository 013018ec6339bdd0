/**
 * All clients of a workload, in a few processes: started, told where the cluster is, crashed and
 * replaced, and brought to their end; and the one history of what they asked for and were told.
 */

import { Prng } from "@quorumlog/std";
import { messageOfTarget, type Target } from "../cluster/target.ts";
import { DRAINED, type HistoryEvent } from "../history/history-event.ts";
import type { Workload } from "../workload/workload.ts";
import { ClientProcess } from "./client-process.ts";
import type { ClientSettings, RecordedEvent } from "./client-words.ts";
import { EventMerge, type EventSource } from "./event-merge.ts";

export interface ClientOptions {
  readonly seed: number;
  /** Operations per second of all clients together; default what the workload says. */
  readonly rate?: number;
  /** Default 2. */
  readonly processCount?: number;
  /** What the command line of each process begins with; default: nothing. */
  readonly command?: readonly string[];
  /** When the run began: `process.hrtime.bigint()`. Default: now. */
  readonly startedAt?: bigint;
}

/** In the order of their times and without gaps, over all calls. */
type EventListener = (events: readonly HistoryEvent[]) => void;

export interface RunningClients {
  /** Nodes came or went. */
  setTarget(target: Target): void;
  /**
   * `kill -9` of one of the processes: what it has under way is of unknown outcome. Another one
   * takes its place.
   *
   * @returns whom it hit, for people; once the new one runs.
   */
  crash(): Promise<string>;
  /**
   * With the cluster whole: ends the mix, and reads until everything was seen. Then all processes
   * end, and the last events have come.
   *
   * @param signal - Gives up.
   * @returns false if not everything was seen in time: the history does not say that it was.
   * @throws Error of a defect
   */
  drain(timeoutMs?: number, signal?: AbortSignal): Promise<boolean>;
  /** Ends all processes now, as {@link crash}; nothing comes after that. Idempotent. */
  stop(): Promise<void>;
  /** Rejects at the first defect: a client did what it cannot, or its process ended by itself. */
  readonly failed: Promise<never>;
}

interface Member {
  readonly process: ClientProcess;
  readonly source: EventSource;
  /** What each of its process numbers has under way. */
  readonly open: Map<number, RecordedEvent>;
}

const PROCESSES = 2;
const DRAIN_MS = 120_000;

/** @returns once all processes run. @throws Error if one does not */
export async function startClients(
  workload: Workload,
  target: Target,
  options: ClientOptions,
  onEvents: EventListener,
): Promise<RunningClients> {
  const clients = new ClientCrowd(workload, target, options, onEvents);
  try {
    await clients.start();
    return clients;
  } catch (error) {
    await clients.stop();
    throw error;
  }
}

class ClientCrowd implements RunningClients {
  readonly failed: Promise<never>;
  readonly #workload: Workload;
  readonly #options: ClientOptions;
  readonly #onEvents: EventListener;
  readonly #startedAt: bigint;
  readonly #prng: Prng;
  readonly #merge = new EventMerge();
  readonly #members: Member[] = [];
  /** By slot: the number that its next process has. */
  readonly #numbers: number[];
  #target: Target;
  #lives = 0;
  #isOver = false;
  #fail: (error: Error) => void = () => undefined;

  constructor(workload: Workload, target: Target, options: ClientOptions, onEvents: EventListener) {
    this.#workload = workload;
    this.#target = target;
    this.#options = options;
    this.#onEvents = onEvents;
    this.#startedAt = options.startedAt ?? process.hrtime.bigint();
    this.#prng = new Prng(options.seed);
    this.#numbers = Array.from({ length: workload.clientCount }, (_, slot) => slot);
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // Whoever waits for something else hears of it by that.
    this.failed.catch(() => undefined);
  }

  async start(): Promise<void> {
    const { processCount = PROCESSES } = this.#options;
    for (let i = 0; i < processCount; i++) {
      const slots = this.#numbers
        .map((_, slot) => slot)
        .filter((slot) => slot % processCount === i);
      this.#members.push(this.#begin(slots));
      // The first one makes what all of them need.
      if (i === 0) await this.#allStarted();
    }
    await this.#allStarted();
  }

  setTarget(target: Target): void {
    this.#target = target;
    for (const { process } of this.#members)
      process.tell({ type: "target", target: messageOfTarget(target) });
  }

  async crash(): Promise<string> {
    const at = this.#prng.below(this.#members.length);
    const member = this.#members[at];
    if (member === undefined || this.#hasEnded()) return "nobody";
    const { life, slots } = member.process.settings;
    await this.#end(member);
    if (this.#hasEnded()) return "nobody";
    const next = this.#begin(slots.map(([slot]) => slot));
    this.#members[at] = next;
    await Promise.race([next.process.started(), this.failed]);
    return `process ${life} of clients, with ${slots.length} clients`;
  }

  async drain(timeoutMs: number = DRAIN_MS, signal?: AbortSignal): Promise<boolean> {
    const patience = new AbortController();
    const giveUp = (): void => {
      patience.abort();
    };
    const late = new Promise<false>((resolve) => {
      patience.signal.addEventListener("abort", () => {
        resolve(false);
      });
    });
    const timer = setTimeout(giveUp, timeoutMs);
    signal?.addEventListener("abort", giveUp);
    try {
      const isDrained = await Promise.race([this.failed, this.#drained(), late]);
      await this.stop();
      if (isDrained) this.#onEvents([this.#merge.append(drainedAt(this.#now()))]);
      return isDrained;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
      await this.stop();
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#members.splice(0).map((member) => this.#end(member)));
  }

  async #allStarted(): Promise<void> {
    const started = this.#members.map(({ process }) => process.started());
    await Promise.race([Promise.all(started), this.failed]);
  }

  /** Nobody reads for good before nobody writes any more. */
  async #drained(): Promise<true> {
    await Promise.all(this.#members.map(({ process }) => process.ask("finish")));
    await Promise.all(this.#members.map(({ process }) => process.ask("drain")));
    return true;
  }

  #begin(slots: readonly number[]): Member {
    const { clientCount, name, rate } = this.#workload;
    const { seed } = this.#options;
    const life = this.#lives;
    this.#lives += 1;
    const settings: ClientSettings = {
      workload: name,
      target: messageOfTarget(this.#target),
      seed,
      rate: this.#options.rate ?? rate,
      life,
      clientCount,
      slots: slots.map((slot) => [slot, this.#numbers[slot] ?? slot]),
      startedAt: String(this.#startedAt),
    };
    const source = this.#merge.source(this.#now());
    const open = new Map<number, RecordedEvent>();
    const process = new ClientProcess({
      settings,
      command: this.#options.command ?? [],
      onEvents: ({ events, until }) => {
        source.add(events);
        source.until = until;
        for (const event of events) this.#note(event, open);
        this.#pass();
      },
      onFailure: (error) => {
        this.#fail(error);
      },
    });
    return { process, source, open };
  }

  #note(event: RecordedEvent, open: Map<number, RecordedEvent>): void {
    const { process, type } = event;
    if (process === "nemesis") return;
    if (type === "invoke") open.set(process, event);
    else open.delete(process);
    // Whoever goes on behind an unknown outcome, or in its place, has another number.
    const { clientCount } = this.#workload;
    this.#numbers[process % clientCount] = process + clientCount;
  }

  async #end({ process, source, open }: Member): Promise<void> {
    await process.kill();
    const timeNs = this.#now();
    const error = "CLIENT_CRASHED";
    const events = [...open.values()].map((event): RecordedEvent => {
      return { ...event, timeNs, type: "info", error };
    });
    source.add(events);
    source.end();
    this.#pass();
  }

  #hasEnded(): boolean {
    return this.#isOver;
  }

  #pass(): void {
    const events = this.#merge.take();
    if (events.length > 0) this.#onEvents(events);
  }

  #now(): number {
    return Number(process.hrtime.bigint() - this.#startedAt);
  }
}

function drainedAt(timeNs: number): RecordedEvent {
  return { timeNs, type: "info", process: "nemesis", action: DRAINED, value: null };
}
