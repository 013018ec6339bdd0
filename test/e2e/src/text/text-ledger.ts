/** What was published: of each file a hash for each line, and nothing of the text. */

import type { TextFile } from "./source-text.ts";
import { lineHash } from "./line-hash.ts";

export interface LedgerFile {
  readonly path: string;
  readonly hashes: Uint32Array;
}

export class TextLedger {
  readonly #files = new Map<string, LedgerFile>();
  #lineCount = 0;

  get lineCount(): number {
    return this.#lineCount;
  }

  get fileCount(): number {
    return this.#files.size;
  }

  add({ path, lines }: TextFile): void {
    const hashes = new Uint32Array(lines.length);
    for (const [number, line] of lines.entries()) hashes[number] = lineHash(line);
    this.#files.set(path, { path, hashes });
    this.#lineCount += lines.length;
  }

  file(path: string): LedgerFile | undefined {
    return this.#files.get(path);
  }

  files(): IterableIterator<LedgerFile> {
    return this.#files.values();
  }
}
