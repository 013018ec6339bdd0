/** What a replica is made of. */

import type { LogStore, SealedSegments } from "@quorumlog/log";
import type { RaftOptions } from "@quorumlog/raft";
import type { Transport } from "@quorumlog/transport";
import type { Environment } from "./environment.ts";
import type { FlushNote } from "./flush-note.ts";
import type { Machine } from "./machine.ts";
import type { ProposalLimits } from "./proposal-desk.ts";
import type { ReplicaEvent } from "./replica-event.ts";
import type { ScrubPace } from "./scrubber.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import type { OpenCheckpoint } from "./state-keeper.ts";

export interface ReplicaTiming {
  /** Of the core's clock. */
  readonly tickMs: number;
  /** An event tells of it when nothing happened for longer. */
  readonly stallMs: number;
}

/** What is done about damage to the log's files. */
export interface CareInit {
  /** The part of the log that can be repaired; `undefined` if its store cannot do that. */
  readonly sealed: SealedSegments | undefined;
  readonly recoverFromPeers: boolean;
  readonly scrub: ScrubPace;
}

export interface ReplicaInit {
  readonly nodeId: number;
  readonly incarnation: number;
  readonly groupId: number;
  readonly raft: RaftOptions;
  readonly timing: ReplicaTiming;
  readonly limits: ProposalLimits;
  readonly snapshotBytesPerSecond: number;
  readonly flushNote: Pick<FlushNote, "loss" | "mayLack" | "onCleared">;
  readonly environment: Environment;
  readonly log: LogStore;
  readonly care: CareInit;
  readonly snapshots: SnapshotStore;
  readonly transport: Transport;
  /** By node id; those of the log come on top. */
  readonly addresses: ReadonlyMap<number, string>;
  readonly machine: Machine | undefined;
  readonly kept?: OpenCheckpoint | undefined;
  readonly onEvent: (event: ReplicaEvent) => void;
  /** After each turn. */
  readonly onTurn: () => void;
}
