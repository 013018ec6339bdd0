/** What the harness and a node's process say to each other, as messages between processes. */

import type { Flush, GroupStatus, IfMissing, ReplicaTuning } from "@quorumlog/replica";
import type { OperationCounts } from "./faulty-file-system.ts";
import type { RecordAudit } from "./record-audit.ts";

/** Everything that a node's process is started with, as one word of JSON. */
export interface NodeSettings {
  readonly nodeId: number;
  readonly directory: string;
  readonly listen: string;
  readonly peers: Readonly<Record<number, string>>;
  readonly ifMissing: IfMissing;
  readonly disk: DiskKind;
  readonly flush?: Flush;
  /** See `parseDiskFault`. */
  readonly fault?: string;
  readonly tuning: Partial<ReplicaTuning>;
  readonly retentionBytes?: number;
  readonly recoverFromPeers?: boolean;
  /** Where frames really go, by the address that they are sent to. */
  readonly routes?: Readonly<Record<string, string>>;
  readonly seed: number;
}

/** `memory-until-synced` makes `kill -9` a power loss; with `leaky`, some of it was written. */
export type DiskKind = "real" | "memory-until-synced" | "leaky-until-synced";

export interface Acknowledged {
  readonly offset: number;
  readonly isDuplicate: boolean;
}

interface Timed {
  readonly timeoutMs?: number;
}

/** By name: what a call takes, and what it gives. */
export interface NodeCalls {
  readonly append: [
    Timed & { data: Uint8Array; session?: { sessionId: number; sequence: number } },
    Acknowledged,
  ];
  readonly openSession: [Timed, number];
  readonly barrier: [Timed, undefined];
  readonly status: [undefined, GroupStatus];
  /** Reads everything that is retained. */
  readonly audit: [undefined, RecordAudit];
  /** Lengths of the records that were read, and the first of their bytes that are wrong. */
  readonly read: [{ from: number; maxBytes: number }, ReadSummary];
  readonly trim: [Timed & { before: number }, undefined];
  readonly snapshot: [Timed, undefined];
  readonly transfer: [Timed & { to: number }, undefined];
  readonly addLearner: [Timed & { nodeId: number; address: string }, undefined];
  readonly promote: [Timed & { nodeId: number }, undefined];
  readonly remove: [Timed & { nodeId: number }, undefined];
  readonly replace: [Timed & { former: number; nodeId: number; address: string }, undefined];
  /** Sets a fault of the disk, or calls it off, and counts operations from here on. */
  readonly arm: [{ fault: string | undefined }, undefined];
  readonly operations: [undefined, OperationCounts];
  readonly close: [{ handOver: boolean }, undefined];
}

export interface ReadSummary {
  readonly nextOffset: number;
  readonly count: number;
  /** Offsets whose bytes no client has written. */
  readonly wrong: readonly number[];
}

/** What a node tells beside its answers. */
export interface NodeEventWord {
  readonly type: "event";
  readonly name: string;
  /** JSON. */
  readonly detail: string;
}
