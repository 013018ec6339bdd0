/** What a directory of snapshots holds when it is opened. */

import { join } from "node:path";
import type { FileSystem } from "@quorumlog/log";
import { releaseFile } from "./part-file.ts";
import { SnapshotError } from "./snapshot-error.ts";
import {
  completeName,
  isWrittenName,
  offerInName,
  positionInName,
  receivedName,
  type SnapshotOffer,
  type SnapshotPosition,
} from "./snapshot-name.ts";
import { type SnapshotMeta, SnapshotReader } from "./snapshot-reader.ts";
import type { SnapshotOwner } from "./snapshot-verifier.ts";

/** A file with the name of a snapshot that is none. */
export interface DamagedSnapshot extends SnapshotPosition {
  /** `SNAPSHOT_CORRUPT`, with file and offset. */
  readonly error: SnapshotError;
}

export interface SnapshotScan {
  /** Ascending by index. */
  readonly complete: readonly SnapshotMeta[];
  readonly damaged: readonly DamagedSnapshot[];
  /** What is left of a snapshot that was being received; not looked at yet. */
  readonly received: SnapshotOffer | undefined;
}

/**
 * Looks at every snapshot, and removes what is left of others that nobody will go on with.
 *
 * @throws SnapshotError `SNAPSHOT_FOREIGN`, `SNAPSHOT_VERSION`; nothing was removed then.
 */
export function scanSnapshots(
  fileSystem: FileSystem,
  directory: string,
  owner: SnapshotOwner,
): SnapshotScan {
  const names = fileSystem.list(directory) ?? [];
  const complete: SnapshotMeta[] = [];
  const damaged: DamagedSnapshot[] = [];
  for (const name of names) {
    const position = positionInName(name);
    if (position === undefined) continue;
    const found = inspect(fileSystem, join(directory, completeName(position)), owner, position);
    if (found instanceof SnapshotError) damaged.push({ ...position, error: found });
    else complete.push(found);
  }
  const received = names.map((name) => offerInName(name)).filter((offer) => offer !== undefined);
  const isNews = (offer: SnapshotOffer): boolean =>
    complete.every(({ index }) => index !== offer.index);
  // One is received at a time, so all but the newest were given up.
  const last = received.filter(isNews).at(-1);
  const isLeftover = (name: string): boolean =>
    isWrittenName(name) ||
    (offerInName(name) !== undefined && (last === undefined || name !== receivedName(last)));
  for (const name of names) if (isLeftover(name)) fileSystem.remove(join(directory, name));
  return { complete, damaged, received: last };
}

function inspect(
  fileSystem: FileSystem,
  path: string,
  owner: SnapshotOwner,
  position: SnapshotPosition,
): SnapshotMeta | SnapshotError {
  const file = fileSystem.open(path, "read");
  try {
    return new SnapshotReader(file, owner, position).meta;
  } catch (error) {
    if (error instanceof SnapshotError && error.code === "SNAPSHOT_CORRUPT") return error;
    throw error;
  } finally {
    releaseFile(file);
  }
}
