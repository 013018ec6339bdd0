/**
 * Who consumes together, and which queues each of them has: decided in the metadata group, for the
 * queues of all broker groups.
 *
 * A change of members or of topics makes a new assignment, under a higher epoch. Whose stream has
 * ended is not known here: the leader watches that, and has whoever was silent for too long leave.
 */

import { groupNameProblem, parseTagExpression, topicNameProblem } from "@quorumlog/protocol";
import {
  type AssignedQueue,
  AssignmentStrategy,
  type CommandAnswer,
  ConsumeMode,
  ConsumerGroup,
  type DeleteGroupRequest,
  type DormantGroup,
  type ExpireGroupsCommand,
  type JoinGroupCommand,
  type LeaveGroupCommand,
  type RefreshGroupRequest,
  type Subscription,
} from "@quorumlog/protocol/messages";
import type { Table } from "@quorumlog/tables";
import type { MetadataTable } from "./metadata-table.ts";
import { type Assignment, assignQueues } from "./queue-assignment.ts";
import { type QueueKey, queueKey, queueOf, topicIdOf } from "./queue-key.ts";
import { refused } from "./topic-commands.ts";

type Answer = CommandAnswer.$Properties;

const PAST_EPOCHS_ROW = "epoch";
const MEMBERS_MAX = 1_000;
export const GROUPS_MAX = 10_000;
/** What whoever has one too many can do about it. */
export const TOO_MANY_GROUPS: string =
  "delete some (quorumlog group delete), or wait: those that nobody uses are forgotten in time";
const SUBSCRIPTIONS_MAX = 1_000;
const MEMBER_ID_BYTES_MAX = 255;
/** Of all tag expressions of a group. */
const EXPRESSIONS_LENGTH_MAX = 1024 * 1024;
/** Queues of all members together: a group is one row, which is read and written as a whole. */
const ASSIGNED_MAX = 100_000;
/** No UTF-8 stands for half of a pair, and a row of a table has a key that is UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/u;
export const SESSION_TIMEOUT_MS = { min: 6_000, max: 300_000, fallback: 10_000 } as const;

export interface ConsumerGroupsInit {
  readonly table: Table<ConsumerGroup>;
  /** One row: the highest epoch of a group that was deleted. */
  readonly pastEpochs: Table<readonly number[]>;
  readonly metadata: MetadataTable;
  /** These groups have another assignment. */
  readonly onAssigned: (group: string) => void;
}

export class ConsumerGroups {
  readonly #init: ConsumerGroupsInit;
  /** By the name of a topic: the groups that subscribe to it, for a topic that changes. */
  readonly #subscribers = new Map<string, Set<string>>();

  constructor(init: ConsumerGroupsInit) {
    this.#init = init;
  }

  get(group: string): ConsumerGroup | undefined {
    return this.#init.table.get(group);
  }

  /** In order. */
  names(): IterableIterator<string> {
    return this.#init.table.keys();
  }

  entries(): IterableIterator<[string, ConsumerGroup]> {
    return this.#init.table.entries();
  }

