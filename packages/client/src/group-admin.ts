/** Looks at consumer groups, moves them to other offsets, and forgets them. */

import { COORDINATOR_SERVICE, OFFSETS_SERVICE, OperationError } from "@quorumlog/protocol";
import {
  AssignmentStrategy as WireStrategy,
  ConsumeMode,
  type GroupDescription,
  type GroupOffset,
  type GroupSummary,
  type MemberDescription,
} from "@quorumlog/protocol/messages";
import type { ClusterLink } from "./cluster-link.ts";
import type { TopicRoute } from "./cluster-route.ts";
import { FetchedQueue } from "./fetched-queue.ts";
import { Fetcher, type QueuePlace } from "./fetcher.ts";
import { METADATA_GROUP_ID } from "./group-membership.ts";
import type { LeaderSeeker } from "./leader-seeker.ts";
import { allPages } from "./list-pages.ts";
import type { QueueName } from "./pull-consumer-options.ts";
import { type AssignmentStrategy, STRATEGIES } from "./push-consumer-options.ts";
import { CallTime, type WaitOptions } from "./waiting.ts";

/** A consumer group, in short. */
export interface ConsumerGroupSummary {
  readonly group: string;
  /** `none`: it has offsets, and never had members: its consumers assign queues themselves. */
  readonly mode: "clustering" | "broadcasting" | "none";
  readonly strategy: AssignmentStrategy | undefined;
  readonly isOrderly: boolean;
  /** Tag expressions by topic. */
  readonly subscriptions: Readonly<Record<string, string>>;
  /** Counts assignments. */
  readonly epoch: number;
  readonly memberCount: number;
}

export interface ConsumerGroupMember {
  readonly memberId: string;
  /** It has a stream to the coordinator. */
  readonly isConnected: boolean;
  /** Since it was heard of last. */
  readonly silentMs: number;
  /** Silent for so long, it loses its queues. */
  readonly sessionTimeoutMs: number;
  readonly queues: readonly QueueName[];
  /** Of its queues together: messages that are stored, and not committed. */
  readonly lag: number;
}

/** How far a consumer group, or a broadcasting member of it, is in one queue. */
export interface GroupQueueOffset {
  readonly topic: string;
  readonly queue: number;
  /** Of a broadcasting member whose progress is its own. */
  readonly memberId: string | undefined;
  /** `undefined`: nothing was committed yet. */
  readonly committedOffset: number | undefined;
  readonly firstOffset: number;
  readonly endOffset: number;
  /** How many messages there are behind the committed offset. */
  readonly lag: number;
  /** Milliseconds since 1970, by the log's time. */
  readonly committedAt: number | undefined;
  /** Of the last claim or reset; `undefined`: there was none. */
  readonly fencingToken: number | undefined;
  /** Who has it to itself, of an orderly group, and until when, by the log's time. */
  readonly lease: { readonly memberId: string; readonly until: number } | undefined;
}

export interface ConsumerGroupDescription extends ConsumerGroupSummary {
  readonly members: readonly ConsumerGroupMember[];
  /** All that it subscribes to, and all that it has offsets of. */
  readonly queues: readonly GroupQueueOffset[];
  /** Of all queues together. */
  readonly lag: number;
}

export interface ResetOffsets {
  readonly group: string;
  readonly topic: string;
  /** An offset is the same in each of the queues. */
  readonly place: QueuePlace;
  /** Default: all queues of the topic. */
  readonly queues?: readonly number[];
  /** Nothing is moved; default false. */
  readonly isDryRun?: boolean;
}

export interface OffsetMove {
  readonly topic: string;
  readonly queue: number;
  /** Of a broadcasting member whose progress is its own. */
  readonly memberId: string | undefined;
  /** `undefined`: nothing was committed yet. */
  readonly from: number | undefined;
  readonly to: number;
}

export interface GroupAdminInit {
  readonly link: ClusterLink;
  readonly topic: (name: string) => TopicRoute;
}

type LeaderTarget = { readonly seeker: LeaderSeeker; readonly isRepeatable: true } & WaitOptions;

