/** What the harness and a node's process say to each other, as messages between processes. */

import type { DiskCondition, TroubleCounts } from "@quorumlog/integration/testing";
import type { IfMissing, ReplicaTuning } from "@quorumlog/replica";
import type { ClusterKind } from "../cluster/target.ts";
import type { StateAudit } from "./state-audit.ts";

/** Everything that a node's process is started with, as one word of JSON. */
export interface NodeSettings {
  readonly kind: ClusterKind;
  readonly nodeId: number;
  readonly clusterId: string;
  readonly token: string;
  readonly directory: string;
  readonly ifMissing: IfMissing;
  /** Where it listens for other nodes, as `host:port`. */
  readonly listen: string;
  /** As every node knows them, by id. */
  readonly peers: Readonly<Record<number, string>>;
  /** Where frames really go, by the address that they are sent to. */
  readonly routes: Readonly<Record<string, string>>;
  /** That it listens on for clients, with the port behind it. */
  readonly host: string;
  readonly clientPort: number;
  /** Where clients are told to reach it. */
  readonly advertise: string;
  /** As it has to dial them; of brokers. */
  readonly nameServers: readonly string[];
  readonly disk: DiskKind;
  /** A file for the count of bytes that a power loss would take away: see `UnsyncedCount`. */
  readonly unsyncedCount: string;
  /** Of the machine that the node stands for; another one is behind a power loss. */
  readonly bootId: string;
  readonly tuning: Partial<ReplicaTuning>;
  readonly recoverFromPeers: boolean;
  /** Reads at the leader rest on its lease. */
  readonly leaseReads: boolean;
  readonly seed: number;
}

/**
 * `unsynced`: what is not synced is lost by `kill -9`. `leaky`: some of it was written. `lazyfs`:
 * the directory is on a mount that forgets it when it is told to.
 */
export type DiskKind = "lazyfs" | "leaky" | "real" | "unsynced";

export interface NodeView {
  readonly role: "follower" | "preCandidate" | "candidate" | "leader";
  readonly term: number;
  readonly leaderId: number | undefined;
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly firstOffset: number;
  readonly voters: readonly number[];
  readonly learners: readonly number[];
}

interface Timed {
  readonly timeoutMs?: number;
}

/** By name: what a call takes, and what it gives. */
export interface NodeCalls {
  readonly view: [undefined, NodeView];
  /** What it has, as digests, at the index that it has applied. */
  readonly audit: [undefined, StateAudit];
  readonly snapshotNames: [undefined, readonly string[]];
  readonly setDisk: [DiskCondition, undefined];
  readonly diskTroubles: [undefined, TroubleCounts];
  /** The clock on the wall goes so much ahead of the machine's, or behind it; in ms. */
  readonly setClock: [Timed & { readonly offsetMs: number }, undefined];
  readonly transfer: [Timed & { readonly to: number }, undefined];
  readonly addLearner: [Timed & { readonly nodeId: number; readonly address: string }, undefined];
  readonly promote: [Timed & { readonly nodeId: number }, undefined];
  readonly remove: [Timed & { readonly nodeId: number }, undefined];
  /** Has every replica keep its state. */
  readonly snapshot: [Timed, undefined];
  /** Ends at once, as by a crash; what was written is in the machine's hands. No answer. */
  readonly crash: [undefined, undefined];
  readonly close: [undefined, undefined];
}

/** What a node tells beside its answers. */
export type NodeWord =
  /** Now and then, and when something has changed. */
  | { readonly type: "view"; readonly view: NodeView }
  | { readonly type: "event"; readonly name: string; readonly detail: string };