  join(command: JoinGroupCommand): Answer {
    const problem = joinProblem(command);
    if (problem !== undefined) return refused("INVALID_ARGUMENT", problem);
    const { group: name, memberId, mode, strategy, subscriptions, sessionTimeoutMs } = command;
    const group = this.get(name) ?? this.#newGroup();
    if (this.get(name) === undefined && this.#init.table.size >= GROUPS_MAX)
      return refused("TOO_MANY", `there are ${GROUPS_MAX} consumer groups: ${TOO_MANY_GROUPS}`);
    const others = group.members.filter((member) => member.memberId !== memberId);
    if (others.length >= MEMBERS_MAX)
      return refused("TOO_MANY", `group "${name}" has ${MEMBERS_MAX} members`);
    // Whoever is alone may change its mind.
    const difference = others.length === 0 ? undefined : differenceOf(group, command);
    if (difference !== undefined) return refused("SUBSCRIPTION_MISMATCH", difference);
    const { length } = this.#subscribed(subscriptions);
    if (length > ASSIGNED_MAX)
      return refused("TOO_MANY", `subscriptions: ${length} queues are more than ${ASSIGNED_MAX}`);
    const known = group.members.find((member) => member.memberId === memberId);
    this.#unsubscribe(name, group);
    group.mode = mode;
    group.strategy = strategy;
    group.isOrderly = command.isOrderly;
    group.subscriptions = subscriptions;
    group.members = [...others, { ...known, memberId, sessionTimeoutMs }].toSorted((a, b) =>
      (a.memberId ?? "") < (b.memberId ?? "") ? -1 : 1,
    );
    group.emptySinceMs = 0;
    this.#subscribe(name, group);
    this.#assign(name, group);
    return { version: group.epoch };
  }

  /** @param at - By the log's time: milliseconds since 1970. */
  leave({ group: name, memberIds }: LeaveGroupCommand, at: number): Answer {
    const group = this.get(name);
    if (group === undefined) return {};
    const gone = new Set(memberIds);
    const left = group.members.filter(({ memberId }) => !gone.has(memberId ?? ""));
    if (left.length === group.members.length) return { version: group.epoch };
    group.members = left;
    if (left.length === 0) group.emptySinceMs = at;
    this.#assign(name, group);
    return { version: group.epoch };
  }

  /** Offsets were reset: under a new epoch, members claim what they have anew. */
  refresh({ group: name }: RefreshGroupRequest): Answer {
    const group = this.get(name);
    if (group === undefined) return refused("UNKNOWN_GROUP", `there is no group "${name}"`);
    group.epoch += 1;
    group.resetEpoch = group.epoch;
    this.#init.table.set(name, group);
    this.#init.onAssigned(name);
    return { version: group.epoch };
  }

  delete({ group: name }: DeleteGroupRequest): Answer {
    const group = this.get(name);
    if (group === undefined)
      return {
        ...refused("UNKNOWN_GROUP", `there is no group "${name}"`),
        version: this.pastEpoch,
      };
    const { epoch, members } = group;
    if (members.length > 0) {
      const some = members.slice(0, 3).map(({ memberId }) => memberId);
      const more = members.length > some.length ? ", ..." : "";
      const message = `group "${name}" has ${members.length} members: ${some.join(", ")}${more}`;
      return refused("GROUP_IN_USE", message);
    }
    this.#drop(name, group);
    return { version: epoch };
  }

  /** Whatever was claimed in a group that is gone has this epoch, or an older one. */
  get pastEpoch(): number {
    return this.#init.pastEpochs.get(PAST_EPOCHS_ROW)?.[0] ?? 0;
  }

  /** @returns those of the groups that there are not, or not any more. */
  dormant(groups: readonly string[]): DormantGroup.$Properties[] {
    const epoch = this.pastEpoch;
    return groups
      .filter((group) => this.get(group) === undefined)
      .map((group) => ({ group, epoch }));
  }

  /** Whether `expire` would do anything at that time. */
  hasExpired(retentionMs: number, at: number): boolean {
    for (const [, group] of this.entries())
      if (group.members.length === 0 && isOver(group, retentionMs, at)) return true;
    return false;
  }

  /**
   * Forgets whom nobody has belonged to for so long.
   *
   * @param at - By the log's time: milliseconds since 1970.
   */
  expire({ retentionMs }: ExpireGroupsCommand, at: number): Answer {
    if (!Number.isSafeInteger(retentionMs)) return refused("INVALID_ARGUMENT", "retention_ms");
    const empty = [...this.entries()].filter(([, { members }]) => members.length === 0);
    const expiredGroups: string[] = [];
    for (const [name, group] of empty) {
      if (!isOver(group, retentionMs, at)) continue;
      // Whoever has left before that was noted is given the whole time.
      if (group.emptySinceMs === 0) this.#init.table.set(name, noted(group, at));
      else {
        this.#drop(name, group);
        expiredGroups.push(name);
      }
    }
    return { expiredGroups };
  }

  /** What a member has. */
  queuesOf(group: ConsumerGroup, memberId: string): AssignedQueue.$Properties[] {
    if (group.mode === ConsumeMode.CONSUME_MODE_BROADCASTING)
      return this.#subscribed(group.subscriptions).map((key) => this.#place(key));
    return group.members.find((member) => member.memberId === memberId)?.queues ?? [];
  }

  /** The topic has come, gone, or has more queues. */
  onTopic(topic: string): void {
    for (const name of this.#subscribers.get(topic) ?? []) {
      const group = this.get(name);
      if (group !== undefined) this.#assign(name, group);
    }
  }

  /** The table was replaced. */
  load(): void {
    this.#subscribers.clear();
    for (const [name, group] of this.entries()) this.#subscribe(name, group);
  }

  #subscribe(name: string, { subscriptions }: ConsumerGroup): void {
    for (const { topic } of subscriptions) {
      const groups = this.#subscribers.get(topic ?? "");
      if (groups === undefined) this.#subscribers.set(topic ?? "", new Set([name]));
      else groups.add(name);
    }
  }

