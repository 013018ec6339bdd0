/** A node that another one wants to reach, over ways that may be cut: dials, sends, and listens. */

import { releaseBytes, type SlabPool } from "@quorumlog/std";
import { Backoff } from "../backoff.ts";
import type { Scheduler } from "../scheduler.ts";
import type { Lane, NodeId, PeerIdentity } from "../transport.ts";
import type { MemoryWay } from "./memory-way.ts";

/** The limits of a TCP transport that a twin keeps, by the names that they have there. */
export interface MemoryLimits {
  readonly frameBytesMax: number;
  readonly controlBytesMax: number;
  readonly bulkBytesMax: number;
  readonly pingMs: number;
  readonly silenceMs: number;
  readonly connectMs: number;
  readonly redialMsMin: number;
  readonly redialMsMax: number;
}

/** A process that runs, or has ended. */
export interface MemoryProcess {
  readonly identity: PeerIdentity;
  isRunning: boolean;
  /** A frame arrived. */
  deliver(groupId: number, from: PeerIdentity, payload: Uint8Array): void;
}

export interface MemoryPeerInit {
  readonly own: MemoryProcess;
  readonly nodeId: NodeId;
  readonly limits: MemoryLimits;
  readonly memory: SlabPool;
  readonly scheduler: Scheduler;
  /** In `[0, 1)`. */
  readonly random: () => number;
  readonly there: MemoryWay;
  readonly back: MemoryWay;
  /** What listens there now. */
  readonly processOf: (nodeId: NodeId) => MemoryProcess | undefined;
  readonly onUp: (identity: PeerIdentity) => void;
  readonly onDown: () => void;
  readonly onGone: () => void;
}

/** A connection with one process: ended by either end, once. */
interface Session {
  readonly target: MemoryProcess;
  readonly identity: PeerIdentity;
  readonly queuedBytes: Record<Lane, number>;
  silentTicks: number;
  isOver: boolean;
}

export class MemoryPeer {
  readonly #init: MemoryPeerInit;
  readonly #backoff: Backoff;
  #session: Session | undefined;
  /** Of the attempts so far, so that an answer to an earlier one is known as that. */
  #attempt = 0;
  #mayBeGone = false;
  #hurriedAtMs = Number.NEGATIVE_INFINITY;
  #isReleased = false;
  #cancel: () => void = () => undefined;

  constructor(init: MemoryPeerInit) {
    this.#init = init;
    const { redialMsMin: msMin, redialMsMax: msMax } = init.limits;
    this.#backoff = new Backoff({ msMin, msMax, random: init.random });
    this.#dial();
  }

  /** @throws RangeError if it is longer than a frame may be. */
  send(lane: Lane, groupId: number, parts: readonly Uint8Array[]): boolean {
    const session = this.#session;
    const { own, limits, there } = this.#init;
    if (session === undefined) return false;
    let bytes = 0;
    for (const part of parts) bytes += part.byteLength;
    if (bytes > limits.frameBytesMax)
      throw new RangeError(`a frame of ${bytes} bytes: more than ${limits.frameBytesMax}`);
    const queued = session.queuedBytes[lane];
    const bytesMax = lane === "control" ? limits.controlBytesMax : limits.bulkBytesMax;
    if (queued > 0 && queued + bytes > bytesMax) return false;
    session.queuedBytes[lane] += bytes;
    const payload = this.#copied(parts, bytes);
    const isLost = there.isLost();
    there.carry(lane, () => {
      session.queuedBytes[lane] -= bytes;
      // What a process has sent outlives it; what a connection had not delivered does not.
      const isDropped = session.isOver && own.isRunning;
      if (isDropped || isLost || !session.target.isRunning) releaseBytes(payload);
      else session.target.deliver(groupId, own.identity, payload);
    });
    return true;
  }

  #copied(parts: readonly Uint8Array[], length: number): Uint8Array {
    const bytes = this.#init.memory.take(length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.byteLength;
    }
    return bytes;
  }

  /** Nobody wants it any more. */
  release(): void {
    this.#isReleased = true;
    this.#cancel();
    this.#session = undefined;
  }

  /** The process that was talked to has ended: its machine says so. */
  onProcessEnd(target: MemoryProcess): void {
    const session = this.#session;
    if (session?.target !== target) return;
    this.#init.back.carry("control", () => {
      this.#onClosed(session);
    });
  }

  #dial(): void {
    const { there, back, nodeId, limits, scheduler, processOf } = this.#init;
    this.#attempt += 1;
    const attempt = this.#attempt;
    const answer = (run: () => void): void => {
      back.carry("control", () => {
        if (attempt === this.#attempt && !this.#isReleased) run();
      });
    };
    there.carry("control", () => {
      const target = processOf(nodeId);
      if (target === undefined)
        answer(() => {
          this.#onRefused();
        });
      else
        answer(() => {
          this.#onWelcome(target);
        });
    });
    this.#cancel = scheduler.after(limits.connectMs, () => {
      this.#mayBeGone = false;
      this.#dialLater();
    });
  }

  #onRefused(): void {
    this.#cancel();
    if (this.#mayBeGone) this.#init.onGone();
    this.#mayBeGone = false;
    this.#dialLater();
  }

  #onWelcome(target: MemoryProcess): void {
    this.#cancel();
    this.#backoff.reset();
    this.#mayBeGone = false;
    // A new object for each time that it is up, as the table of groups wants it.
    const identity = { ...target.identity };
    const queuedBytes = { control: 0, bulk: 0 };
    const session = { target, identity, queuedBytes, silentTicks: 0, isOver: false };
    this.#session = session;
    this.#init.onUp(identity);
    this.#tickLater(session);
  }

  #tickLater(session: Session): void {
    const { scheduler, limits } = this.#init;
    this.#cancel = scheduler.after(limits.pingMs, () => {
      session.silentTicks += 1;
      if (session.silentTicks * limits.pingMs >= limits.silenceMs) this.#end(session, false);
      else {
        this.#ping(session);
        this.#tickLater(session);
      }
    });
  }

  #ping(session: Session): void {
    const { there, back } = this.#init;
    there.carry("control", () => {
      const { isRunning } = session.target;
      back.carry("control", () => {
        if (isRunning) session.silentTicks = 0;
        else this.#onClosed(session);
      });
    });
  }

  #onClosed(session: Session): void {
    if (this.#session === session) this.#end(session, true);
  }

  #end(session: Session, isClosedThere: boolean): void {
    const { scheduler, limits, onDown } = this.#init;
    this.#cancel();
    session.isOver = true;
    this.#session = undefined;
    this.#mayBeGone = isClosedThere;
    onDown();
    const now = scheduler.now();
    if (now - this.#hurriedAtMs >= limits.redialMsMax) {
      this.#hurriedAtMs = now;
      this.#dial();
    } else this.#dialLater();
  }

  #dialLater(): void {
    // An answer that comes yet is to an attempt that was given up.
    this.#attempt += 1;
    this.#cancel = this.#init.scheduler.after(this.#backoff.next(), () => {
      this.#dial();
    });
  }
}
