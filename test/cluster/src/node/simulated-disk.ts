/**
 * The disk of one machine: a file system in memory on virtual time, with faults at any operation.
 *
 * A fault strikes once. `stop` ends the process at the operation, before it has done anything.
 */

import type { Done, OpenFile } from "@quorumlog/log";
import { MemoryFileSystem, type OperationEvent, ProcessStopped } from "@quorumlog/log/testing";
import type { Prng } from "@quorumlog/std";
import type { EventQueue } from "../engine/event-queue.ts";
import type { Gate } from "./gate.ts";

export type DiskFault = "failedSync" | "failedWrite" | "shortWrite" | "full" | "stop";

export interface SimulatedDiskInit {
  readonly queue: EventQueue;
  readonly prng: Prng;
  /** A fault has struck. */
  readonly onFault: (fault: DiskFault, event: OperationEvent) => void;
  /** Whether it may lose what was not synced, as a sync that fails does. */
  readonly mayForget: () => boolean;
  /** A file has got the name of a snapshot. */
  readonly onSnapshot: (path: string, bytes: Uint8Array) => void;
}

interface Plan {
  readonly fault: DiskFault;
  /** Of operations that it could strike. */
  countdown: number;
  /** Only operations whose path has this in it. */
  readonly within: string;
}

/** Of a file of the log: where its last write begins, and the last one that was synced. */
interface WritePositions {
  written: number;
  synced: number;
}

/** In the path of every file of a snapshot. */
export const SNAPSHOTS = "/snapshots";

const SNAPSHOT = ".snapshot";
const RECEIVED = ".received.part";
/** A short snapshot that is received takes hardly more; all is on the disk after a few more. */
const CUT_OPERATIONS_MAX = 4;
/** Names come and go so much more often than snapshots are received. */
const CUT_NAMES = 45;
const WRITE_MS = 0.2;
const SYNC_MS = 2;

export class SimulatedDisk extends MemoryFileSystem {
  readonly #init: SimulatedDiskInit;
  /** The process that runs on it, or ran on it last. */
  gate: Gate | undefined;
  /** How many times slower than usual. */
  slowness = 1;
  /** How likely the process is to end where files come and go: see {@link onInstalled}. */
  cutChance = 0;
  /** How many times slower snapshots are on top of that: they are long, and the log comes first. */
  snapshotSlowness = 1;
  readonly #reopened = new Set<string>();
  readonly #positions = new Map<string, WritePositions>();
  #plan: Plan | undefined;
  #isShort = false;

  constructor(init: SimulatedDiskInit) {
    const { queue, prng } = init;
    super({
      prng,
      schedule: (run, { operation, path }) => {
        const base = operation === "write" ? WRITE_MS : SYNC_MS;
        const slowness = this.slowness * (path.includes(SNAPSHOTS) ? this.snapshotSlowness : 1);
        const delay = base * slowness * prng.fraction();
        queue.after(delay, () => this.gate?.run(run));
      },
      fault: (event) => this.#strike(event),
    });
    this.#init = init;
  }

  /** Lets a fault strike at an operation that is not far away. */
  plan(fault: DiskFault, countdown: number, within = ""): void {
    this.#plan = { fault, countdown, within };
  }

  /** Takes back what was planned and did not happen. */
  spare(): void {
    this.#plan = undefined;
    this.slowness = 1;
    this.snapshotSlowness = 1;
    this.cutChance = 0;
  }

  /**
   * Up to where a file of the log says itself that it had been synced: the last write that was
   * synced says so of everything before it. 0 for any other file.
   */
  provenBytes(path: string): number {
    return this.#positions.get(path)?.synced ?? 0;
  }

