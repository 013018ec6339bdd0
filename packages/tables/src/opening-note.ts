/**
 * A note that the database is being read, or first written to, in case that ends the process; or
 * that it failed.
 *
 * LMDB maps its file into memory and trusts it. A file that was cut short, or whose pages are not
 * what they were, can end the process at a read (SIGBUS, SIGSEGV): nothing can be caught. So who
 * reads it first counts how often that was begun and never ended, and gives the file up at last.
 * After a failed commit that is done at once: what is in the file may make it fail again and again.
 *
 * The pages that LMDB manages its room with are not read until a commit needs some, and damage
 * there ends the process as well (an assertion of its own, SIGABRT). What came before such a commit
 * is on the disk, so the next process meets the same page in its first one, which has a note, too.
 */

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A process may be killed in the middle for other reasons; whoever is wrong rebuilds the file. */
const ATTEMPT_COUNT_MAX = 2;

export class OpeningNote {
  readonly #path: string;

  constructor(directory: string, what: "opening" | "writing" = "opening") {
    this.#path = join(directory, what);
  }

  /** Whether it was begun too often, and never ended. */
  get isSpent(): boolean {
    return this.#count() >= ATTEMPT_COUNT_MAX;
  }

  /** Notes one more attempt. @returns whether there were too many before it. */
  begin(): boolean {
    const count = this.#count();
    writeFileSync(this.#path, `${count + 1}\n`, { mode: 0o600 });
    return count >= ATTEMPT_COUNT_MAX;
  }

  /** The database is not to be used again. */
  condemn(): void {
    writeFileSync(this.#path, `${ATTEMPT_COUNT_MAX}\n`, { mode: 0o600 });
  }

  end(): void {
    rmSync(this.#path, { force: true });
  }

  #count(): number {
    try {
      return Number.parseInt(readFileSync(this.#path, "utf8"), 10) || 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
      throw error;
    }
  }
}
