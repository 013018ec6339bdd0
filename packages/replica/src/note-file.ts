/** A small file that a node keeps for itself: replaced as a whole, or not at all. */

import type { FileSystem } from "@quorumlog/log";
import { assert } from "@quorumlog/std";
import { join } from "node:path";

const NOTE_BYTES_MAX = 1_048_576;

/** @returns `undefined` if there is no such file. */
export function readNote(
  fileSystem: FileSystem,
  directory: string,
  name: string,
): string | undefined {
  if (fileSystem.list(directory)?.includes(name) !== true) return undefined;
  const file = fileSystem.open(join(directory, name), "read");
  try {
    const bytes = Buffer.alloc(Math.min(file.size(), NOTE_BYTES_MAX));
    file.readNow(bytes, 0);
    return bytes.toString("utf8");
  } finally {
    file.close();
  }
}

/**
 * Writes a shorter text over a note, in place and without a sync: it needs less of the disk than a
 * new one. Whoever reads it in this boot of the machine sees it; a loss of power may leave either.
 */
export function amendNote(
  fileSystem: FileSystem,
  place: { readonly directory: string; readonly name: string },
  text: string,
): void {
  const file = fileSystem.open(join(place.directory, place.name), "readWrite");
  try {
    const bytes = Buffer.alloc(file.size(), " ");
    assert(Buffer.byteLength(text) <= bytes.length, "what is amended gets no longer");
    bytes.write(text);
    file.writeNow(bytes, 0);
  } finally {
    file.close();
  }
}

/** Is on the disk when it returns. */
export function writeNote(
  fileSystem: FileSystem,
  place: { readonly directory: string; readonly name: string },
  text: string,
): void {
  const { directory, name } = place;
  fileSystem.makeDirectory(directory);
  const path = join(directory, name);
  const draft = `${path}.new`;
  if (fileSystem.list(directory)?.includes(`${name}.new`) === true) fileSystem.remove(draft);
  const file = fileSystem.create(draft);
  try {
    file.writeNow(Buffer.from(text), 0);
    file.syncNow();
  } finally {
    file.close();
  }
  fileSystem.rename(draft, path);
  fileSystem.syncDirectory(directory);
}
