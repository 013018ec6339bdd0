/**
 * How many bytes a power loss would take away at this moment, in a file: so that it can be told
 * afterwards how many it took.
 *
 * Eight bytes, written over at each operation: `kill -9` leaves the last of them in the page cache.
 */

import { closeSync, openSync, readFileSync, writeSync } from "node:fs";

const COUNT_BYTES = 8;

export class UnsyncedCount {
  readonly #fd: number;
  readonly #bytes = Buffer.alloc(COUNT_BYTES);
  #told = -1;

  constructor(path: string) {
    this.#fd = openSync(path, "w", 0o600);
    this.tell(0);
  }

  tell(count: number): void {
    if (count === this.#told) return;
    this.#told = count;
    this.#bytes.writeDoubleLE(count);
    writeSync(this.#fd, this.#bytes, 0, COUNT_BYTES, 0);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** @returns 0 if no process has counted there. */
export function readUnsyncedCount(path: string): number {
  try {
    return readFileSync(path).readDoubleLE();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
}
