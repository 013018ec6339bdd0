/**
 * A text file that is written line by line, in chunks.
 *
 * An error is kept until the end instead of thrown: within a seed it would pass for the seed's own.
 */

import { closeSync, existsSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Few enough that little is missing of the story of a seed that never ends. */
const CHUNK_LINE_COUNT = 256;

export class LineFile {
  #file: number | undefined;
  #problem: string | undefined;
  #pending: string[] = [];

  /** Makes the folder, too. */
  constructor(path: string) {
    this.#attempt(() => {
      makeFolder(dirname(path));
      this.#file = openSync(path, "w");
    });
  }

  write(line: string): void {
    this.#pending.push(line, "\n");
    if (this.#pending.length >= 2 * CHUNK_LINE_COUNT) this.#flush();
  }

  /** @returns why not everything was written; `undefined` if it was. */
  close(): string | undefined {
    this.#flush();
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined)
      this.#attempt(() => {
        closeSync(file);
      });
    return this.#problem;
  }

  #flush(): void {
    const text = this.#pending.join("");
    this.#pending = [];
    const file = this.#file;
    if (file === undefined || this.#problem !== undefined) return;
    // Unlike `writeSync`, it goes on until all of the text is written.
    this.#attempt(() => {
      writeFileSync(file, text);
    });
  }

  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#problem ??= error instanceof Error ? error.message : String(error);
    }
  }
}

/** Node's own `recursive` never returns where nothing can be made, as in /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path);
}