export class GroupAdmin {
  readonly #link: ClusterLink;
  readonly #topic: (name: string) => TopicRoute;

  constructor({ link, topic }: GroupAdminInit) {
    this.#link = link;
    this.#topic = topic;
  }

  /** In the order of their names. */
  async list(wait: WaitOptions): Promise<ConsumerGroupSummary[]> {
    const time = new CallTime(wait);
    const [replies, ...others] = await Promise.all([
      allPages((page) => {
        const target = this.#leader(METADATA_GROUP_ID, time);
        return this.#link.callLeader(target, COORDINATOR_SERVICE.listGroups, { page });
      }),
      ...this.#groupIds().map((groupId) =>
        allPages((page) => {
          const leader = this.#leader(groupId, time);
          return this.#link.callLeader(leader, OFFSETS_SERVICE.listOffsetGroups, { page });
        }),
      ),
    ]);
    const groups = replies.flatMap((reply) => reply.groups);
    const summaries = new Map(
      groups.map((each) => [each.group ?? "", summaryOf(each as GroupSummary)]),
    );
    for (const name of others.flat().flatMap((reply) => reply.groups))
      if (!summaries.has(name)) summaries.set(name, withoutMembers(name));
    return [...summaries.values()].toSorted((a, b) => (a.group < b.group ? -1 : 1));
  }

  /** @throws OperationError `UNKNOWN_GROUP` */
  async describe(group: string, wait: WaitOptions): Promise<ConsumerGroupDescription> {
    const time = new CallTime(wait);
    const [description, committed] = await Promise.all([
      this.#description(group, time),
      this.#offsets(group, time),
    ]);
    if (description === undefined && committed.length === 0)
      throw new OperationError("UNKNOWN_GROUP", `there is no consumer group "${group}"`);
    const summary =
      description?.summary === undefined || description.summary === null
        ? withoutMembers(group)
        : summaryOf(description.summary as GroupSummary);
    const known = new Set(committed.map((each) => `${each.queue}/${each.topic}`));
    // A broadcasting member without a name has no offsets: nobody knows where it is.
    const topics = summary.mode === "broadcasting" ? [] : Object.keys(summary.subscriptions);
    const subscribed = topics
      .flatMap((name) => this.#link.routes.route.topics.get(name) ?? [])
      .flatMap((topic) => topic.groupIds.map((_, queue) => ({ topic, queue })))
      .filter(({ topic, queue }) => !known.has(`${queue}/${topic.name}`));
    const untouched = await this.#untouched(group, subscribed, time);
    const queues = inOrder([...committed, ...untouched]);
    const members = (description?.members ?? []).map((member) =>
      this.#member(member as MemberDescription, queues),
    );
    return { ...summary, members, queues, lag: lagOf(queues) };
  }

  /** In all queues that the group has ever had. */
  offsets(group: string, wait: WaitOptions): Promise<GroupQueueOffset[]> {
    return this.#offsets(group, new CallTime(wait));
  }

  /**
   * First where the queues are, which fences whoever has them; then the members are told.
   *
   * @throws OperationError `OFFSET_OUT_OF_RANGE` with the range of the queue that it is about; then
   *   nothing has moved in that broker group. It may be done again.
   */
  async reset(order: ResetOffsets, wait: WaitOptions): Promise<OffsetMove[]> {
    const { group, topic: name, place, isDryRun = false } = order;
    const topic = this.#topic(name);
    const numbers = order.queues ?? topic.groupIds.map((_, queue) => queue);
    const missing = numbers.find((queue) => topic.groupIds[queue] === undefined);
    if (missing !== undefined)
      throw new OperationError("UNKNOWN_QUEUE", `"${name}" has no queue ${missing}`);
    const time = new CallTime(wait);
    const to = await this.places(topic, { numbers, place }, time.left);
    const known = (await this.#offsets(group, time)).filter((each) => each.topic === name);
    const moves = [...to].flatMap(([queue, offset]) => {
      const own = known.filter((each) => each.queue === queue);
      if (own.length === 0)
        return [{ topic: name, queue, memberId: undefined, from: undefined, to: offset }];
      return own.map(({ memberId, committedOffset: from }) => ({
        topic: name,
        queue,
        memberId,
        from,
        to: offset,
      }));
    });
    if (isDryRun) return moves;
    const groupIds = new Set(numbers.map((queue) => topic.groupIds[queue] as number));
    await Promise.all(
      [...groupIds].map((groupId) => {
        const offsets = [...to]
          .filter(([queue]) => topic.groupIds[queue] === groupId)
          .map(([queue, offset]) => ({ topicId: topic.topicId, queue, offset }));
        const target = this.#leader(groupId, time);
        return this.#link.callLeader(target, OFFSETS_SERVICE.resetOffsets, { group, offsets });
      }),
    );
    await this.#refresh(group, time);
    return moves;
  }

  /** @throws OperationError `UNKNOWN_GROUP`; `GROUP_IN_USE` while it has members */
  async delete(group: string, wait: WaitOptions): Promise<void> {
    const time = new CallTime(wait);
    const target = this.#leader(METADATA_GROUP_ID, time);
    const answer = this.#link.callLeader(target, COORDINATOR_SERVICE.deleteGroup, { group });
    const { epoch, wasKnown } = await answer;
    if (!wasKnown && (await this.#offsets(group, time)).length === 0)
      throw new OperationError("UNKNOWN_GROUP", `there is no consumer group "${group}"`);
    await Promise.all(
      this.#groupIds().map((groupId) =>
        this.#link.callLeader(this.#leader(groupId, time), OFFSETS_SERVICE.deleteOffsets, {
          group,
          epoch,
        }),
      ),
    );
  }

  async #offsets(group: string, time: CallTime): Promise<GroupQueueOffset[]> {
    const replies = await Promise.all(
      this.#groupIds().map((groupId) =>
        allPages((page) => {
          const leader = this.#leader(groupId, time);
          return this.#link.callLeader(leader, OFFSETS_SERVICE.getOffsets, { group, page });
        }),
      ),
    );
    return inOrder(
      replies
        .flat()
        .flatMap(({ offsets }) => offsets)
        .map((each) => this.#offset(each as GroupOffset)),
    );
  }

  async #refresh(group: string, time: CallTime): Promise<void> {
    const target = this.#leader(METADATA_GROUP_ID, time);
    await orUnknown(this.#link.callLeader(target, COORDINATOR_SERVICE.refreshGroup, { group }));
  }

  #description(group: string, time: CallTime): Promise<GroupDescription | undefined> {
    const target = this.#leader(METADATA_GROUP_ID, time);
    return orUnknown(this.#link.callLeader(target, COORDINATOR_SERVICE.describeGroup, { group }));
  }

  /** Queues in which it has never been. */
  async #untouched(
    group: string,
    queues: readonly { readonly topic: TopicRoute; readonly queue: number }[],
    time: CallTime,
  ): Promise<GroupQueueOffset[]> {
    const groupIds = new Set(queues.map(({ topic, queue }) => topic.groupIds[queue] as number));
    const replies = await Promise.all(
      [...groupIds].map((groupId) => {
        const refs = queues
          .filter(({ topic, queue }) => topic.groupIds[queue] === groupId)
          .map(({ topic: { topicId }, queue }) => ({ topicId, queue }));
        const target = this.#leader(groupId, time);
        return this.#link.callLeader(target, OFFSETS_SERVICE.getOffsets, { group, queues: refs });
      }),
    );
    return replies.flatMap(({ offsets }) =>
      offsets.map((each) => this.#offset(each as GroupOffset)),
    );
  }

  /** @returns the offset of each queue. */
  async places(
    topic: TopicRoute,
    { numbers, place }: { readonly numbers: readonly number[]; readonly place: QueuePlace },
    wait: WaitOptions,
  ): Promise<Map<number, number>> {
    const fetcher = new Fetcher({ link: this.#link, bytesMax: 1, onOutOfRange: "fail" });
    try {
      const offsets = await Promise.all(
        numbers.map((queue) => fetcher.offsetOf(new FetchedQueue(topic, queue, []), place, wait)),
      );
      return new Map(numbers.map((queue, i) => [queue, offsets[i] as number]));
    } finally {
      await fetcher.close();
    }
  }

  #member(member: MemberDescription, queues: readonly GroupQueueOffset[]): ConsumerGroupMember {
    const { memberId, isConnected, silentMs, sessionTimeoutMs } = member;
    const own = member.queues.map(({ topicId, queue }) => ({
      topic: this.#nameOf(topicId ?? 0),
      queue: queue ?? 0,
    }));
    const names = new Set(own.map(({ topic, queue }) => `${queue}/${topic}`));
    const lagging = queues.filter((each) => {
      const isOwn = each.memberId === undefined || each.memberId === memberId;
      return isOwn && names.has(`${each.queue}/${each.topic}`);
    });
    return { memberId, isConnected, silentMs, sessionTimeoutMs, queues: own, lag: lagOf(lagging) };
  }

  #offset(told: GroupOffset): GroupQueueOffset {
    const { committedOffset: committed, firstOffset, endOffset, leasedUntilMs: until } = told;
    return {
      topic: this.#nameOf(told.topicId),
      queue: told.queue,
      memberId: told.memberId === "" ? undefined : told.memberId,
      committedOffset: committed < 0 ? undefined : committed,
      firstOffset,
      endOffset,
      lag: Math.max(0, endOffset - Math.max(firstOffset, committed)),
      committedAt: committed < 0 ? undefined : told.committedAtMs,
      fencingToken: told.fencingToken === 0 ? undefined : told.fencingToken,
      lease: until === 0 ? undefined : { memberId: told.leaseMemberId, until },
    };
  }

  /** Of a topic that is gone: its number. */
  #nameOf(topicId: number): string {
    return this.#link.routes.route.topicOfId(topicId)?.name ?? `#${topicId}`;
  }

  #groupIds(): number[] {
    return [...this.#link.routes.route.groups.keys()];
  }

  /** All that is asked here may be asked again. */
  #leader(groupId: number, { shared }: CallTime): LeaderTarget {
    return { seeker: this.#link.seeker(groupId), isRepeatable: true, ...shared };
  }
}

