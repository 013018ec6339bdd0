/** A machine: a disk and a clock that outlive the processes running on it. */

import type { DiskImage } from "../engine/disk.ts";
import { Disk } from "../engine/disk.ts";
import type { HostClock } from "../engine/host-clock.ts";
import type { LogView } from "../engine/log-view.ts";
import type { Incarnation, Loss, NodeId } from "@quorumlog/raft";
import type { WriteStage } from "../node/node-input.ts";
import type { SimNode } from "../node/sim-node.ts";

/**
 *     spare ──> recovering ──> up <──> (paused)
 *                   ^          │
 *                   └── down <─┘
 */
export type HostState = "spare" | "recovering" | "up" | "down";

/** As `packages/replica` keeps it in a file. */
export interface FlushNote {
  /** The boot in which a process has begun that was not closed. */
  readonly openIn: number | undefined;
  readonly loss: Loss | undefined;
}

const NEW_NOTE: FlushNote = { openIn: undefined, loss: undefined };

export class Host {
  readonly id: NodeId;
  readonly clock: HostClock;
  disk: Disk;
  readonly #flush: "sync" | "async";
  /** Of the machine: each loss of power is followed by one. */
  bootCount = 1;
  /** What its disk knows of flush mode `async`. */
  note: FlushNote = NEW_NOTE;
  /** Logs of which some was lost that had been acknowledged, until it has caught up. */
  readonly forgotten: Map<Incarnation, LogView[]> = new Map<Incarnation, LogView[]>();
  /** Which life of the disk this is; rises with each disk that is lost. */
  incarnation: Incarnation = 1;
  state: HostState = "spare";
  node: SimNode | undefined;
  /** Counts starts and crashes, so that what was meant for a former one is told apart. */
  epoch = 0;
  pauseCount = 0;
  /** Dies at the n-th write boundary of this kind from now. */
  armed: { readonly stage: WriteStage; countdown: number } | undefined;
  /** What was durable on the disks that were lost, by incarnation. */
  readonly lostDisks: Map<Incarnation, DiskImage> = new Map<Incarnation, DiskImage>();

  constructor(id: NodeId, clock: HostClock, flush: "sync" | "async") {
    this.id = id;
    this.clock = clock;
    this.#flush = flush;
    this.disk = new Disk(flush);
  }

  /** Whether its next process, or the one that runs, may lack what it has acknowledged. */
  get isSuspect(): boolean {
    const { openIn, loss } = this.note;
    return loss?.isSuspect === true || (openIn !== undefined && openIn !== this.bootCount);
  }

  /** As a process knows them that runs on this disk; none does that knows of the last one. */
  get lossCount(): number | undefined {
    const { openIn, loss } = this.note;
    return openIn === this.bootCount ? (loss?.count ?? 0) : undefined;
  }

  /** A process starts: it finds out what may be lost, and notes in which boot it runs. */
  begin(): Loss | undefined {
    if (this.#flush === "sync") return undefined;
    const { openIn, loss } = this.note;
    const isLost = openIn !== undefined && openIn !== this.bootCount;
    const next = isLost ? { count: (loss?.count ?? 0) + 1, isSuspect: true } : loss;
    this.note = { openIn: this.bootCount, loss: next };
    return next;
  }

  get isUp(): boolean {
    return this.state === "up";
  }

  get isPaused(): boolean {
    return this.pauseCount > 0;
  }

  /** Whether the disk still is what it was, as far as its next start will tell. */
  get isIntact(): boolean {
    return !this.disk.isDamaged();
  }

  /** The disk is lost with everything on it; the next process here is another one. */
  loseDisk(): void {
    this.lostDisks.set(this.incarnation, this.disk.durable);
    this.incarnation += 1;
    this.disk = new Disk(this.#flush);
    this.note = NEW_NOTE;
  }
}
