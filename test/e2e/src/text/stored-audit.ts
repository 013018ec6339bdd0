/**
 * Holds what is stored, read queue by queue from its beginning, against what was published: each
 * line once, with its bytes, in order per file, in queues without a gap.
 */

import { lineHash, lineNumber } from "./line-hash.ts";
import type { ProblemList } from "./problem-list.ts";
import type { LedgerFile, TextLedger } from "./text-ledger.ts";

export interface StoredLine {
  readonly queue: number;
  readonly offset: number;
  readonly messageGroup: string | undefined;
  readonly body: Uint8Array;
}

interface FileProgress {
  readonly file: LedgerFile;
  readonly queue: number;
  next: number;
}

export class StoredAudit {
  readonly #ledger: TextLedger;
  readonly #problems: ProblemList;
  readonly #files = new Map<string, FileProgress>();
  /** The next offset of each queue. */
  readonly #offsets: number[] = [];
  #lineCount = 0;
  #duplicateCount = 0;

  constructor(ledger: TextLedger, problems: ProblemList) {
    this.#ledger = ledger;
    this.#problems = problems;
  }

  get lineCount(): number {
    return this.#lineCount;
  }

  get duplicateCount(): number {
    return this.#duplicateCount;
  }

  add({ queue, offset, messageGroup: path = "", body }: StoredLine): void {
    this.#lineCount += 1;
    const next = this.#offsets[queue] ?? 0;
    if (offset !== next) this.#problems.add(`queue ${queue}: offset ${offset} follows ${next - 1}`);
    this.#offsets[queue] = offset + 1;
    const progress = this.#progress(path, queue);
    const number = lineNumber(body);
    const place = `offset ${offset} of queue ${queue}`;
    if (progress?.file.hashes[number] !== lineHash(body)) {
      this.#problems.add(`${place}: line ${number} of "${path}" was not published so`);
      return;
    }
    if (progress.queue !== queue)
      this.#problems.add(`${place}: ${path} began in queue ${progress.queue}`);
    if (number < progress.next) {
      this.#duplicateCount += 1;
      this.#problems.add(`${place}: line ${number} of ${path} is stored again`);
      return;
    }
    if (number > progress.next)
      this.#problems.add(`${place}: line ${number} of ${path} stands before ${progress.next}`);
    progress.next = number + 1;
  }

  /** When all queues were read. */
  finish(): void {
    for (const { path, hashes } of this.#ledger.files()) {
      const next = this.#files.get(path)?.next ?? 0;
      if (next < hashes.length)
        this.#problems.add(`${path}: ${next} of ${hashes.length} lines are stored`);
    }
  }

  #progress(path: string, queue: number): FileProgress | undefined {
    let progress = this.#files.get(path);
    if (progress !== undefined) return progress;
    const file = this.#ledger.file(path);
    if (file === undefined) return undefined;
    progress = { file, queue, next: 0 };
    this.#files.set(path, progress);
    return progress;
  }
}
