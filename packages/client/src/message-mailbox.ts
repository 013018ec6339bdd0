/** Between workers that hand messages out and a loop that takes them, one at a time. */

import type { ConsumedMessage } from "./consumed-message.ts";
import { onceAborted } from "./waiting.ts";

interface Letter {
  readonly message: ConsumedMessage;
  readonly signal: AbortSignal;
  readonly finish: () => void;
}

export class MessageMailbox {
  readonly #letters: Letter[] = [];
  readonly #readers: ((letter: Letter | undefined) => void)[] = [];
  #isClosed = false;

  /** Resolves when the message is finished; never if it is not, before `signal` is aborted. */
  put(message: ConsumedMessage, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        const at = this.#letters.indexOf(letter);
        if (at >= 0) this.#letters.splice(at, 1);
        reject(new Error("the queue is somebody else's"));
      };
      const finish = (): void => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      const letter = { message, signal, finish };
      onceAborted(signal, onAbort);
      const reader = this.#readers.shift();
      if (reader === undefined) this.#letters.push(letter);
      else reader(letter);
    });
  }

  /** It was taken, and not finished: it is the next to be taken, unless its queue is lost. */
  putBack(letter: Letter): void {
    if (letter.signal.aborted) return;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#letters.unshift(letter);
    else reader(letter);
  }

  /** @returns `undefined` once it is closed. */
  take(): Promise<Letter | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    const letter = this.#letters.shift();
    if (letter !== undefined) return Promise.resolve(letter);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  close(): void {
    this.#isClosed = true;
    for (const reader of this.#readers.splice(0)) reader(undefined);
  }
}
