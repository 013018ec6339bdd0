/**
 * How far each owner is in each queue of this group: an owner is a consumer group, or one member of
 * a broadcasting group, whose progress is its own.
 *
 *     row key:  group/topicId/queue   or   group@memberId/topicId/queue
 */

import type { ConsumerProgress } from "@quorumlog/protocol/messages";
import type { Table } from "@quorumlog/tables";
import { parseQueueRowKey, type QueueKey, queueRowKey, topicIdOf } from "./queue-key.ts";

/** What a row says; a queue without one is at `NO_PROGRESS`. */
export interface Progress {
  /** -1: nothing was committed yet. */
  readonly offset: number;
  /** Of the assignment that was claimed last. */
  readonly epoch: number;
  /** Of the last claim or reset; 0: there was none. */
  readonly fencingToken: number;
  /** By the log's time: milliseconds since 1970. */
  readonly committedAt: number;
  /** Whoever claimed it last. */
  readonly memberId: string;
  /** 0: it is not leased. */
  readonly leaseMs: number;
  /** By the log's time; 0: it is not leased, or not any more. */
  readonly leasedUntil: number;
}

export const NO_PROGRESS: Progress = Object.freeze({
  offset: -1,
  epoch: 0,
  fencingToken: 0,
  committedAt: 0,
  memberId: "",
  leaseMs: 0,
  leasedUntil: 0,
});

/** No group's name has it. */
const MEMBER_MARK = "@";

/** @param memberId - Of a broadcasting member; or the group's own progress is meant. */
export function ownerOf(group: string, memberId?: string): string {
  return memberId === undefined ? group : `${group}${MEMBER_MARK}${memberId}`;
}

export function groupOf(owner: string): string {
  return owner.split(MEMBER_MARK, 1)[0] as string;
}

/** @returns `undefined` for the group's own progress. */
export function memberOf(owner: string): string | undefined {
  const at = owner.indexOf(MEMBER_MARK);
  return at === -1 ? undefined : owner.slice(at + 1);
}

/** Of a row. */
export interface ProgressPlace {
  readonly owner: string;
  readonly key: QueueKey;
}

interface GroupRows {
  readonly owners: Set<string>;
  /** No row of it was committed later, by the log's time; it may be that none was as late. */
  activeAt: number;
}

export class ProgressTable {
  readonly #table: Table<ConsumerProgress>;
  /** What there are rows of, to find those of one owner; the rows are in the table alone. */
  readonly #queues = new Map<string, Set<QueueKey>>();
  readonly #groups = new Map<string, GroupRows>();
  /** In order, since a group came or went: whoever lists them asks page by page. */
  #names: readonly string[] | undefined;

  constructor(table: Table<ConsumerProgress>) {
    this.#table = table;
  }

  get rowCount(): number {
    return this.#table.size;
  }

  get groupCount(): number {
    return this.#groups.size;
  }

  /** It has progress here, or one of its members has. */
  hasGroup(group: string): boolean {
    return this.#groups.has(group);
  }

