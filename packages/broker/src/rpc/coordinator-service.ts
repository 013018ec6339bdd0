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
  groupNameProblem,
  type Handlers,
  OperationError,
  type ServerDuplexStream,
} from "@quorumlog/protocol";
import type {
  AssignedQueue,
  ConsumerGroup,
  CoordinatorMessage,
  FindDormantGroupsReply,
  FindDormantGroupsRequest,
  GroupDescription,
  GroupSummary,
  JoinRequest,
  ListGroupsReply,
  MemberMessage,
} from "@quorumlog/protocol/messages";
import type { BrokerGroup } from "../broker-group.ts";
import { METADATA_GROUP_ID } from "../state/broker-machine.ts";
import { joinProblem, SESSION_TIMEOUT_MS } from "../state/consumer-groups.ts";
import { EXPIRED_PER_COMMAND_MAX } from "../state/consumer-offsets.ts";
import { GroupSessions } from "./group-sessions.ts";
import { demandDone } from "./offsets-service.ts";
import { pageOfNames } from "./pages.ts";

type JoinCall = ServerDuplexStream<MemberMessage, CoordinatorMessage.$Properties>;

/** How often silent members are looked for. */
const SCAN_MS = 500;
/** Of a page: each comes with its subscriptions. */
const LISTED_GROUPS = 500;
/** A new leader has to put into the log that it has begun. */
const BEGIN_MS = 20;

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
      listGroups: {
        unary: async ({ page }, { signal }) => {
          await this.#demandNews(signal);
          return this.#list(page);
        },
      },
      describeGroup: {
        unary: async ({ group }, { signal }) => {
          await this.#demandNews(signal);
          return this.#describe(demandName(group));
        },
      },
      refreshGroup: {
        unary: async ({ group }, { signal }) => {
          this.#demandCoordinator();
          const refreshGroup = { group: demandName(group) };
          const answer = await this.#group.execute({ refreshGroup }, { signal });
          demandDone(answer);
          return { epoch: answer.version };
        },
      },
      deleteGroup: {
        unary: async ({ group }, { signal }) => {
          this.#demandCoordinator();
          const deleteGroup = { group: demandName(group) };
          const answer = await this.#group.execute({ deleteGroup }, { signal });
          const { version: epoch } = answer;
          if (answer.error?.code === "UNKNOWN_GROUP") return { epoch, wasKnown: false };
          demandDone(answer);
          this.#sessions.delete(group);
          return { epoch, wasKnown: true };
        },
      },
      findDormantGroups: {
        unary: async (request, { signal }) => {
          return this.findDormant(request, signal);
        },
      },
    };
  }

  #list(page: string): ListGroupsReply.$Properties {
    const { consumerGroups } = this.#group.machine;
    const { rows, nextPage } = pageOfNames(consumerGroups.names(), page, LISTED_GROUPS);
    const groups = rows.flatMap((name) => {
      const group = consumerGroups.get(name);
      return group === undefined ? [] : [summaryOf(name, group)];
    });
    return { groups, nextPage };
  }

  /** @throws OperationError of whoever does not lead, or was asked for too many */
  async findDormant(
    request: FindDormantGroupsRequest.$Properties,
    signal?: AbortSignal,
  ): Promise<FindDormantGroupsReply.$Properties> {
    const groups = request.groups ?? [];
    await this.#demandNews(signal);
    if (groups.length > EXPIRED_PER_COMMAND_MAX)
      throw new OperationError(
        "INVALID_ARGUMENT",
        `groups: ${groups.length} are more than ${EXPIRED_PER_COMMAND_MAX}`,
      );
    return { groups: this.#group.machine.consumerGroups.dormant(groups) };
  }

  /** These groups were forgotten. */
  onExpired(names: readonly string[]): void {
    const { consumerGroups } = this.#group.machine;
    for (const name of names)
      if (consumerGroups.get(name) === undefined) this.#sessions.delete(name);
  }

  /** The group's assignment is another one: its members are told, and whoever is new is minded. */
  onAssigned(name: string): void {
    if (!this.#hasBegun) return;
    this.#mind(name, () => []);
    this.#tell(name);
  }

  /** The log of all former leaders is applied here, if this one leads. */
  onRole(isLeader: boolean): void {
    for (const sessions of this.#sessions.values()) sessions.end(this.#group.notLeader());
    this.#sessions.clear();
    clearInterval(this.#scan);
    this.#scan = undefined;
    if (!isLeader || this.#group.groupId !== METADATA_GROUP_ID) return;
    // It may have any of its queues: nobody else is given one before it has spoken.
    const { consumerGroups } = this.#group.machine;
    for (const [name, group] of consumerGroups.entries())
      this.#mind(name, (memberId) => consumerGroups.queuesOf(group, memberId));
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
    const { group: name, memberId, mode, strategy, subscriptions, isOrderly } = join;
    this.#demandBegun();
    const sessionTimeoutMs = join.sessionTimeoutMs || SESSION_TIMEOUT_MS.fallback;
    const joinGroup = {
      group: name,
      memberId,
      mode,
      strategy,
      subscriptions,
      sessionTimeoutMs,
      isOrderly,
    };
    const problem = joinProblem(joinGroup);
    if (problem !== undefined) throw new OperationError("INVALID_ARGUMENT", problem);
    demandDone(await this.#group.execute({ joinGroup }));
    this.#demandBegun();
    if (this.#group.machine.consumerGroups.get(name) === undefined || call.cancelled) return;
    const { sessionId } = join;
    this.#sessionsOf(name).onJoined({ memberId, sessionId, sessionTimeoutMs }, call, this.#now());
    this.#tell(name);
  }

  #tell(name: string): void {
    const { consumerGroups } = this.#group.machine;
    const group = consumerGroups.get(name);
    if (group === undefined) return;
    this.#sessions
      .get(name)
      ?.onAssigned(group, (memberId) => consumerGroups.queuesOf(group, memberId));
  }

  async #demandNews(signal?: AbortSignal): Promise<void> {
    this.#demandCoordinator();
    await this.#group.readBarrier(signal);
  }

  #describe(name: string): GroupDescription.$Properties {
    const { consumerGroups } = this.#group.machine;
    const group = consumerGroups.get(name);
    if (group === undefined)
      throw new OperationError("UNKNOWN_GROUP", `there is no consumer group "${name}"`);
    const sessions = this.#sessions.get(name);
    const members = group.members.map(({ memberId, sessionTimeoutMs }) => ({
      memberId: memberId ?? "",
      sessionTimeoutMs: sessionTimeoutMs ?? 0,
      ...sessions?.contactOf(memberId ?? "", this.#now()),
      queues: consumerGroups.queuesOf(group, memberId ?? ""),
    }));
    return { summary: summaryOf(name, group), members };
  }

  #onMessage(join: JoinRequest, call: JoinCall, message: MemberMessage): void {
    const { group: name, memberId } = join;
    const sessions = this.#sessions.get(name);
    if (sessions?.isOf(memberId, call) !== true) return;
    const hasGivenUp = sessions.onHeard(memberId, message.adoptedEpoch, this.#now());
    if (message.isLeaving) this.#leave(name, [memberId]);
    else if (hasGivenUp) this.#tell(name);
  }

  #expire(): void {
    for (const [name, sessions] of this.#sessions) {
      const silent = sessions.silentMembers(this.#now());
      if (silent.length > 0) this.#leave(name, silent);
    }
  }

  #leave(name: string, memberIds: readonly string[]): void {
    this.#group.execute({ leaveGroup: { group: name, memberIds: [...memberIds] } }).then(
      () => {
        // It may have joined again behind that.
        const members = this.#group.machine.consumerGroups.get(name)?.members ?? [];
        const here = new Set(members.map(({ memberId }) => memberId));
        this.#sessions.get(name)?.onLeft(memberIds.filter((memberId) => !here.has(memberId)));
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

  /**
   * Each member that the log has gets a session timeout to be heard of, whatever became of the
   * stream that it came with; nobody else is minded.
   */
  #mind(name: string, heldBy: (memberId: string) => readonly AssignedQueue.$Properties[]): void {
    const members = this.#group.machine.consumerGroups.get(name)?.members ?? [];
    for (const member of members)
      this.#sessionsOf(name).expect(member, this.#now(), heldBy(member.memberId ?? ""));
  }

  /** Whether it knows all members that the log has. */
  get #hasBegun(): boolean {
    return this.#scan !== undefined;
  }

  /** Of queues that a former leader has given out, it is not known before that who has them. */
  #demandBegun(): void {
    this.#demandCoordinator();
    if (this.#hasBegun) return;
    throw new OperationError("NOT_READY", "this node has just begun to lead", {
      retryAfterMs: BEGIN_MS,
    });
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

function summaryOf(name: string, group: ConsumerGroup): GroupSummary.$Properties {
  const { mode, strategy, isOrderly, subscriptions, epoch, members } = group;
  const memberCount = members.length;
  return { group: name, mode, strategy, isOrderly, subscriptions, epoch, memberCount };
}

function demandName(group: string): string {
  const problem = groupNameProblem(group);
  if (problem === undefined) return group;
  throw new OperationError("INVALID_ARGUMENT", `group: ${problem}`, {
    problems: [{ field: "group", problem }],
  });
}
