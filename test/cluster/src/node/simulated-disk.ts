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
  /** A file has got the name of a snapshot. */
  readonly onSnapshot: (path: string, bytes: Uint8Array) => void;
}

interface Plan {
  readonly fault: DiskFault;
  /** Of operations that it could strike. */
  countdown: number;
}

const WRITE_MS = 0.2;
const SYNC_MS = 2;

export class SimulatedDisk extends MemoryFileSystem {
  readonly #init: SimulatedDiskInit;
  /** The process that runs on it, or ran on it last. */
  gate: Gate | undefined;
  /** How many times slower than usual. */
  slowness = 1;
  readonly #reopened = new Set<string>();
  #plan: Plan | undefined;
  #isShort = false;

  constructor(init: SimulatedDiskInit) {
    const { queue, prng } = init;
    super({
      prng,
      schedule: (run, { operation }) => {
        const base = operation === "write" ? WRITE_MS : SYNC_MS;
        const delay = base * this.slowness * prng.fraction();
        queue.after(delay, () => this.gate?.run(run));
      },
      fault: (event) => this.#strike(event),
    });
    this.#init = init;
  }

  /** Lets a fault strike at an operation that is not far away. */
  plan(fault: DiskFault, countdown: number): void {
    this.#plan = { fault, countdown };
  }

  /** Takes back what was planned and did not happen. */
  spare(): void {
    this.#plan = undefined;
    this.slowness = 1;
  }

  /** Whether a file that was being received in a former life has become a snapshot now. */
  isResumed(path: string): boolean {
    const stem = path.slice(0, path.lastIndexOf("."));
    return [...this.#reopened].some((each) => each.startsWith(stem));
  }

  override open(path: string): OpenFile {
    if (path.endsWith(".received.part")) this.#reopened.add(path);
    return this.#observed(super.open(path));
  }

  override create(path: string): OpenFile {
    return this.#observed(super.create(path));
  }

  override rename(from: string, to: string): void {
    super.rename(from, to);
    if (to.endsWith(".snapshot")) this.#init.onSnapshot(to, this.bytesOf(to));
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
        this.#write(file, { parts, position, done });
      },
      sync: (done) => {
        file.sync(done);
      },
      close: () => {
        file.close();
      },
    };
  }

  #write(
    file: OpenFile,
    { parts, position, done }: { parts: readonly Uint8Array[]; position: number; done: Done },
  ): void {
    const plan = this.#plan;
    if (plan?.fault !== "shortWrite" || plan.countdown > 0 || this.#isShort) {
      file.write(parts, position, done);
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

  #strike(event: OperationEvent): Error | undefined {
    const { gate } = this;
    if (gate?.isOver === true) return new ProcessStopped(event.operation);
    const plan = this.#plan;
    if (plan === undefined || !couldStrike(plan.fault, event)) return undefined;
    if (plan.countdown > 0) {
      plan.countdown -= 1;
      return undefined;
    }
    if (plan.fault === "shortWrite") return undefined;
    this.#plan = undefined;
    this.#init.onFault(plan.fault, event);
    if (plan.fault === "stop") return new ProcessStopped(event.operation);
    return new Error(plan.fault === "full" ? "ENOSPC: no space left" : "EIO: i/o error");
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
