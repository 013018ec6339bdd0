/**
 * Lines of an input, as the bytes they are: what is no text stays what it was.
 *
 * A line ends with "\n" or "\r\n", and with nothing else: the other characters by which texts break
 * lines may be within JSON. The last one needs no end.
 */

import type { Readable } from "node:stream";

const NEWLINE = 0x0a;
const RETURN = 0x0d;

export interface LinesWish {
  /** Of a line; a longer one is not waited for until it ends. */
  readonly bytesMax: number;
  /** Ends the input. */
  readonly signal: AbortSignal;
}

/** A line without an end in sight, or an input that cannot be read. */
export class InputError extends Error {
  override readonly name = "InputError";
  readonly code = "INPUT";
}

/**
 * All lines that have arrived together, time after time; none is read ahead of whoever takes them.
 *
 * @throws InputError behind the lines that came before
 */
export async function* inputLines(
  input: Readable,
  { bytesMax, signal }: LinesWish,
): AsyncGenerator<readonly Buffer[], void, void> {
  const stop = (): void => {
    input.destroy();
  };
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  const splitter = new LineSplitter(bytesMax);
  try {
    for await (const chunk of input) {
      yield splitter.take(chunk as Buffer);
      splitter.demandBounded();
    }
    yield splitter.rest();
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof InputError) throw error;
    throw new InputError(`it cannot be read: ${(error as Error).message}`, { cause: error });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

class LineSplitter {
  readonly #bytesMax: number;
  /** Of a line that goes on. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  #count = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** @returns the lines that end in it, up to one that is too long. */
  take(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end));
      if (this.#partBytes > this.#bytesMax) return lines;
      lines.push(this.#line());
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return lines;
  }

  /** @returns the last line, unless it has ended. */
  rest(): Buffer[] {
    return this.#partBytes === 0 ? [] : [this.#line()];
  }

  /** @throws InputError */
  demandBounded(): void {
    if (this.#partBytes > this.#bytesMax)
      throw new InputError(`line ${this.#count + 1} is longer than ${this.#bytesMax} bytes`);
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.#partBytes += part.length;
  }

  #line(): Buffer {
    const [first = Buffer.alloc(0)] = this.#parts;
    const line = this.#parts.length > 1 ? Buffer.concat(this.#parts) : first;
    this.#parts = [];
    this.#partBytes = 0;
    this.#count += 1;
    return line.at(-1) === RETURN ? line.subarray(0, -1) : line;
  }
}