  #unsubscribe(name: string, { subscriptions }: ConsumerGroup): void {
    for (const { topic } of subscriptions) {
      const groups = this.#subscribers.get(topic ?? "");
      groups?.delete(name);
      if (groups?.size === 0) this.#subscribers.delete(topic ?? "");
    }
  }

  #drop(name: string, group: ConsumerGroup): void {
    this.#unsubscribe(name, group);
    this.#init.table.delete(name);
    this.#init.pastEpochs.set(PAST_EPOCHS_ROW, [Math.max(this.pastEpoch, group.epoch)]);
  }

  /** What was claimed in a group that is gone is older than whatever is claimed in this one. */
  #newGroup(): ConsumerGroup {
    return new ConsumerGroup({ epoch: this.pastEpoch });
  }

  #assign(name: string, group: ConsumerGroup): void {
    const members = group.members.map(({ memberId }) => memberId ?? "");
    const queues = this.#subscribed(group.subscriptions);
    const former = assignmentOf(group);
    const isShared = group.mode === ConsumeMode.CONSUME_MODE_BROADCASTING;
    // Of a broadcasting group only the count is kept: everybody has all.
    const next = isShared
      ? new Map(members.map((member) => [member, []]))
      : nextAssignment(group, members, queues, former);
    const count = isShared ? queues.length : 0;
    const isSame = isEqual(former, next) && group.sharedQueueCount === count;
    if (!isSame || this.get(name) === undefined) {
      group.epoch += 1;
      group.sharedQueueCount = count;
      for (const member of group.members)
        member.queues = (next.get(member.memberId ?? "") ?? []).map((key) => this.#place(key));
      this.#init.table.set(name, group);
      this.#init.onAssigned(name);
    } else this.#init.table.set(name, group);
  }

  #subscribed(subscriptions: readonly Subscription.$Properties[]): QueueKey[] {
    return subscriptions
      .flatMap(({ topic: name }) => {
        const topic = this.#init.metadata.topic(name ?? "");
        if (topic === undefined) return [];
        return topic.queueGroupIds.map((_, queue) => queueKey(topic.topicId, queue));
      })
      .toSorted((a, b) => a - b);
  }

  #place(key: QueueKey): { topicId: number; queue: number; groupId: number } {
    const topicId = topicIdOf(key);
    const queue = queueOf(key);
    const groupId = this.#init.metadata.topicById(topicId)?.queueGroupIds[queue] ?? 0;
    return { topicId, queue, groupId };
  }
}

/** Of a group without members. */
function isOver({ emptySinceMs }: ConsumerGroup, retentionMs: number, at: number): boolean {
  return emptySinceMs === 0 || at - emptySinceMs >= retentionMs;
}

function noted(group: ConsumerGroup, at: number): ConsumerGroup {
  group.emptySinceMs = at;
  return group;
}

function nextAssignment(
  { strategy }: ConsumerGroup,
  members: readonly string[],
  queues: readonly QueueKey[],
  former: Assignment,
): Assignment {
  if (queues.length <= ASSIGNED_MAX) return assignQueues(strategy, members, queues, former);
  // Topics have grown so much: whatever has come is nobody's, as there is no room to say whose.
  const there = new Set(queues);
  return new Map(
    members.map((member) => [member, (former.get(member) ?? []).filter((key) => there.has(key))]),
  );
}

function assignmentOf({ members }: ConsumerGroup): Assignment {
  return new Map(
    members.map(({ memberId, queues }) => [
      memberId ?? "",
      (queues ?? []).map((each) => queueKey(each.topicId ?? 0, each.queue ?? 0)),
    ]),
  );
}

function isEqual(a: Assignment, b: Assignment): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([member, queues]) => {
    const others = b.get(member);
    return others?.length === queues.length && queues.every((queue, i) => others[i] === queue);
  });
}

