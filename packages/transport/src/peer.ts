/**
 * A node that this one wants to reach: dialed until it is up, and again when it is not any more.
 *
 *               both lanes welcomed
 *     dialing ─────────────────────> up
 *        ^ ^                          │ a lane has ended
 *        │ └──────────────────────────┘ at once; within a second of the last time, later
 *        └── later, with jitter: a lane has ended
 *
 * Both lanes are dialed together, and one does not outlive the other: a node is up or it is not.
 */

import { type Address, formatAddress } from "./address.ts";
import { Backoff } from "./backoff.ts";
import type { LaneEnd } from "./lane-end.ts";
import { OutboundLane } from "./outbound-lane.ts";
import type { Lane, NodeId, PeerIdentity } from "./transport.ts";
import type { TransportContext } from "./transport-context.ts";
import type { PeerErrorCode } from "./transport-error.ts";
import type { LogLevel } from "./transport-log.ts";
import { count, type PeerStatus } from "./transport-status.ts";

export interface PeerInit {
  readonly nodeId: NodeId;
  readonly address: Address;
}

/** What stays up for so long is not flapping. */
const STEADY_MS = 5_000;

/** The two connections of one attempt. */
interface Session {
  readonly control: OutboundLane;
  readonly bulk: OutboundLane;
}

export class Peer {
  readonly #init: PeerInit;
  readonly #context: TransportContext;
  readonly #backoff: Backoff;
  #session: Session | undefined;
  readonly #welcomes = new Map<Lane, PeerIdentity>();
  #isUp = false;
  #upSinceMs = 0;
  #hurriedAtMs = Number.NEGATIVE_INFINITY;
  /** When a redial was moved up, as the peer had connected. */
  #calledAtMs = Number.NEGATIVE_INFINITY;
  /** It was up, and a connection was closed: if nobody listens now, its process is gone. */
  #mayBeGone = false;
  #failure: LaneEnd | undefined;
  #dialCount = 0;
  #said = "";
  #cancelRedial: () => void = () => undefined;

  constructor(init: PeerInit, context: TransportContext) {
    const { redialMsMin: msMin, redialMsMax: msMax } = context.options;
    this.#init = init;
    this.#context = context;
    this.#backoff = new Backoff({ msMin, msMax, random: context.random });
    this.#dial();
  }

  get address(): Address {
    return this.#init.address;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  send(lane: Lane, groupId: number, parts: readonly Uint8Array[]): boolean {
    const session = this.#session;
    if (!this.#isUp || session === undefined) return false;
    return session[lane].send(groupId, parts);
  }

  tick(): void {
    this.#session?.control.tick();
    // The first may have ended both.
    this.#session?.bulk.tick();
  }

  /**
   * It has connected, so it is there: a redial that waits need not. Not more often than the longest
   * wait, so that a peer that comes and goes is not dialed in a circle.
   */
  hurry(): void {
    const now = this.#context.scheduler.now();
    if (this.#session !== undefined) return;
    if (now - this.#calledAtMs < this.#context.options.redialMsMax) return;
    this.#calledAtMs = now;
    this.#cancelRedial();
    this.#dial();
  }

  /** Nobody wants it any more. What was sent may still leave. */
  release(): void {
    this.#cancelRedial();
    const session = this.#session;
    this.#session = undefined;
    this.#isUp = false;
    session?.control.finish();
    session?.bulk.finish();
  }

  status(): PeerStatus {
    const session = this.#session;
    const failure = this.#failure;
    const waiting = failure?.kind === "refused" ? "refused" : "dialing";
    return {
      nodeId: this.#init.nodeId,
      address: formatAddress(this.#init.address),
      state: this.#isUp ? "up" : waiting,
      failure: failure === undefined ? undefined : { code: failure.code, message: failure.message },
      queuedBytes: {
        control: session?.control.queuedBytes ?? 0,
        bulk: session?.bulk.queuedBytes ?? 0,
      },
      dialCount: this.#dialCount,
    };
  }

  #dial(): void {
    this.#dialCount += 1;
    this.#welcomes.clear();
    const { nodeId: toNodeId, address } = this.#init;
    const lane = (name: Lane): OutboundLane =>
      new OutboundLane(
        {
          lane: name,
          toNodeId,
          address,
          onUp: (identity) => {
            if (this.#session === session) this.#onLaneUp(name, identity);
          },
          onEnd: (end) => {
            if (this.#session === session) this.#onLaneEnd(end);
          },
        },
        this.#context,
      );
    const session: Session = { control: lane("control"), bulk: lane("bulk") };
    this.#session = session;
  }

  #onLaneUp(lane: Lane, identity: PeerIdentity): void {
    // Any life of the peer's disk: it may have been started on another one by mistake, and be back.
    // Which of them counts is said by the configuration of a group, and not by what came last.
    const { incarnation } = identity;
    this.#welcomes.set(lane, identity);
    const [one, other] = this.#welcomes.values();
    if (one === undefined || other === undefined) return;
    if (one.incarnation !== other.incarnation) {
      this.#onLaneEnd(refusedLife("the lanes lead to different incarnations"));
      return;
    }
    this.#isUp = true;
    this.#mayBeGone = false;
    this.#failure = undefined;
    this.#upSinceMs = this.#context.scheduler.now();
    this.#say("info", "peer up", { incarnation });
    this.#context.groups.onPeerUp(identity);
  }

  #onLaneEnd(end: LaneEnd): void {
    this.#session?.control.destroy();
    this.#session?.bulk.destroy();
    this.#session = undefined;
    this.#failure = end;
    if (this.#isUp) this.#onDown(end);
    else this.#onDialFailed(end);
  }

  #onDown(end: LaneEnd): void {
    const now = this.#context.scheduler.now();
    this.#isUp = false;
    this.#mayBeGone = end.kind === "closed";
    if (now - this.#upSinceMs >= STEADY_MS) this.#backoff.reset();
    this.#say("warn", "peer down", { code: end.code, reason: end.message });
    this.#context.groups.onPeerDown(this.#init.nodeId);
    // A peer that welcomes and closes at once is not dialed in a circle.
    if (now - this.#hurriedAtMs >= this.#context.options.redialMsMax) {
      this.#hurriedAtMs = now;
      this.#dial();
    } else this.#dialLater();
  }

  #onDialFailed(end: LaneEnd): void {
    if (end.kind === "refused") {
      const { refusedThere } = this.#context.counters;
      count(refusedThere, end.code as PeerErrorCode);
      this.#say("error", "peer refused", { code: end.code, reason: end.message });
    } else this.#say("warn", "peer not reached", { code: end.code, reason: end.message });
    const isGone = this.#mayBeGone && end.kind === "absent";
    // A process that ends may still take a connection, to drop it: that decides nothing.
    if (end.kind !== "closed") this.#mayBeGone = false;
    if (isGone) this.#context.groups.onPeerGone(this.#init.nodeId);
    this.#dialLater();
  }

  #dialLater(): void {
    this.#cancelRedial = this.#context.scheduler.after(this.#backoff.next(), () => {
      this.#dial();
    });
  }

  /** Once per change: a peer that is away for a day is one line. */
  #say(level: LogLevel, message: string, fields: Record<string, string | number>): void {
    const said = `${message} ${fields["code"] ?? ""}`;
    if (said === this.#said) return;
    this.#said = said;
    const { nodeId, address } = this.#init;
    this.#context.log(level, message, { nodeId, address: formatAddress(address), ...fields });
  }
}

function refusedLife(message: string): LaneEnd {
  const code: PeerErrorCode = "PEER_INCARNATION";
  return { kind: "refused", code, message };
}