  /** Whether a file that was being received in a former life has become a snapshot now. */
  isResumed(path: string): boolean {
    const stem = path.slice(0, path.lastIndexOf("."));
    return [...this.#reopened].some((each) => each.startsWith(stem));
  }

  override open(path: string): OpenFile {
    if (path.endsWith(RECEIVED)) this.#reopened.add(path);
    return this.#observed(super.open(path));
  }

  override create(path: string): OpenFile {
    if (path.endsWith(RECEIVED)) this.#maybeCut(this.cutChance, RECEIVED);
    return this.#observed(super.create(path));
  }

  override remove(path: string): void {
    super.remove(path);
    this.#maybeCut(this.cutChance / CUT_NAMES, "");
  }

  /** A snapshot is being installed: the log begins anew, and what it replaces is removed. */
  onInstalled(): void {
    // The write of the log, or the removal of the former snapshot, or right behind it.
    this.#maybeCut(this.cutChance, this.#init.prng.pick(["", SNAPSHOTS]), 2);
  }

  override rename(from: string, to: string): void {
    super.rename(from, to);
    this.#maybeCut(this.cutChance / CUT_NAMES, "");
    if (to.endsWith(SNAPSHOT)) this.#init.onSnapshot(to, this.bytesOf(to));
  }

  /** All files, sorted. */
  paths(directories: readonly string[]): string[] {
    return directories.flatMap((directory) =>
      (this.list(directory) ?? [])
        .filter((name) => !name.includes("/"))
        .map((name) => `${directory}/${name}`),
    );
  }

  #observed(file: OpenFile): OpenFile {
    const sync = (done: Done): void => {
      const positions = this.#positions.get(file.path);
      const written = positions?.written ?? 0;
      file.sync((error) => {
        if (error === undefined && positions !== undefined) positions.synced = written;
        done(error);
      });
    };
    return {
      path: file.path,
      size: () => file.size(),
      readNow: (target, position) => file.readNow(target, position),
      writeNow: (bytes, position) => {
        file.writeNow(bytes, position);
      },
      syncNow: () => {
        file.syncNow();
      },
      write: (parts, position, done) => {
        this.#write(file, "write", { parts, position, done });
      },
      append: (parts, position, done) => {
        this.#write(file, "append", { parts, position, done });
      },
      appendSynced: (parts, position, done) => {
        this.#write(file, "append", {
          parts,
          position,
          done: (error) => {
            if (error === undefined) sync(done);
            else done(error);
          },
        });
      },
      sync,
      close: () => {
        file.close();
      },
    };
  }

  #write(
    file: OpenFile,
    how: "write" | "append",
    { parts, position, done }: { parts: readonly Uint8Array[]; position: number; done: Done },
  ): void {
    if (file.path.endsWith(".log")) this.#noteWrite(file, parts, position);
    const plan = this.#plan;
    if (plan?.fault !== "shortWrite" || plan.countdown > 0 || this.#isShort) {
      file[how](parts, position, done);
      return;
    }
    this.#plan = undefined;
    this.#isShort = true;
    const whole = Buffer.concat(parts);
    const part = whole.subarray(0, this.#init.prng.below(whole.length + 1));
    this.#init.onFault("shortWrite", { operation: "write", path: file.path, number: 0 });
    file.write([part], position, (error) => {
      done(error ?? new Error("EIO: a short write"));
    });
    this.#isShort = false;
  }

  #maybeCut(chance: number, within: string, operationsMax = CUT_OPERATIONS_MAX): void {
    const { prng } = this.#init;
    if (this.#plan === undefined && prng.chance(chance))
      this.plan("stop", prng.below(operationsMax), within);
  }

  /** A file that is renamed is written to under its new name only. */
  #noteWrite(file: OpenFile, parts: readonly Uint8Array[], position: number): void {
    const end = parts.reduce((sum, { byteLength }) => sum + byteLength, position);
    const positions = this.#positions.get(file.path) ?? { written: 0, synced: 0 };
    // A trailer, in the last bytes of a file, follows the write that it belongs to.
    if (end < file.size()) positions.written = position;
    this.#positions.set(file.path, positions);
  }

  #strike(event: OperationEvent): Error | undefined {
    const { gate } = this;
    if (gate?.isOver === true) return new ProcessStopped(event.operation);
    const plan = this.#plan;
    if (plan === undefined || !couldStrike(plan.fault, event)) return undefined;
    if (!event.path.includes(plan.within)) return undefined;
    if (plan.countdown > 0) {
      plan.countdown -= 1;
      return undefined;
    }
    if (plan.fault === "shortWrite") return undefined;
    this.#plan = undefined;
    // A write that fails as something is synced may cost that, too, as far as the node knows.
    const isLosing = plan.fault === "failedSync" || plan.fault === "failedWrite";
    if (isLosing && !this.#init.mayForget()) return undefined;
    this.#init.onFault(plan.fault, event);
    if (plan.fault === "stop") return new ProcessStopped(event.operation);
    if (plan.fault !== "full") return new Error("EIO: i/o error");
    return Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
  }
}

function couldStrike(fault: DiskFault, { operation }: OperationEvent): boolean {
  switch (fault) {
    case "failedSync":
      return operation === "sync" || operation === "syncDirectory";
    case "failedWrite":
      return ["write", "create", "rename", "remove"].includes(operation);
    case "shortWrite":
      return operation === "write";
    case "full":
      return operation === "write" || operation === "create";
    default:
      return operation !== "read" && operation !== "close";
  }
}
