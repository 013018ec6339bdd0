/** A machine: a disk and a clock that outlive the processes running on it. */

import type { DiskImage } from "../engine/disk.ts";
import { Disk } from "../engine/disk.ts";
import type { HostClock } from "../engine/host-clock.ts";
import type { Incarnation, NodeId } from "@quorumlog/raft";
import type { WriteStage } from "../node/node-input.ts";
import type { SimNode } from "../node/sim-node.ts";

/**
 *     spare ──> recovering ──> up <──> (paused)
 *                   ^          │
 *                   └── down <─┘
 */
export type HostState = "spare" | "recovering" | "up" | "down";

export class Host {
  readonly id: NodeId;
  readonly clock: HostClock;
  disk: Disk = new Disk();
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

  constructor(id: NodeId, clock: HostClock) {
    this.id = id;
    this.clock = clock;
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
    this.disk = new Disk();
  }
}
