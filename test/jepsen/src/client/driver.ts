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
    // Clients do not begin all at once.
    await pause(prng.fraction() * intervalMs, stop);
    while (!stop.aborted) {
      const begunAt = performance.now();
      const attempt = client.next();
      if (attempt !== undefined) await this.#carryOut(attempt);
      const wantedMs = attempt === undefined ? PAUSE_MS : intervalMs * 2 * prng.fraction();
      // In turns of its own, whatever the pace: others share this process.
      await pause(wantedMs - (performance.now() - begunAt), stop);
    }
  }

  /** Reads until the client has seen everything. @throws of defects. */
  async drain(stop: AbortSignal): Promise<void> {
    const { client } = this.#init;
    while (!stop.aborted) {
      const attempt = await client.last();
      if (attempt === undefined) return;
      if (!(await this.#carryOut(attempt))) await pause(PAUSE_MS, stop);
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
    if (!(error instanceof CallError || error instanceof OperationError)) throw error;
    const { recorder, client, processStep } = this.#init;
    const isOver = isRead || error.outcome === "not-applied";
    const type = isOver ? "fail" : "info";
    recorder.record({ type, process: this.#process, action, value, error: error.code });
    if (isOver) return;
    this.#process += processStep;
    client.onUnknown?.();
  }
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
