/** How a process is, second by second: memory, disk, event loop, collector; and when it stalled. */

import { readFileSync } from "node:fs";
import { constants, monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";
import { bytesWithin } from "./disk-usage.ts";
import { PauseJournal, type Stall } from "./pause-journal.ts";

/** Of one second. */
export interface ProcessSample {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly rssMb: number;
  readonly anonymousMb: number;
  readonly heapUsedMb: number;
  readonly externalMb: number;
  readonly arrayBuffersMb: number;
  /** Of its directory, as allocated. */
  readonly diskMb: number;
  /** Of one core; threads that write and collect count, too. */
  readonly cpuShare: number;
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
  readonly gcCount: number;
  readonly gcMs: number;
  readonly gcMaxMs: number;
  readonly stalls: readonly Stall[];
}

interface OpenStall {
  readonly kind: Stall["kind"];
  readonly startedAt: number;
  readonly milliseconds: number;
}

/** What the collector's performance entries hold. */
interface GcEntry {
  readonly startTime: number;
  readonly duration: number;
  readonly detail?: { readonly kind?: number };
}

export const STALL_MS = 200;
const LOOK_MS = 20;
const GC_NOTED_MS = 20;
const MB = 1_048_576;
const GC_NAMES: ReadonlyMap<number, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, "mark-sweep"],
  [constants.NODE_PERFORMANCE_GC_MINOR, "scavenge"],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, "weak callbacks"],
]);

export class ProcessProbe {
  readonly journal: PauseJournal = new PauseJournal();
  readonly #directory: string;
  readonly #delay = monitorEventLoopDelay({ resolution: 10 });
  #gcCount = 0;
  #gcMs = 0;
  #gcMaxMs = 0;
  #cpu = process.cpuUsage();
  #sampledAt = performance.now();
  /** Their causes are looked up with the next sample: the collector's are told a little later. */
  #stalls: OpenStall[] = [];

  constructor(directory: string) {
    this.#directory = directory;
    this.#delay.enable();
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) this.#onGc(entry);
    }).observe({ entryTypes: ["gc"] });
    let lookedAt = performance.now();
    setInterval(() => {
      const now = performance.now();
      if (now - lookedAt - LOOK_MS > STALL_MS) this.noteStall("loop", lookedAt, now - lookedAt);
      lookedAt = now;
    }, LOOK_MS);
  }

  noteStall(kind: Stall["kind"], startedAt: number, milliseconds: number): void {
    this.#stalls.push({ kind, startedAt, milliseconds });
  }

  /** Of the time since the last one. */
  async sample(): Promise<ProcessSample> {
    const diskMb = (await bytesWithin(this.#directory)) / MB;
    const now = performance.now();
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    const { user, system } = process.cpuUsage(this.#cpu);
    const sample = {
      at: Date.now(),
      ...mappedMemory(),
      heapUsedMb: heapUsed / MB,
      externalMb: external / MB,
      arrayBuffersMb: arrayBuffers / MB,
      diskMb,
      cpuShare: (user + system) / 1_000 / (now - this.#sampledAt),
      loopP99Ms: this.#delay.percentile(99) / 1e6,
      loopMaxMs: this.#delay.max / 1e6,
      gcCount: this.#gcCount,
      gcMs: this.#gcMs,
      gcMaxMs: this.#gcMaxMs,
      stalls: this.#takeStalls(now),
    };
    this.#delay.reset();
    this.#cpu = process.cpuUsage();
    this.#sampledAt = now;
    this.#gcCount = 0;
    this.#gcMs = 0;
    this.#gcMaxMs = 0;
    return sample;
  }

  #onGc({ startTime, duration, detail }: GcEntry): void {
    this.#gcCount += 1;
    this.#gcMs += duration;
    this.#gcMaxMs = Math.max(this.#gcMaxMs, duration);
    if (duration < GC_NOTED_MS) return;
    const kind = detail?.kind ?? 0;
    const cause = `gc: ${GC_NAMES.get(kind) ?? "other"}`;
    this.journal.note({ cause, startedAt: startTime, milliseconds: duration });
  }

  #takeStalls(now: number): Stall[] {
    const stalls = this.#stalls.map(({ kind, startedAt, milliseconds }) => ({
      kind,
      at: Date.now() - (now - startedAt),
      milliseconds,
      causes: this.journal.causesOf(startedAt, milliseconds),
    }));
    this.#stalls = [];
    this.journal.forgetOld();
    return stalls;
  }
}

/** Of all threads; anonymous memory is what is no file's, and so what may leak. */
function mappedMemory(): { readonly rssMb: number; readonly anonymousMb: number } {
  const text = readFileSync("/proc/self/smaps_rollup", "utf8");
  const field = (name: string): number => {
    const found = new RegExp(`^${name}:\\s+(?<kb>\\d+) kB$`, "mu").exec(text);
    return Number(found?.groups?.["kb"] ?? Number.NaN) / 1_024;
  };
  return { rssMb: field("Rss"), anonymousMb: field("Anonymous") };
}
