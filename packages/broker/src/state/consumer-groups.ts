/**
 * Who consumes together, and which queues each of them has: decided in the metadata group, for the
 * queues of all broker groups.
 *
 * A change of members or of topics makes a new assignment, under a higher epoch. Whose stream has
 * ended is not known here: the leader watches that, and has whoever was silent for too long leave.
 */

import { groupNameProblem, parseTagExpression, topicNameProblem } from "@quorumlog/protocol";
import {
  AssignmentStrategy,
  type CommandAnswer,
  ConsumeMode,
  ConsumerGroup,
  type JoinGroupCommand,
  type LeaveGroupCommand,
  type Subscription,
} from "@quorumlog/protocol/messages";
import type { Table } from "@quorumlog/tables";
import type { MetadataTable } from "./metadata-table.ts";
import { type Assignment, assignQueues } from "./queue-assignment.ts";
import { type QueueKey, queueKey, queueOf, topicIdOf } from "./queue-key.ts";
import { refused } from "./topic-commands.ts";

type Answer = CommandAnswer.$Properties;

const MEMBERS_MAX = 1_000;
const GROUPS_MAX = 10_000;
const SUBSCRIPTIONS_MAX = 1_000;
const MEMBER_ID_BYTES_MAX = 255;
/** Of all tag expressions of a group. */
const EXPRESSIONS_LENGTH_MAX = 1024 * 1024;
/** Queues of all members together: a group is one row, which is read and written as a whole. */
const ASSIGNED_MAX = 100_000;
export const SESSION_TIMEOUT_MS = { min: 6_000, max: 300_000, fallback: 10_000 } as const;

export interface ConsumerGroupsInit {
  readonly table: Table<ConsumerGroup>;
  readonly metadata: MetadataTable;
  /** These groups have another assignment. */
  readonly onAssigned: (group: string) => void;
}

export class ConsumerGroups {
  readonly #init: ConsumerGroupsInit;

  constructor(init: ConsumerGroupsInit) {
    this.#init = init;
  }

  get(group: string): ConsumerGroup | undefined {
    return this.#init.table.get(group);
  }

  entries(): IterableIterator<[string, ConsumerGroup]> {
    return this.#init.table.entries();
  }

  join(command: JoinGroupCommand): Answer {
    const problem = joinProblem(command);
    if (problem !== undefined) return refused("INVALID_ARGUMENT", problem);
    const { group: name, memberId, mode, strategy, subscriptions, sessionTimeoutMs } = command;
    const group = this.get(name) ?? new ConsumerGroup();
    if (group.epoch === 0 && this.#init.table.size >= GROUPS_MAX)
      return refused("TOO_MANY", `there are ${GROUPS_MAX} consumer groups`);
    const others = group.members.filter((member) => member.memberId !== memberId);
    if (others.length >= MEMBERS_MAX)
      return refused("TOO_MANY", `group "${name}" has ${MEMBERS_MAX} members`);
    // Whoever is alone may change its mind.
    const difference = others.length === 0 ? undefined : differenceOf(group, command);
    if (difference !== undefined) return refused("SUBSCRIPTION_MISMATCH", difference);
    const memberCount = others.length + 1;
    const assigned = assignedCount(mode, memberCount, this.#queuesOf(subscriptions).length);
    if (assigned > ASSIGNED_MAX)
      return refused("TOO_MANY", `${memberCount} members would have ${assigned} queues`);
    const known = group.members.find((member) => member.memberId === memberId);
    group.mode = mode;
    group.strategy = strategy;
    group.subscriptions = subscriptions;
    group.members = [...others, { ...known, memberId, sessionTimeoutMs }].toSorted((a, b) =>
      (a.memberId ?? "") < (b.memberId ?? "") ? -1 : 1,
    );
    this.#assign(name, group);
    return { version: group.epoch };
  }

  leave({ group: name, memberIds }: LeaveGroupCommand): Answer {
    const group = this.get(name);
    if (group === undefined) return {};
    const gone = new Set(memberIds);
    const left = group.members.filter(({ memberId }) => !gone.has(memberId ?? ""));
    if (left.length === group.members.length) return { version: group.epoch };
    group.members = left;
    this.#assign(name, group);
    return { version: group.epoch };
  }

  /** Topics have come, gone, or have more queues. */
  onTopics(): void {
    for (const [name, group] of this.entries()) this.#assign(name, group);
  }

  #assign(name: string, group: ConsumerGroup): void {
    const members = group.members.map(({ memberId }) => memberId ?? "");
    const queues = this.#queuesOf(group.subscriptions);
    const former = assignmentOf(group);
    const next = nextAssignment(group, members, queues, former);
    if (isEqual(former, next) && this.#init.table.get(name) !== undefined) {
      this.#init.table.set(name, group);
      return;
    }
    group.epoch += 1;
    for (const member of group.members)
      member.queues = (next.get(member.memberId ?? "") ?? []).map((key) => this.#place(key));
    this.#init.table.set(name, group);
    this.#init.onAssigned(name);
  }

  #queuesOf(subscriptions: readonly Subscription.$Properties[]): QueueKey[] {
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

function assignedCount(mode: ConsumeMode, memberCount: number, queueCount: number): number {
  return mode === ConsumeMode.CONSUME_MODE_BROADCASTING ? memberCount * queueCount : queueCount;
}

function nextAssignment(
  { mode, strategy }: ConsumerGroup,
  members: readonly string[],
  queues: readonly QueueKey[],
  former: Assignment,
): Assignment {
  // Topics have grown so much: whatever has come is nobody's, as there is no room to say whose.
  if (assignedCount(mode, members.length, queues.length) > ASSIGNED_MAX) {
    const there = new Set(queues);
    return new Map(
      members.map((member) => [member, (former.get(member) ?? []).filter((key) => there.has(key))]),
    );
  }
  return mode === ConsumeMode.CONSUME_MODE_BROADCASTING
    ? new Map(members.map((member) => [member, queues]))
    : assignQueues(strategy, members, queues, former);
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
  const bytes = Buffer.byteLength(memberId);
  if (bytes < 1 || bytes > MEMBER_ID_BYTES_MAX)
    return `member_id: ${bytes} bytes are not in [1, ${MEMBER_ID_BYTES_MAX}]`;
  if (!isOneOf(mode, ConsumeMode)) return `mode: ${mode} is none`;
  if (!isOneOf(strategy, AssignmentStrategy)) return `strategy: ${strategy} is none`;
  const { min, max } = SESSION_TIMEOUT_MS;
  if (sessionTimeoutMs < min || sessionTimeoutMs > max)
    return `session_timeout_ms: ${sessionTimeoutMs} is not in [${min}, ${max}]`;
  return subscriptionsProblem(subscriptions);
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
    return `${where} is assigned by strategy ${group.strategy}, and not ${command.strategy}`;
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

/** Of an enum as it is generated: names and numbers; 0 is none. */
function isOneOf(value: number, values: Readonly<Record<string, number | string>>): boolean {
  return value !== 0 && Object.values(values).includes(value);
}
