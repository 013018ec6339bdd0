/** What a replica tells its owner without being asked. Nothing waits for whoever listens. */

import type { Configuration, RoleName } from "@quorumlog/raft";
import type { EntriesRefusal } from "./entry-fetcher.ts";

export type ReplicaEvent =
  /** A group begins once all its founders have met and agreed: these have not yet. */
  | { readonly type: "founding"; readonly waitingFor: readonly number[] }
  | { readonly type: "role"; readonly role: RoleName; readonly term: number }
  | { readonly type: "leader"; readonly leaderId: number | undefined; readonly term: number }
  | { readonly type: "configuration"; readonly configuration: Configuration }
  | { readonly type: "peerUp" | "peerDown" | "peerGone"; readonly nodeId: number }
  /**
   * A peer was dialed in vain, and is dialed again; told once for each reason. `code` is that of a
   * `TransportError`, such as `PEER_TOKEN`, or of the system, such as `ECONNREFUSED`. Not told of a
   * transport that was passed in: whoever opened it has its log.
   */
  | {
      readonly type: "peerNotReached";
      readonly nodeId: number;
      readonly address: string;
      readonly code: string;
      readonly reason: string;
    }
  /** Somebody who dialed was kept out; told at most once in ten seconds for each `code`. */
  | {
      readonly type: "dialerRefused";
      /** An IP address. */
      readonly remote: string;
      readonly code: string;
      readonly reason: string;
    }
  /** A snapshot of a leader took the place of the log up to `index`. */
  | { readonly type: "snapshotInstalled"; readonly index: number }
  /**
   * A snapshot found no room on the disk, or is damaged, as the error says with its file: it is
   * made or fetched again later, and until then the log is kept from an older one on.
   */
  | { readonly type: "snapshotFailed"; readonly index: number; readonly error: Error }
  /** Entries of the log are damaged, as the error says with its file. */
  | { readonly type: "logDamaged"; readonly error: Error }
  /** All peers were asked for entries that were lost here, in vain: they are asked again. */
  | {
      readonly type: "logRepairWaiting";
      /** `[low, high)`, as indexes of the log. */
      readonly low: number;
      readonly high: number;
      readonly refusals: readonly EntriesRefusal[];
    }
  /** A file of the log was made anew, with so many entries of peers. */
  | { readonly type: "logRepaired"; readonly file: string; readonly fetchedCount: number }
  /** It was not, and is tried again ten seconds later. */
  | { readonly type: "logRepairFailed"; readonly error: Error }
  /**
   * The snapshot at `index`, which this node's log begins behind, is damaged: it serves, but can
   * bring up no node that needs it. A leader hands over, if another voter is well; the next trim
   * mends it.
   */
  | { readonly type: "baseDamaged"; readonly index: number }
  /**
   * This leader's clock on the wall is ahead of most others', by so much more than it may be: it
   * stamps records by theirs.
   */
  | { readonly type: "clockAhead"; readonly milliseconds: number }
  /**
   * The log's time is ahead of this leader's clock: a leader before had one that was far ahead, or
   * this one's is behind. It stands still until the clock gets there; meanwhile nothing becomes too
   * old to be retained, and no session expires.
   */
  | { readonly type: "logTimeAhead"; readonly milliseconds: number }
  /** This node's disk has too little room: until it has some more, the group refuses appends. */
  | {
      readonly type: "diskFull" | "diskRelieved";
      readonly freeBytes: number;
      readonly totalBytes: number;
      /** Free, for appends to be taken. */
      readonly neededBytes: number;
    }
  /**
   * This leader has the log trimmed up to `offset` before its time, as more of a disk of the group
   * is used than the retention allows.
   */
  | { readonly type: "trimmedForRoom"; readonly offset: number }
  /** What the checkpoint held was damaged: the state came from a snapshot and the log. */
  | { readonly type: "checkpointDamaged"; readonly error: Error }
  /**
   * The host went down with entries unsynced that this node had acknowledged: it neither votes nor
   * counts until it has caught up with a leader, and then says so.
   */
  | { readonly type: "suspect" | "suspicionCleared" }
  /** It takes part again without having caught up, as its owner said: what was lost stays lost. */
  | { readonly type: "lossAccepted" }
  /** So many voters are suspect that nobody can be elected: an owner has to accept the loss. */
  | { readonly type: "majoritySuspect"; readonly nodeIds: readonly number[] }
  /** A function of the application kept everything else waiting. */
  | { readonly type: "slowCallback"; readonly name: string; readonly milliseconds: number }
  /** The process did nothing for so long: a pause, or somebody's long computation. */
  | { readonly type: "stalled"; readonly milliseconds: number }
  /**
   * A frame of a peer made no sense, and was passed over. At most one in ten seconds for each peer:
   * `leftOut` are those that nobody was told of since the last one.
   */
  | { readonly type: "malformedFrame"; readonly from: number; readonly leftOut?: number }
  /** The same for one of a group of this number which other founders began. */
  | { readonly type: "foreignFrame"; readonly from: number; readonly leftOut?: number }
  /** It has stopped, for good. */
  | { readonly type: "failed"; readonly error: Error };

export type ReplicaEventListener = (event: ReplicaEvent) => void;