/** @returns what is wrong with it, naming the field. */
export function joinProblem(command: JoinGroupCommand): string | undefined {
  const { group, memberId, mode, strategy, subscriptions, sessionTimeoutMs } = command;
  const nameProblem = groupNameProblem(group);
  if (nameProblem !== undefined) return `group: ${nameProblem}`;
  const idProblem = memberIdProblem(memberId);
  if (idProblem !== undefined) return `member_id: ${idProblem}`;
  if (!isOneOf(mode, ConsumeMode)) return `mode: ${mode} is none`;
  if (!isOneOf(strategy, AssignmentStrategy)) return `strategy: ${strategy} is none`;
  const { min, max } = SESSION_TIMEOUT_MS;
  if (sessionTimeoutMs < min || sessionTimeoutMs > max)
    return `session_timeout_ms: ${sessionTimeoutMs} is not in [${min}, ${max}]`;
  return subscriptionsProblem(subscriptions);
}

/** @returns what is wrong with the name of a member. */
export function memberIdProblem(memberId: string): string | undefined {
  const bytes = Buffer.byteLength(memberId);
  if (bytes < 1 || bytes > MEMBER_ID_BYTES_MAX)
    return `${bytes} bytes are not in [1, ${MEMBER_ID_BYTES_MAX}]`;
  return LONE_SURROGATE.test(memberId) ? "has half of a surrogate pair" : undefined;
}

function subscriptionsProblem(
  subscriptions: readonly Subscription.$Properties[],
): string | undefined {
  const { length } = subscriptions;
  if (length < 1 || length > SUBSCRIPTIONS_MAX)
    return `subscriptions: ${length} are not in [1, ${SUBSCRIPTIONS_MAX}]`;
  const topics = new Set<string>();
  let expressionsLength = 0;
  for (const { topic, tagExpression } of subscriptions) {
    expressionsLength += tagExpression?.length ?? 0;
    if (expressionsLength > EXPRESSIONS_LENGTH_MAX)
      return `subscriptions: tags: more than ${EXPRESSIONS_LENGTH_MAX} characters in all`;
    const problem = topicNameProblem(topic ?? "");
    if (problem !== undefined) return `subscriptions: topic: ${problem}`;
    if (topics.has(topic ?? "")) return `subscriptions: topic "${topic}" is there twice`;
    topics.add(topic ?? "");
    try {
      parseTagExpression(tagExpression ?? "");
    } catch (error) {
      return `subscriptions: tags: ${(error as RangeError).message}`;
    }
  }
  return undefined;
}

/** @returns what a member asks for that the group's others do not have. */
function differenceOf(group: ConsumerGroup, command: JoinGroupCommand): string | undefined {
  const where = `group "${command.group}"`;
  if (group.mode !== command.mode)
    return `${where} consumes ${nameOf(group.mode)}, and not ${nameOf(command.mode)}`;
  if (group.strategy !== command.strategy)
    return `${where} is assigned by ${strategyOf(group)}, and not ${strategyOf(command)}`;
  if (group.isOrderly !== command.isOrderly)
    return `${where} consumes ${orderOf(group)}, and not ${orderOf(command)}`;
  const theirs = expressionsOf(group.subscriptions);
  const own = expressionsOf(command.subscriptions);
  for (const topic of new Set([...theirs.keys(), ...own.keys()])) {
    const [a, b] = [theirs.get(topic), own.get(topic)];
    if (a === b) continue;
    return `${where} subscribes to "${topic}" ${says(a)}, and this member ${says(b)}`;
  }
  return undefined;
}

function says(expression: string | undefined): string {
  return expression === undefined ? "not at all" : `"${expression || "*"}"`;
}

function expressionsOf(
  subscriptions: readonly Subscription.$Properties[],
): ReadonlyMap<string, string> {
  return new Map(
    subscriptions.map(({ topic, tagExpression }) => [
      topic ?? "",
      parseTagExpression(tagExpression ?? "").join(" || "),
    ]),
  );
}

function nameOf(mode: ConsumeMode): string {
  return mode === ConsumeMode.CONSUME_MODE_BROADCASTING ? "broadcasting" : "clustering";
}

function orderOf({ isOrderly }: { readonly isOrderly: boolean }): string {
  return isOrderly ? "orderly" : "concurrently";
}

/** As in `sticky` or `consistent hash`. */
function strategyOf({ strategy }: { readonly strategy: AssignmentStrategy }): string {
  const name: string = AssignmentStrategy[strategy];
  return `strategy ${name.replace("ASSIGNMENT_STRATEGY_", "").replaceAll("_", " ").toLowerCase()}`;
}

/** Of an enum as it is generated: names and numbers; 0 is none. */
function isOneOf(value: number, values: Readonly<Record<string, number | string>>): boolean {
  return value !== 0 && Object.values(values).includes(value);
}
