/**
 * Where the index begins: a note beside its files, without which a lost one at their front could
 * not be told from one that was trimmed. Sixteen digits, and eight of their CRC-32.
 */

import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { FileSystem } from "@quorumlog/log";

const NAME = "start";
const DIGITS = 16;
const CHECKSUM_DIGITS = 8;
const BYTES = DIGITS + CHECKSUM_DIGITS;

/** @returns `undefined` if there is none, or it is damaged: then there is no index. */
export function readStart(fileSystem: FileSystem, directory: string): number | undefined {
  if (fileSystem.list(directory)?.includes(NAME) !== true) return undefined;
  const file = fileSystem.open(join(directory, NAME), "read");
  try {
    const bytes = Buffer.alloc(BYTES);
    const text = bytes.toString("latin1", 0, file.readNow(bytes, 0));
    const start = Number(text.slice(0, DIGITS));
    return file.size() === BYTES && text === noteOf(start) ? start : undefined;
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
    file.writeNow(Buffer.from(noteOf(logOffset)), 0);
    file.syncNow();
  } finally {
    file.close();
  }
  fileSystem.rename(draft, join(directory, NAME));
  fileSystem.syncDirectory(directory);
}

function noteOf(logOffset: number): string {
  const digits = String(logOffset).padStart(DIGITS, "0");
  return digits + crc32(digits).toString(16).padStart(CHECKSUM_DIGITS, "0");
}