  get(owner: string, key: QueueKey): Progress {
    if (this.#queues.get(owner)?.has(key) !== true) return NO_PROGRESS;
    const row = this.#table.get(rowKeyOf(owner, key));
    return row === undefined ? NO_PROGRESS : progressOf(row);
  }

  set(owner: string, key: QueueKey, progress: Progress): void {
    this.#know(owner, key, progress.committedAt);
    this.#table.set(rowKeyOf(owner, key), rowOf(progress));
  }

  delete(owner: string, key: QueueKey): void {
    const queues = this.#queues.get(owner);
    if (queues?.delete(key) !== true) return;
    if (queues.size === 0) this.#forget(owner);
    this.#table.delete(rowKeyOf(owner, key));
  }

  /** Those that the owner has claimed or committed, in no order. */
  queuesOf(owner: string): QueueKey[] {
    return [...(this.#queues.get(owner) ?? [])];
  }

  /** The group itself, if it has progress, and its members that have their own. */
  ownersOf(group: string): string[] {
    return [...(this.#groups.get(group)?.owners ?? [])];
  }

  /**
   * Of all owners of a group, in order.
   *
   * @param after - Those behind this one, whether it is still there or not; default all.
   */
  *placesOf(group: string, after?: ProgressPlace): Generator<ProgressPlace> {
    const from = after?.owner ?? "";
    for (const owner of this.ownersOf(group).toSorted()) {
      if (owner < from) continue;
      const keyMin = owner === from ? (after?.key ?? -1) : -1;
      const keys = this.queuesOf(owner).toSorted((a, b) => a - b);
      for (const key of keys) if (key > keyMin) yield { owner, key };
    }
  }

  /**
   * Groups that may have committed nothing since a time; it takes a look at their rows to know.
   *
   * @param at - By the log's time: milliseconds since 1970.
   */
  *quietSince(at: number): Generator<string> {
    for (const [group, { activeAt }] of this.#groups) if (activeAt <= at) yield group;
  }

  /**
   * Of all groups, what they have committed; without the progress of members that is their own, of
   * which there may be many.
   */
  *committed(): Generator<{ readonly group: string; readonly key: QueueKey; offset: number }> {
    for (const [group, queues] of this.#queues) {
      if (memberOf(group) !== undefined) continue;
      for (const key of queues) {
        const { offset } = this.get(group, key);
        if (offset >= 0) yield { group, key, offset };
      }
    }
  }

  /** Names of the groups, each once, in order. */
  groups(): readonly string[] {
    this.#names ??= [...this.#groups.keys()].toSorted();
    return this.#names;
  }

  forgetTopics(topicIds: ReadonlySet<number>): void {
    for (const [owner, queues] of this.#queues)
      for (const key of queues) if (topicIds.has(topicIdOf(key))) this.delete(owner, key);
  }

  /** The table was replaced. */
  load(): void {
    this.#queues.clear();
    this.#groups.clear();
    this.#names = undefined;
    for (const [rowKey, { committedAtMs }] of this.#table.entries()) {
      const at = rowKey.lastIndexOf("/", rowKey.lastIndexOf("/") - 1);
      this.#know(rowKey.slice(0, at), parseQueueRowKey(rowKey.slice(at + 1)), committedAtMs);
    }
  }

  #forget(owner: string): void {
    this.#queues.delete(owner);
    const name = groupOf(owner);
    const group = this.#groups.get(name);
    group?.owners.delete(owner);
    if (group?.owners.size !== 0) return;
    this.#groups.delete(name);
    this.#names = undefined;
  }

  #know(owner: string, key: QueueKey, committedAt: number): void {
    const name = groupOf(owner);
    const group = this.#groups.get(name);
    if (group === undefined) {
      this.#groups.set(name, { owners: new Set([owner]), activeAt: committedAt });
      this.#names = undefined;
    } else {
      group.owners.add(owner);
      group.activeAt = Math.max(group.activeAt, committedAt);
    }
    const queues = this.#queues.get(owner);
    if (queues === undefined) this.#queues.set(owner, new Set([key]));
    else queues.add(key);
  }
}

function rowKeyOf(owner: string, key: QueueKey): string {
  return `${owner}/${queueRowKey(key)}`;
}

function progressOf(row: ConsumerProgress): Progress {
  return {
    offset: row.offset ?? -1,
    epoch: row.epoch,
    fencingToken: row.fencingToken,
    committedAt: row.committedAtMs,
    memberId: row.memberId,
    leaseMs: row.leaseMs,
    leasedUntil: row.leasedUntilMs,
  };
}

function rowOf(progress: Progress): ConsumerProgress {
  const { offset, epoch, fencingToken, committedAt, memberId, leaseMs, leasedUntil } = progress;
  return {
    ...(offset < 0 ? {} : { offset }),
    epoch,
    fencingToken,
    committedAtMs: committedAt,
    memberId,
    leaseMs,
    leasedUntilMs: leasedUntil,
  };
}
