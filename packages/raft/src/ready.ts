/**
 * What the core owes the world after its inputs: the whole contract with the driver.
 *
 *     takeReady() ──> messages   send at once
 *                 ├─> append     one after another: write, sync, then `responses`, then `done`
 *                 └─> apply      one after another: apply in order, then `done`
 *
 * `messages` promise nothing about this node's disk, so they may leave while it writes (thesis
 * §10.2.1). A vote or an acknowledgement does, so it rides on the append work that makes it true:
 * the driver delivers `responses` only after that work *and all before it* are durable, those to
 * itself by `step`, the others by the network, in order. Append work and apply work may overlap.
 */

import type { Configuration } from "./configuration.ts";
import type { Entry, LogPosition } from "./entry.ts";
import type { LogIndex, NodeId, Term } from "./ids.ts";
import type { Loss } from "./loss.ts";
import type { Message } from "./message.ts";
import type { Snapshot } from "./snapshot.ts";

export type RoleName = "follower" | "preCandidate" | "candidate" | "leader";

/** For routing and display; need not be stored. */
export interface SoftState {
  readonly role: RoleName;
  readonly leaderId: NodeId | undefined;
}

/** What survives a restart, beside the log (paper, figure 2). */
export interface HardState {
  readonly currentTerm: Term;
  readonly votedFor: NodeId | undefined;
  /** Need not be durable: a lower value after a restart is safe. */
  readonly commitIndex: LogIndex;
}

/** A linearizable read may be served once `readIndex` is applied (thesis §6.4). */
export interface ReadState {
  /** As given to `readIndex()`. */
  readonly context: number;
  readonly readIndex: LogIndex;
}

/** Hand back to `onAppendDone` once the work that carried it is durable. */
export interface AppendDone {
  readonly term: Term;
  /** The log's last position when the work was made; `undefined` if nothing was unstable. */
  readonly last: LogPosition | undefined;
  /** The snapshot that the work installed. */
  readonly snapshotIndex: LogIndex | undefined;
}

export interface AppendWork {
  /** Replaces everything the log holds from `entries[0].index` on. */
  readonly entries: readonly Entry[];
  /**
   * `undefined` if unchanged. One ordered stream with `entries`: term and vote are durable no later
   * than they, the commit index no earlier. An entry of a term that the disk does not know can be
   * overwritten by an older leader; a commit index without its entries commits what stood there.
   */
  readonly hardState: HardState | undefined;
  /** Replaces log and state machine, before `entries` are appended to it. */
  readonly snapshot: Snapshot | undefined;
  /** False if nothing here need survive a crash: a moved commit index alone does not. */
  readonly mustSync: boolean;
  readonly responses: readonly Message[];
  readonly done: AppendDone | undefined;
}

/** Hand back to `onApplyDone` once the entries are applied. */
export interface ApplyDone {
  readonly lastIndex: LogIndex;
  /** The last configuration entry among them; 0 for none. */
  readonly lastConfigurationIndex: LogIndex;
  /** What they count for in `applyingBytesMax`. */
  readonly bytes: number;
  /** When they were handed out, and what those of this term count for in the uncommitted bytes. */
  readonly term: Term;
  readonly termCommandBytes: number;
}

export interface ApplyWork {
  /**
   * Contiguous and committed. Each configuration entry goes to `applyConfigurationChange`. Apply
   * work that was handed out before a snapshot is applied before that snapshot is installed.
   */
  readonly entries: readonly Entry[];
  readonly done: ApplyDone;
}

/** What became of a proposal that had been parked during a leadership transfer. */
export interface ParkedOutcome {
  readonly ticket: number;
  /** `dropped`: never appended, so it is safe to propose elsewhere. */
  readonly result: { readonly firstIndex: LogIndex; readonly term: Term } | "dropped";
}

export interface Ready {
  /** `undefined` if unchanged. */
  readonly softState: SoftState | undefined;
  readonly readStates: readonly ReadState[];
  /** Contexts of reads that this node will not answer; ask again. */
  readonly droppedReads: readonly number[];
  readonly parked: readonly ParkedOutcome[];
  /**
   * This node is not suspect any more: to be noted on the disk. Nothing waits for that, as a node
   * that is started without the note is only suspect once more. `undefined` if unchanged.
   */
  readonly loss: Loss | undefined;
  readonly messages: readonly Message[];
  readonly append: AppendWork | undefined;
  readonly apply: ApplyWork | undefined;
}

/** A look at the core, for operators and tests. */
export interface Status extends SoftState, HardState {
  readonly id: NodeId;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  /** Durable on this node. */
  readonly stableIndex: LogIndex;
  readonly appliedIndex: LogIndex;
  readonly configuration: Configuration;
  readonly transferee: NodeId | undefined;
  /** What crashes of the host may have cost this log; `undefined` if there was none. */
  readonly loss: Loss | undefined;
  readonly uncommittedBytes: number;
}
