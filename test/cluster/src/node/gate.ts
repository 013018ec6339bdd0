/** One process: whatever it does comes through here, waits while it is paused, and ends with it. */

import type { EventQueue } from "../engine/event-queue.ts";
import { Violation } from "../engine/violation.ts";

export class Gate {
  readonly #queue: EventQueue;
  readonly #onEnded: () => void;
  #state: "running" | "paused" | "dying" | "ended" = "running";
  #held: (() => void)[] = [];

  /** @param onEnded - Called once, when nothing of the process is on the stack any more. */
  constructor(queue: EventQueue, onEnded: () => void) {
    this.#queue = queue;
    this.#onEnded = onEnded;
  }

  get isOver(): boolean {
    return this.#state === "dying" || this.#state === "ended";
  }

  get isPaused(): boolean {
    return this.#state === "paused";
  }

  /** Runs what happens to the process. */
  run(act: () => void): void {
    if (this.#state === "paused") this.#held.push(act);
    if (this.#state !== "running") return;
    try {
      act();
    } catch (error) {
      // Its last words, as its disk was taken away, are of no interest.
      if (!this.isOver || error instanceof Violation) throw error;
    }
  }

  /** Nothing happens in it until it is resumed; then everything that waited, in order. */
  pause(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    const held = this.#held;
    this.#held = [];
    for (const act of held) this.#queue.after(0, () => this.run(act));
  }

  /** Ends the process where it stands: what is on its stack unwinds, and nothing follows. */
  die(): void {
    if (this.isOver) return;
    this.#state = "dying";
    this.#held = [];
    this.#queue.after(0, () => {
      this.#state = "ended";
      this.#onEnded();
    });
  }
}