/** @returns `undefined` of a group that the coordinator does not know. */
async function orUnknown<Answer>(call: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof OperationError && error.code === "UNKNOWN_GROUP") return undefined;
    throw error;
  }
}

function summaryOf(summary: GroupSummary): ConsumerGroupSummary {
  const { group, mode, strategy, isOrderly, subscriptions, epoch, memberCount } = summary;
  return {
    group,
    mode: mode === ConsumeMode.CONSUME_MODE_BROADCASTING ? "broadcasting" : "clustering",
    strategy: strategyOf(strategy),
    isOrderly,
    subscriptions: Object.fromEntries(
      subscriptions.map(({ topic, tagExpression }) => [topic ?? "", tagExpression ?? ""]),
    ),
    epoch,
    memberCount,
  };
}

function withoutMembers(group: string): ConsumerGroupSummary {
  return {
    group,
    mode: "none",
    strategy: undefined,
    isOrderly: false,
    subscriptions: {},
    epoch: 0,
    memberCount: 0,
  };
}

function strategyOf(wire: WireStrategy): AssignmentStrategy | undefined {
  const found = Object.entries(STRATEGIES).find(([, each]) => each === wire);
  return found?.[0] as AssignmentStrategy | undefined;
}

function lagOf(queues: readonly GroupQueueOffset[]): number {
  return queues.reduce((sum, { lag }) => sum + lag, 0);
}

function inOrder(offsets: readonly GroupQueueOffset[]): GroupQueueOffset[] {
  return offsets.toSorted((a, b) => {
    if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
    if (a.queue !== b.queue) return a.queue - b.queue;
    return (a.memberId ?? "") < (b.memberId ?? "") ? -1 : 1;
  });
}
