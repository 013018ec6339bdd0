/** Making a log, and the conditions that making and opening share. */

import type { DirectoryLock, FileSystem } from "./file-system.ts";
import type { HardState, LogBase } from "./log-entry.ts";
import { LogError, translated } from "./log-error.ts";
import type { LogOptions } from "./log-options.ts";
import { identityOf, removeLeftovers } from "./recovery.ts";
import type { LogIdentity } from "./segment-header.ts";
import { SegmentMaker } from "./segment-maker.ts";

/** Where a log is, and whose it is. */
export interface LogPlace {
  readonly fileSystem: FileSystem;
  /** Belongs to this log alone. */
  readonly directory: string;
  readonly identity: LogIdentity;
  readonly options: LogOptions;
}

const NO_HARD_STATE: HardState = { currentTerm: 0, votedFor: undefined, commitIndex: 0 };

/**
 * Makes a log where there is none, beginning behind `base`.
 *
 * @param salt - Chance: 32 bits that no other log of this disk has.
 * @throws LogError `LOG_EXISTS`, `LOG_LOCKED`, `LOG_TOO_LARGE`, `LOG_FAILED`
 */
export function createLog(
  place: LogPlace,
  start: { readonly base: LogBase; readonly salt: number },
): void {
  demandConfigurationFits(start.base, place.options);
  translated("the log cannot be made", place.directory, () => {
    make(place, start);
  });
}

function make(
  { fileSystem, directory, identity, options }: LogPlace,
  { base, salt }: { readonly base: LogBase; readonly salt: number },
): void {
  fileSystem.makeDirectory(directory);
  const lock = claimDirectory(fileSystem, directory);
  try {
    if (identityOf(fileSystem, directory) !== undefined)
      throw new LogError("LOG_EXISTS", "there is a log in this directory", { file: directory });
    removeLeftovers(fileSystem, directory, 0);
    const { segmentBytes } = options;
    new SegmentMaker(fileSystem, directory).makeFirst(
      { identity, segmentId: 1, segmentBytes, salt },
      {
        hardState: { ...NO_HARD_STATE, commitIndex: base.index },
        syncedThrough: { segmentId: 0, offset: 0 },
        base,
        isReset: true,
      },
    );
  } finally {
    lock.release();
  }
}

/**
 * Each segment repeats the configuration, and has to leave room for entries.
 *
 * @throws LogError `LOG_TOO_LARGE`
 */
export function demandConfigurationFits({ configuration }: LogBase, options: LogOptions): void {
  const bytesMax = options.segmentBytes / 16;
  if (configuration.byteLength <= bytesMax) return;
  throw new LogError(
    "LOG_TOO_LARGE",
    `a configuration has ${configuration.byteLength} bytes, and may have ${bytesMax}`,
  );
}

/** @throws LogError `LOG_LOCKED` */
export function claimDirectory(fileSystem: FileSystem, directory: string): DirectoryLock {
  const lock = fileSystem.lock(directory);
  if ("heldBy" in lock)
    throw new LogError("LOG_LOCKED", `the log is open in ${lock.heldBy}: stop it first`, {
      file: directory,
    });
  return lock;
}
