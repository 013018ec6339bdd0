/** The members of one consumer group as the coordinator hears of them, and what each was told. */

import { endWith, type OperationError, type ServerDuplexStream } from "@quorumlog/protocol";
import {
  type AssignedQueue,
  ConsumeMode,
  type ConsumerGroup,
  type CoordinatorMessage,
  type MemberMessage,
} from "@quorumlog/protocol/messages";
import { type QueueKey, queueKey } from "../state/queue-key.ts";

type JoinCall = ServerDuplexStream<MemberMessage, CoordinatorMessage.$Properties>;

interface Session {
  /** `undefined` while it is not connected: it may come back. */
  call: JoinCall | undefined;
  heardAt: number;
  /** What it was told last; it consumes these until it says that it has adopted a newer one. */
  toldEpoch: number;
  told: ReadonlySet<QueueKey>;
  /** What it may still consume of what it was told before. */
  held: Set<QueueKey>;
}

export class GroupSessions {
  readonly #sessions = new Map<string, Session>();

  /** A member that is in the log, or about to be: it has a session timeout to be heard of. */
  expect(memberId: string, now: number): void {
    if (!this.#sessions.has(memberId)) this.#sessions.set(memberId, newSession(undefined, now));
  }

  /** A newer stream of the same member takes the place of the former one. */
  onJoined(memberId: string, call: JoinCall, now: number): void {
    this.#sessions.get(memberId)?.call?.end();
    this.#sessions.set(memberId, newSession(call, now));
  }

  isOf(memberId: string, call: JoinCall): boolean {
    return this.#sessions.get(memberId)?.call === call;
  }

  onHeard(memberId: string, adoptedEpoch: number, now: number): void {
    const session = this.#sessions.get(memberId);
    if (session === undefined) return;
    session.heardAt = now;
    if (adoptedEpoch >= session.toldEpoch) session.held = new Set(session.told);
  }

  onOver(memberId: string, call: JoinCall): void {
    const session = this.#sessions.get(memberId);
    if (session?.call === call) session.call = undefined;
  }

  onLeft(memberIds: readonly string[]): void {
    for (const memberId of memberIds) {
      this.#sessions.get(memberId)?.call?.end();
      this.#sessions.delete(memberId);
    }
  }

  silentMembers({ members }: ConsumerGroup, now: number): string[] {
    return members
      .filter(({ memberId, sessionTimeoutMs }) => {
        const session = this.#sessions.get(memberId ?? "");
        return session !== undefined && now - session.heardAt > (sessionTimeoutMs ?? 0);
      })
      .map(({ memberId }) => memberId ?? "");
  }

  /** Tells each member what it has now: of what moves to it, what nobody else holds any more. */
  onAssigned(group: ConsumerGroup): void {
    const isShared = group.mode === ConsumeMode.CONSUME_MODE_BROADCASTING;
    for (const { memberId, queues } of group.members) {
      const session = this.#sessions.get(memberId ?? "");
      if (session?.call === undefined) continue;
      const free = (queues ?? []).filter(
        (queue) => isShared || !this.#isHeldByAnother(memberId ?? "", keyOf(queue)),
      );
      this.#tell(session, group.epoch, free);
    }
  }

  end(error: OperationError): void {
    for (const { call } of this.#sessions.values()) if (call !== undefined) endWith(call, error);
    this.#sessions.clear();
  }

  #isHeldByAnother(memberId: string, key: QueueKey): boolean {
    for (const [other, { held }] of this.#sessions)
      if (other !== memberId && held.has(key)) return true;
    return false;
  }

  #tell(session: Session, epoch: number, queues: readonly AssignedQueue.$Properties[]): void {
    const keys = new Set(queues.map(keyOf));
    if (epoch === session.toldEpoch && keys.size === session.told.size) return;
    session.toldEpoch = epoch;
    session.told = keys;
    // What it had before is its own until it says otherwise; what it gets is, from now on.
    for (const key of keys) session.held.add(key);
    session.call?.write({ epoch, queues: [...queues] });
  }
}

function newSession(call: JoinCall | undefined, now: number): Session {
  return { call, heardAt: now, toldEpoch: -1, told: new Set(), held: new Set() };
}

function keyOf({ topicId, queue }: AssignedQueue.$Properties): QueueKey {
  return queueKey(topicId ?? 0, queue ?? 0);
}
