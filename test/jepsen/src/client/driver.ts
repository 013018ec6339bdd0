/**
 * Drives one client: what it asks for is recorded, carried out, and recorded again, one thing at a
 * time and at a steady pace.
 */

import { OperationError } from "@quorumlog/protocol";
import type { Prng } from "@quorumlog/std";
import { CallError } from "../service/call-error.ts";
import type { Attempt, LogicalClient } from "../workload/workload.ts";
import type { Recorder } from "./recorder.ts";

export interface DriverInit {
  readonly client: LogicalClient;
  readonly recorder: Recorder;
  readonly prng: Prng;
  /** The number that it has first; the next is so much higher. */
  readonly process: number;
  readonly processStep: number;
  /** From the begin of an operation to that of the next one, in the mean. */
  readonly intervalMs: number;
}

/** Before a client that has nothing to ask for, or a final read that failed, is asked again. */
const PAUSE_MS = 20;
/** How far a client may be behind its pace. */
const LATE_INTERVALS_MAX = 10;

export class Driver {
  readonly #init: DriverInit;
  #process: number;

  constructor(init: DriverInit) {
    this.#init = init;
    this.#process = init.process;
  }

  /** Asks for whatever comes next, until it is stopped. @throws of defects. */
  async mix(stop: AbortSignal): Promise<void> {
    const { client, intervalMs, prng } = this.#init;
    let dueAt = performance.now();
    while (!stop.aborted) {
      // What was late is made up for, but for the time of a fault.
      const earliest = performance.now() - LATE_INTERVALS_MAX * intervalMs;
      dueAt = Math.max(earliest, dueAt) + intervalMs * 2 * prng.fraction();
      // In turns of its own, whatever the pace: others share this process.
      await pause(dueAt - performance.now(), stop);
      const attempt = client.next();
      if (attempt === undefined) await pause(PAUSE_MS, stop);
      else await this.#carryOut(attempt);
    }
  }

  /** Reads until the client has seen everything. @throws of defects. */
  async drain(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const attempt = await this.#lastOf();
      if (attempt === "none") return;
      const isDone = attempt !== undefined && (await this.#carryOut(attempt));
      if (!isDone) await pause(PAUSE_MS, stop);
    }
  }

  /** @returns `none`: it has seen everything; `undefined`: it could not find out what is left. */
  async #lastOf(): Promise<Attempt | "none" | undefined> {
    try {
      return (await this.#init.client.last()) ?? "none";
    } catch (error) {
      if (isOperating(error)) return undefined;
      throw error;
    }
  }

  /** @returns whether it was done. */
  async #carryOut(attempt: Attempt): Promise<boolean> {
    const { recorder } = this.#init;
    const { action, value } = attempt;
    const process = this.#process;
    recorder.record({ type: "invoke", process, action, value });
    await recorder.flushed();
    try {
      const told = await attempt.run();
      recorder.record({ type: "ok", process, action, value: told });
    } catch (error) {
      this.#onError(attempt, error);
      return false;
    }
    if (attempt.onRecorded === undefined) return true;
    await recorder.flushed();
    attempt.onRecorded();
    return true;
  }

  #onError({ action, value, isRead }: Attempt, error: unknown): void {
    if (!isOperating(error)) throw error;
    const { recorder, client, processStep } = this.#init;
    const isOver = isRead || error.outcome === "not-applied";
    const type = isOver ? "fail" : "info";
    recorder.record({ type, process: this.#process, action, value, error: error.code });
    if (isOver) return;
    this.#process += processStep;
    client.onUnknown?.();
  }
}

/** What faults of a cluster explain; anything else is a defect. */
function isOperating(error: unknown): error is CallError | OperationError {
  return error instanceof CallError || error instanceof OperationError;
}

async function pause(milliseconds: number, stop: AbortSignal): Promise<void> {
  if (stop.aborted) return;
  await new Promise<void>((resolve) => {
    const goOn = (): void => {
      clearTimeout(timer);
      stop.removeEventListener("abort", goOn);
      resolve();
    };
    const timer = setTimeout(goOn, Math.max(0, milliseconds));
    stop.addEventListener("abort", goOn, { once: true });
  });
}
