/** What a node's driver loop takes in: everything from outside comes through one inbox. */

import type { AppendWork, Message, RaftCore, Snapshot } from "@quorumlog/raft";
import type { ApplyPart } from "./apply-thread.ts";
import type { ReadRequest, WriteRequest } from "./request-desk.ts";

export type NodeInput =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "appended"; readonly work: AppendWork }
  | { readonly kind: "snapshotStored"; readonly snapshot: Snapshot }
  | { readonly kind: "apply"; readonly part: ApplyPart }
  | { readonly kind: "write"; readonly request: WriteRequest }
  | { readonly kind: "read"; readonly request: ReadRequest }
  | { readonly kind: "call"; readonly run: (core: RaftCore) => void };

/** The moments around a write at which a process may die. */
export type WriteStage = "beforeWrite" | "afterWrite" | "afterSync";
