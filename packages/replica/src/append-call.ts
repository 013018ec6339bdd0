/** One call that appends: what it asked for, and where its answer goes. */

import type { CommandDraft } from "./container.ts";
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

/** How far an append has come when it is answered. */
export interface AppendedAt {
  readonly index: number;
  readonly term: number;
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
