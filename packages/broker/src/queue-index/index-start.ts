/**
 * Where the index begins: a note beside its files, without which a lost one at their front could
 * not be told from one that was trimmed.
 */

import { join } from "node:path";
import type { FileSystem } from "@quorumlog/log";

const NAME = "start";
const BYTES = 16;

/** @returns `undefined` if there is none: then there is no index. */
export function readStart(fileSystem: FileSystem, directory: string): number | undefined {
  if (fileSystem.list(directory)?.includes(NAME) !== true) return undefined;
  const file = fileSystem.open(join(directory, NAME), "read");
  try {
    const bytes = Buffer.alloc(BYTES);
    const start = Number(bytes.toString("latin1", 0, file.readNow(bytes, 0)));
    return Number.isSafeInteger(start) && file.size() === BYTES ? start : undefined;
  } finally {
    file.close();
  }
}

/** Is on the disk when it returns, and what was made or removed in the directory before. */
export function writeStart(fileSystem: FileSystem, directory: string, logOffset: number): void {
  const draft = join(directory, `${NAME}.new`);
  if (fileSystem.list(directory)?.includes(`${NAME}.new`) === true) fileSystem.remove(draft);
  const file = fileSystem.create(draft);
  try {
    file.writeNow(Buffer.from(String(logOffset).padStart(BYTES, "0")), 0);
    file.syncNow();
  } finally {
    file.close();
  }
  fileSystem.rename(draft, join(directory, NAME));
  fileSystem.syncDirectory(directory);
}
