/**
 * A member of a consumer group, as its coordinator knows it: the stream to the leader of the
 * metadata group, joined again wherever that goes, and heartbeats.
 */

import { randomInt } from "node:crypto";
import { COORDINATOR_SERVICE, operationError, OperationError } from "@quorumlog/protocol";
import type { CoordinatorMessage, JoinRequest, MemberMessage } from "@quorumlog/protocol/messages";
import type { ClusterLink } from "./cluster-link.ts";
import type { LeaderSeeker } from "./leader-seeker.ts";
import { RpcStream } from "./rpc-stream.ts";

export const METADATA_GROUP_ID = 1;

export interface GroupMembershipInit {
  readonly link: ClusterLink;
  readonly join: JoinRequest.$Properties & { readonly sessionTimeoutMs: number };
  readonly onAssignment: (assignment: CoordinatorMessage) => void;
  /** It is not joined, and tries again; `undefined`: it is. */
  readonly onTrouble: (error: OperationError | undefined) => void;
  /** The coordinator was out of reach for so long that others may have this member's queues. */
  readonly onLapsed: () => void;
  /** It is not let in, and asking again does not help. */
  readonly onRefused: (error: OperationError) => void;
}

const SESSION_ID_MAX = 2 ** 47;
const BACKOFF_MS_MIN = 10;
const BACKOFF_MS_MAX = 500;
const LEAVE_MS = 500;

export class GroupMembership {
  readonly #init: GroupMembershipInit;
  readonly #seeker: LeaderSeeker;
  /** Tells this consumer from another one of the same member id. */
  readonly #sessionId = randomInt(1, SESSION_ID_MAX);
  readonly #endRoutes: () => void;
  #stream: RpcStream<MemberMessage.$Properties, CoordinatorMessage> | undefined;
  #adoptedEpoch = 0;
  #heartbeat: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #lapse: NodeJS.Timeout | undefined;
  #backoffMs = 0;
  #isOver = false;

  constructor(init: GroupMembershipInit) {
    this.#init = init;
    this.#seeker = init.link.seeker(METADATA_GROUP_ID);
    this.#endRoutes = init.link.routes.onChange(() => {
      this.#onRoute();
    });
  }

  start(): void {
    this.#heartbeat = setInterval(() => {
      this.#say({ adoptedEpoch: this.#adoptedEpoch });
    }, this.#init.join.sessionTimeoutMs / 3);
    this.#connect();
  }

  /** What this member has lost by that epoch it consumes no more. */
  adopt(epoch: number): void {
    this.#adoptedEpoch = epoch;
    this.#say({ adoptedEpoch: epoch });
  }

  /** Idempotent. */
  async leave(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#endRoutes();
    clearInterval(this.#heartbeat);
    clearTimeout(this.#retry);
    clearTimeout(this.#lapse);
    const stream = this.#stream;
    if (stream === undefined) return;
    stream.send({ adoptedEpoch: this.#adoptedEpoch, isLeaving: true });
    stream.end();
    // If it does not arrive, the coordinator finds out by itself, later.
    await stream.ended(LEAVE_MS);
    stream.cancel();
  }

  #connect(): void {
    const address = this.#seeker.address();
    if (address === undefined) {
      const message = "the group with the metadata, which coordinates, is not known";
      this.#init.onTrouble(new OperationError("UNAVAILABLE", message));
      this.#connectLater();
      return;
    }
    let hasSpoken = false;
    const channel = this.#init.link.channel(address);
    const stream = new RpcStream(channel, COORDINATOR_SERVICE.join, {
      onAnswer: (message) => {
        const error = message.error ?? undefined;
        if (error !== undefined) {
          this.#onBroken(address, operationError(error));
          return;
        }
        if (!hasSpoken) this.#onHeard();
        hasSpoken = true;
        if (!this.#isOver) this.#init.onAssignment(message);
      },
      onBroken: (error) => {
        this.#onBroken(address, error);
      },
    });
    this.#stream = stream;
    const join = { ...this.#init.join, sessionId: this.#sessionId };
    stream.send({ join, adoptedEpoch: this.#adoptedEpoch });
  }

  #onHeard(): void {
    this.#backoffMs = 0;
    this.#init.onTrouble(undefined);
    clearTimeout(this.#lapse);
    this.#lapse = undefined;
  }

  #onBroken(address: string, error: OperationError): void {
    this.#stream?.cancel();
    this.#stream = undefined;
    if (this.#isOver) return;
    if (error.advice === "do-not-retry") {
      this.#init.onRefused(error);
      return;
    }
    this.#seeker.failed(address, error);
    // Whoever was told where to go is on the way.
    if (error.leader === undefined) this.#init.onTrouble(error);
    this.#lapse ??= setTimeout(() => {
      this.#init.onLapsed();
    }, this.#init.join.sessionTimeoutMs);
    this.#connectLater();
  }

  #connectLater(): void {
    this.#backoffMs = Math.min(Math.max(BACKOFF_MS_MIN, 2 * this.#backoffMs), BACKOFF_MS_MAX);
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      if (!this.#isOver) this.#connect();
    }, this.#backoffMs);
  }

  /** Another node leads: it is told before the session is over. */
  #onRoute(): void {
    const address = this.#seeker.address();
    const stream = this.#stream;
    if (stream === undefined || address === undefined || address === stream.address) return;
    const error = new OperationError("LEADERSHIP_LOST", `${address} leads by now`);
    this.#onBroken(stream.address, error);
  }

  #say(message: MemberMessage.$Properties): void {
    this.#stream?.send(message);
  }
}
