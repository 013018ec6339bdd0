/**
 * What a command waits for, on stderr: in a terminal one line that is written over, elsewhere a
 * line now and then. Nothing is said of what is over at once.
 */

const QUIET_MS = 1_000;
const TERMINAL_MS = 250;
const PLAIN_MS = 10_000;
/** Of a terminal that does not say how wide it is. */
const COLUMNS = 80;
const CLEAR_LINE = "\r\u001B[K";

export class Progress implements Disposable {
  readonly #startedAt = performance.now();
  readonly #first: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #isShown = false;
  #text: () => string;

  /** @param text - As it is now, whenever it is shown. */
  constructor(text: () => string) {
    this.#text = text;
    this.#first = setTimeout(() => {
      this.#show();
      const interval = process.stderr.isTTY ? TERMINAL_MS : PLAIN_MS;
      this.#timer = setInterval(() => {
        this.#show();
      }, interval);
    }, QUIET_MS);
  }

  /** What is shown the next time. */
  tell(text: string): void {
    this.#text = () => text;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#first);
    clearInterval(this.#timer);
    if (this.#isShown && process.stderr.isTTY) process.stderr.write(CLEAR_LINE);
  }

  #show(): void {
    this.#isShown = true;
    const seconds = Math.round((performance.now() - this.#startedAt) / 1_000);
    const line = `${this.#text()} (${seconds} s)`;
    if (!process.stderr.isTTY) process.stderr.write(`${line}\n`);
    else process.stderr.write(CLEAR_LINE + line.slice(0, (process.stderr.columns || COLUMNS) - 1));
  }
}

export async function withProgress<T>(
  text: string | (() => string),
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  using progress = new Progress(typeof text === "string" ? () => text : text);
  return await work(progress);
}
