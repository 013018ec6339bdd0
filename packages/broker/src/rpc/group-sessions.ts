/** The members of one consumer group as the coordinator hears of them, and what each was told. */

import { endWith, OperationError, type ServerDuplexStream } from "@quorumlog/protocol";
import {
  type AssignedQueue,
  ConsumeMode,
  type ConsumerGroup,
  type CoordinatorMessage,
  type GroupMember,
  type JoinRequest,
  type MemberMessage,
} from "@quorumlog/protocol/messages";
import { type QueueKey, queueKey } from "../state/queue-key.ts";

type JoinCall = ServerDuplexStream<MemberMessage, CoordinatorMessage.$Properties>;

interface Session {
  /** `undefined` while it is not connected: it may come back. */
  call: JoinCall | undefined;
  /** Of the consumer behind the member id; 0: none has been heard of. */
  sessionId: number;
  heardAt: number;
  readonly timeoutMs: number;
  /** What it was told last; it consumes these until it says that it has adopted a newer one. */
  toldEpoch: number;
  told: ReadonlySet<QueueKey>;
  /** What it may still consume of what it was told before. */
  held: Set<QueueKey>;
}

export class GroupSessions {
  readonly #sessions = new Map<string, Session>();

  /**
   * A member that is in the log has a session timeout to be heard of, from now on if it is new.
   *
   * @param queues - That it may consume, as a former leader may have told it.
   */
  expect(
    { memberId, sessionTimeoutMs }: GroupMember.$Properties,
    now: number,
    queues: readonly AssignedQueue.$Properties[],
  ): void {
    if (this.#sessions.has(memberId ?? "")) return;
    const session = newSession({ heardAt: now, timeoutMs: sessionTimeoutMs ?? 0 });
    for (const queue of queues) session.held.add(keyOf(queue));
    this.#sessions.set(memberId ?? "", session);
  }

  /**
   * A newer stream of the same member takes the place of the former one. If another consumer calls
   * itself the same, the former one is told, and does not come back.
   */
  onJoined(
    join: Pick<JoinRequest, "memberId" | "sessionId" | "sessionTimeoutMs">,
    call: JoinCall,
    now: number,
  ): void {
    const { memberId, sessionId, sessionTimeoutMs: timeoutMs } = join;
    const former = this.#sessions.get(memberId);
    if (former?.call !== undefined && former.call !== call) {
      const message = `another consumer has joined as "${memberId}"`;
      if (former.sessionId === sessionId) former.call.end();
      else endWith(former.call, new OperationError("REPLACED", message));
    }
    // What it had it may still consume, until it says otherwise.
    const isSame = former?.sessionId === sessionId || former?.sessionId === 0;
    const session = newSession({ heardAt: now, timeoutMs });
    if (former !== undefined && isSame) session.held = former.held;
    this.#sessions.set(memberId, { ...session, call, sessionId });
  }

  /** Whether it is connected, and since when it is silent. */
  contactOf(
    memberId: string,
    now: number,
  ): { readonly isConnected: boolean; readonly silentMs: number } | undefined {
    const session = this.#sessions.get(memberId);
    if (session === undefined) return undefined;
    const { call, heardAt } = session;
    return { isConnected: call !== undefined, silentMs: Math.max(0, Math.round(now - heardAt)) };
  }

  isOf(memberId: string, call: JoinCall): boolean {
    return this.#sessions.get(memberId)?.call === call;
  }

  /** @returns whether it has given something up: others may wait for that. */
  onHeard(memberId: string, adoptedEpoch: number, now: number): boolean {
    const session = this.#sessions.get(memberId);
    if (session === undefined) return false;
    session.heardAt = now;
    if (adoptedEpoch < session.toldEpoch) return false;
    const { size } = session.held;
    session.held = new Set(session.told);
    return session.held.size < size;
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

  silentMembers(now: number): string[] {
    return [...this.#sessions]
      .filter(([, { heardAt, timeoutMs }]) => now - heardAt > timeoutMs)
      .map(([memberId]) => memberId);
  }

  /** Tells each member what it has now: of what moves to it, what nobody else holds any more. */
  onAssigned(
    group: ConsumerGroup,
    queuesOf: (memberId: string) => readonly AssignedQueue.$Properties[],
  ): void {
    const isShared = group.mode === ConsumeMode.CONSUME_MODE_BROADCASTING;
    const holders = isShared ? new Map<QueueKey, Session>() : this.#holders();
    for (const { memberId } of group.members) {
      const session = this.#sessions.get(memberId ?? "");
      if (session?.call === undefined) continue;
      const queues = queuesOf(memberId ?? "");
      const free = queues.filter((queue) => {
        const holder = holders.get(keyOf(queue));
        return holder === undefined || holder === session;
      });
      this.#tell(session, group, free);
    }
  }

  end(error: OperationError): void {
    for (const { call } of this.#sessions.values()) if (call !== undefined) endWith(call, error);
    this.#sessions.clear();
  }

  /** Who may still consume a queue. A queue has one: it is given on when it was given up. */
  #holders(): Map<QueueKey, Session> {
    const holders = new Map<QueueKey, Session>();
    for (const session of this.#sessions.values())
      for (const key of session.held) holders.set(key, session);
    return holders;
  }

  #tell(
    session: Session,
    { epoch, resetEpoch }: ConsumerGroup,
    queues: readonly AssignedQueue.$Properties[],
  ): void {
    const keys = new Set(queues.map(keyOf));
    if (epoch === session.toldEpoch && keys.size === session.told.size) return;
    session.toldEpoch = epoch;
    session.told = keys;
    // What it had before is its own until it says otherwise; what it gets is, from now on.
    for (const key of keys) session.held.add(key);
    session.call?.write({ epoch, resetEpoch, queues: [...queues] });
  }
}

function newSession(of: { readonly heardAt: number; readonly timeoutMs: number }): Session {
  const told = new Set<QueueKey>();
  return { ...of, call: undefined, sessionId: 0, toldEpoch: -1, told, held: new Set() };
}

function keyOf({ topicId, queue }: AssignedQueue.$Properties): QueueKey {
  return queueKey(topicId ?? 0, queue ?? 0);
}
