/** One call that appends: what it asked for, and where its answer goes. */

import type { CommandDraft } from "./container.ts";
import type { FlushMode } from "./flush-mode.ts";
import type { CommandResult } from "./group-state.ts";
import { ReplicaError } from "./replica-error.ts";

/**
 * What is waited for: `quorum`, synced on a majority and applied here; `leader`, synced here;
 * `async`, in the memory of this leader. In flush mode `async`, what is called synced here has been
 * written, and is synced soon after.
 */
export type Durability = "quorum" | "leader" | "async";

const DURABILITIES: ReadonlySet<Durability> = new Set(["quorum", "leader", "async"]);

/** @throws ReplicaError `INVALID_ARGUMENT` for what programs without types may pass. */
export function demandDurability(durability: Durability): void {
  if (DURABILITIES.has(durability)) return;
  const message = `durability: ${durability} is none of quorum, leader and async`;
  throw new ReplicaError("INVALID_ARGUMENT", message);
}

/** Of an option whose sense depends on what is decided as it is applied. */
export function needsQuorum(what: string): ReplicaError {
  return new ReplicaError("INVALID_ARGUMENT", `durability: ${what} needs quorum`);
}

/**
 * How well something is kept, on the nodes that its durability names: on their disks; in their
 * kernels, and on their disks soon after (flush mode `async`); or in the memory of the leader's
 * process alone.
 */
export type Reached = "synced" | "written" | "memory";

export function reachedBy(
  durability: "quorum" | "leader",
  flush: FlushMode | undefined,
): "synced" | "written";
export function reachedBy(durability: Durability, flush: FlushMode | undefined): Reached;
export function reachedBy(durability: Durability, flush: FlushMode | undefined): Reached {
  if (durability === "async") return "memory";
  return flush?.mode === "async" ? "written" : "synced";
}

/** How far an append has come when it is answered. */
export interface AppendedAt {
  readonly index: number;
  readonly term: number;
  /** Of its container: when the leader took it in, milliseconds since 1970. */
  readonly timestamp: number;
  /** `undefined` unless it is applied. */
  readonly result: CommandResult | undefined;
}

/** Belongs to the desk that it is submitted to. */
export interface AppendCall {
  readonly draft: CommandDraft;
  readonly durability: Durability;
  /** By the clock of the environment. */
  readonly deadline: number;
  /** Called once. */
  readonly settle: (error: ReplicaError | undefined, at: AppendedAt | undefined) => void;
  /** The desk's own: where the call is; `undefined` before it is submitted. */
  state?: "queued" | "underWay" | "settled" | undefined;
}
