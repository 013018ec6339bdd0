/** What can be wrong with snapshots on a disk. Codes are API; messages are for people. */

import { InvariantViolation } from "@quorumlog/std";

export type SnapshotErrorCode =
  /** Bytes are not what was written: of a file, or of what a peer sends. */
  | "SNAPSHOT_CORRUPT"
  /** A snapshot of another cluster or group. */
  | "SNAPSHOT_FOREIGN"
  /** Written by a later version. */
  | "SNAPSHOT_VERSION"
  /** The disk is full: what was being made was given up, and everything else goes on. */
  | "SNAPSHOT_NO_SPACE"
  /** The file system has failed, or whoever gives the state. Nothing after it was done. */
  | "SNAPSHOT_FAILED"
  /** The store was closed, or has failed before. */
  | "SNAPSHOT_CLOSED";

export interface SnapshotErrorDetails {
  readonly file?: string;
  /** In bytes, from the start of the file. */
  readonly offset?: number;
  readonly cause?: unknown;
}

export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
  readonly code: SnapshotErrorCode;
  readonly file: string | undefined;
  readonly offset: number | undefined;

  constructor(code: SnapshotErrorCode, message: string, details: SnapshotErrorDetails = {}) {
    const { file, offset, cause } = details;
    const place =
      file === undefined ? "" : ` (${file}${offset === undefined ? "" : `, byte ${offset}`})`;
    super(`${message}${place}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.file = file;
    this.offset = offset;
  }
}

/**
 * Runs a step on the file system, whose errors become those of the store.
 *
 * @throws SnapshotError `SNAPSHOT_FAILED`, or what the step throws itself.
 */
export function translatedSnapshotError<T>(message: string, file: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof SnapshotError || cause instanceof InvariantViolation) throw cause;
    throw new SnapshotError("SNAPSHOT_FAILED", message, { file, cause });
  }
}
