/**
 * Keeps in touch with the members of consumer groups: on the leader of the metadata group.
 *
 *     join ──> JoinGroup in the log ──> assignment ──> told to each member
 *     silence for a session timeout ──> LeaveGroup in the log ──> the others get its queues
 *
 * A queue that moves is given to its next member once the former one has given it up, or was silent
 * for too long; queues that stay are consumed on. What is here is of this reign alone: the next
 * leader grants every member a whole session timeout to be heard of.
 */

import {
  type COORDINATOR_SERVICE,
  endWith,
  type Handlers,
  OperationError,
  type ServerDuplexStream,
} from "@quorumlog/protocol";
import type { CoordinatorMessage, JoinRequest, MemberMessage } from "@quorumlog/protocol/messages";
import type { BrokerGroup } from "../broker-group.ts";
import { METADATA_GROUP_ID } from "../state/broker-machine.ts";
import { joinProblem, SESSION_TIMEOUT_MS } from "../state/consumer-groups.ts";
import { GroupSessions } from "./group-sessions.ts";
import { demandDone } from "./offsets-service.ts";

type JoinCall = ServerDuplexStream<MemberMessage, CoordinatorMessage.$Properties>;

/** How often silent members are looked for. */
const SCAN_MS = 500;

export class CoordinatorService {
  readonly #group: BrokerGroup;
  readonly #now: () => number;
  readonly #sessions = new Map<string, GroupSessions>();
  #scan: NodeJS.Timeout | undefined;

  constructor(group: BrokerGroup, now: () => number) {
    this.#group = group;
    this.#now = now;
  }

  handlers(): Handlers<typeof COORDINATOR_SERVICE> {
    return {
      join: {
        duplex: (call) => {
          this.#onStream(call);
        },
      },
    };
  }

  /** The group's assignment is another one: its members are told. */
  onAssigned(name: string): void {
    const group = this.#group.machine.consumerGroups.get(name);
    if (group !== undefined) this.#sessions.get(name)?.onAssigned(group);
  }

  /** The log of all former leaders is applied here, if this one leads. */
  onRole(isLeader: boolean): void {
    for (const sessions of this.#sessions.values()) sessions.end(this.#group.notLeader());
    this.#sessions.clear();
    clearInterval(this.#scan);
    this.#scan = undefined;
    if (!isLeader || this.#group.groupId !== METADATA_GROUP_ID) return;
    for (const [name, { members }] of this.#group.machine.consumerGroups.entries())
      for (const { memberId } of members)
        this.#sessionsOf(name).expect(memberId ?? "", this.#now());
    this.#scan = setInterval(() => {
      this.#expire();
    }, SCAN_MS);
  }

  close(): void {
    this.onRole(false);
  }

  #onStream(call: JoinCall): void {
    let join: JoinRequest | undefined;
    let isRefused = false;
    call.on("data", (message: MemberMessage) => {
      if (join !== undefined) {
        this.#onMessage(join, call, message);
        return;
      }
      if (isRefused) return;
      if (!message.join) {
        isRefused = true;
        endWith(call, new OperationError("INVALID_ARGUMENT", "join: the first message has none"));
        return;
      }
      join = message.join as JoinRequest;
      this.#join(join, call).catch((error: unknown) => {
        endWith(call, this.#group.operationError(error));
      });
    });
    const onOver = (): void => {
      if (join !== undefined) this.#sessions.get(join.group)?.onOver(join.memberId, call);
    };
    call.on("end", () => {
      onOver();
      call.end();
    });
    call.on("cancelled", onOver);
    call.on("error", onOver);
  }

  async #join(join: JoinRequest, call: JoinCall): Promise<void> {
    const { group: name, memberId, mode, strategy, subscriptions } = join;
    this.#demandCoordinator();
    const sessionTimeoutMs = join.sessionTimeoutMs || SESSION_TIMEOUT_MS.fallback;
    const command = { group: name, memberId, mode, strategy, subscriptions, sessionTimeoutMs };
    const problem = joinProblem(command);
    if (problem !== undefined) throw new OperationError("INVALID_ARGUMENT", problem);
    // Before it is in the log: whatever becomes of this stream, somebody minds the member.
    this.#sessionsOf(name).expect(memberId, this.#now());
    try {
      demandDone(await this.#group.execute({ joinGroup: command }));
    } catch (error) {
      this.#forgetUnknown(name);
      throw error;
    }
    this.#demandCoordinator();
    const group = this.#group.machine.consumerGroups.get(name);
    if (group === undefined || call.cancelled) return;
    this.#sessionsOf(name).onJoined(memberId, call, this.#now());
    this.#sessionsOf(name).onAssigned(group);
  }

  #onMessage(join: JoinRequest, call: JoinCall, message: MemberMessage): void {
    const { group: name, memberId } = join;
    const sessions = this.#sessions.get(name);
    if (sessions?.isOf(memberId, call) !== true) return;
    sessions.onHeard(memberId, message.adoptedEpoch, this.#now());
    if (message.isLeaving) {
      this.#leave(name, [memberId]);
      return;
    }
    const group = this.#group.machine.consumerGroups.get(name);
    if (group !== undefined) sessions.onAssigned(group);
  }

  #expire(): void {
    for (const [name, sessions] of this.#sessions) {
      const group = this.#group.machine.consumerGroups.get(name);
      if (group === undefined) continue;
      const silent = sessions.silentMembers(group, this.#now());
      if (silent.length > 0) this.#leave(name, silent);
      // Whoever gave nothing up in time has been waited for long enough.
      else sessions.onAssigned(group);
    }
  }

  #leave(name: string, memberIds: readonly string[]): void {
    this.#group.execute({ leaveGroup: { group: name, memberIds: [...memberIds] } }).then(
      () => {
        this.#sessions.get(name)?.onLeft(memberIds);
        this.onAssigned(name);
      },
      (error: unknown) => {
        // Not while there is no quorum: the next look, or the next leader, tries again.
        if (!(error instanceof OperationError)) throw error;
      },
    );
  }

  #sessionsOf(name: string): GroupSessions {
    let sessions = this.#sessions.get(name);
    if (sessions === undefined) {
      sessions = new GroupSessions();
      this.#sessions.set(name, sessions);
    }
    return sessions;
  }

  /** Of a group that has no member: whoever was refused leaves nothing behind. */
  #forgetUnknown(name: string): void {
    if (this.#group.machine.consumerGroups.get(name) === undefined) this.#sessions.delete(name);
  }

  #demandCoordinator(): void {
    if (this.#group.groupId !== METADATA_GROUP_ID)
      throw new OperationError(
        "WRONG_GROUP",
        `consumer groups are coordinated in broker group ${METADATA_GROUP_ID}`,
      );
    this.#group.demandLeader();
  }
}
