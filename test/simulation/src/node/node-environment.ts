/** What is around a node `N`: the world it acts on, and the checkers that watch it. */

import type {
  AppendWork,
  DropReason,
  Entry,
  Loss,
  Message,
  RaftEvent,
  Snapshot,
} from "@quorumlog/raft";
import type { CrashKind } from "../engine/disk.ts";
import type { EventQueue } from "../engine/event-queue.ts";
import type { LogView } from "../engine/log-view.ts";
import type { Marks } from "../engine/marks.ts";
import type { Trace } from "../engine/trace.ts";
import type { SwarmOptions } from "../fault/swarm.ts";
import type { WriteStage } from "./node-input.ts";
import type { ProposalWatcher } from "./request-desk.ts";
import type { ApplyEffect } from "./state-machine.ts";

/** Sees everything that a node does. Throws a `Violation` where that is wrong. */
export interface NodeWatcher<N> extends ProposalWatcher {
  onEvent(node: N, event: RaftEvent): void;
  /** Work was handed out; the node's own view does not have it yet. */
  onAppend(node: N, work: AppendWork): void;
  onDurable(node: N): void;
  onStepped(node: N, message: Message, reason: DropReason | undefined): void;
  /** @param isPromise - It rode on append work, which is durable now. */
  onSend(node: N, message: Message, isPromise: boolean): void;
  onApply(node: N, entry: Entry, effect: ApplyEffect): void;
  onSnapshot(node: N, snapshot: Snapshot, origin: "taken" | "installed"): void;
  /** @param forgotten - Its logs as they were before it lost something of them. */
  onCleared(node: N, forgotten: readonly LogView[]): void;
  onTurnEnd(node: N): void;
}

/** The world around a node. */
export interface NodeEnvironment<N> {
  readonly queue: EventQueue;
  readonly trace: Trace;
  readonly marks: Marks;
  readonly swarm: SwarmOptions;
  readonly watcher: NodeWatcher<N>;
  transmit(node: N, message: Message): void;
  /** The node is not suspect any more, which its disk has to know. */
  noteCleared(node: N, loss: Loss): void;
  /** The process ends here and now. */
  crash(node: N, kind: CrashKind, reason: string): void;
  /** Whether the process dies at this boundary; if so it is dead when this returns. */
  diesAt(node: N, stage: WriteStage): boolean;
}
