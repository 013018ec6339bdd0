/**
 * Where the state is kept between two snapshots, so that a restart does not have to apply again all
 * that came since the last one.
 *
 *     apply ──> tables in memory ──> cut: what changed, and the index ──> one transaction, later
 *
 * A checkpoint makes a restart shorter, and nothing else: whatever is wrong with it, the last
 * snapshot and the log behind it are there. So no answer ever waits for one, and no replica sends
 * one. The store itself is not of this package, which stands on no database.
 */

/** The entry behind which a state was kept. */
export interface CheckpointPosition {
  readonly index: number;
  readonly term: number;
  /** The configuration there, as bytes. */
  readonly configuration: Uint8Array;
}

/** What the replica keeps beside the tables; without a value it is gone. */
export interface CheckpointRow {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** All that changed since the last one, as of an entry. */
export interface CheckpointCut {
  readonly position: CheckpointPosition;
  readonly rows: readonly CheckpointRow[];
}

export interface CheckpointInit {
  /** Of the group: the store makes a folder of its own there. Nobody else has it open. */
  readonly directory: string;
  readonly clusterId: string;
  readonly groupId: number;
  readonly nodeId: number;
  /** Which life of the node's disk this is. */
  readonly incarnation: number;
  /** Less is pending than before. */
  readonly onDurable: () => void;
  /** What is kept was damaged, and set aside: it begins anew, with the next cut. */
  readonly onDamaged: (error: CheckpointError) => void;
  /** A write has failed: the node has to stop. Called once; nothing is written after it. */
  readonly onFailure: (error: CheckpointError) => void;
}

export interface Checkpoint {
  /**
   * Of changes that were made since the last cut, and of cuts that are not on the disk: roughly
   * what they take in memory.
   */
  readonly changedBytes: number;
  readonly pendingBytes: number;
  /** Whether the next cut takes the place of everything: its rows are all there are. */
  readonly isWhole: boolean;

  /**
   * Opens what is there, or makes it.
   *
   * @returns where the state was kept; `undefined` if there is none.
   * @throws CheckpointError `CHECKPOINT_FOREIGN`, `CHECKPOINT_VERSION`, `CHECKPOINT_FAILED`
   */
  open(init: CheckpointInit): CheckpointPosition | undefined;

  /**
   * Fills the tables with what was kept; they stay what they are if that is damaged.
   *
   * @returns the rows of the replica; `undefined`, after `onDamaged`, if it is damaged.
   */
  load(): ReadonlyMap<string, Uint8Array> | undefined;

  /** Takes what changed. It will be on the disk as a whole or not at all, behind all before it. */
  cut(cut: CheckpointCut): void;

  /** Writes what was cut, and lets go of the disk. Idempotent. */
  close(onClosed: () => void): void;
}

export type CheckpointErrorCode =
  /** Of another cluster, group, node, or life of the node's disk. */
  | "CHECKPOINT_FOREIGN"
  /** Written by a later version. */
  | "CHECKPOINT_VERSION"
  /** What is kept is not what was written. */
  | "CHECKPOINT_CORRUPT"
  /** The disk or the database failed. Nothing after it was done. */
  | "CHECKPOINT_FAILED";

/** What can be wrong with a checkpoint. Codes are API; messages are for people. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
  readonly code: CheckpointErrorCode;
  /** The file, or the directory of a database. */
  readonly file: string;

  constructor(
    code: CheckpointErrorCode,
    message: string,
    details: { readonly file: string; readonly cause?: unknown },
  ) {
    const { file, cause } = details;
    super(`${message} (${file})`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.file = file;
  }
}
