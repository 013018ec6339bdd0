/**
 * What clients of one process ask for and are told, on its way to whoever keeps it.
 *
 * What was begun is recorded before it is begun, and what was taken before it is given up: whenever
 * this process is killed, nobody has seen more of it than its events tell. Events of a turn of the
 * event loop go together.
 */

import type { ClientWord, RecordedEvent } from "./client-words.ts";

export interface RecorderInit {
  readonly now: () => number;
  /** @returns once whoever keeps it gets it, also if this process ends. */
  readonly send: (word: ClientWord) => Promise<void>;
}

/** If nothing happens, that is said as often. */
const QUIET_MS = 50;

export class Recorder {
  readonly #init: RecorderInit;
  readonly #timer: NodeJS.Timeout;
  #events: RecordedEvent[] = [];
  #flushing: Promise<void> | undefined;

  constructor(init: RecorderInit) {
    this.#init = init;
    this.#timer = setInterval(() => {
      void this.flushed();
    }, QUIET_MS);
  }

  /** At this moment. */
  record(event: Omit<RecordedEvent, "timeNs">): void {
    this.#events.push({ ...event, timeNs: this.#init.now() });
  }

  /** @returns once everything that was recorded is kept. Never rejects. */
  flushed(): Promise<void> {
    this.#flushing ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#flushing = undefined;
        const events = this.#events;
        this.#events = [];
        void this.#init.send({ type: "events", events, until: this.#init.now() }).then(resolve);
      });
    });
    return this.#flushing;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flushed();
  }
}
