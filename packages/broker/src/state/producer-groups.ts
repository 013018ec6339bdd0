/**
 * Which producer groups publish to which topics of this broker group, and when that was noted: what
 * is left of producers when the node that they had their streams to is gone.
 *
 *     row key:  group/topicId      values:  noted first, noted last, by the log's time
 *
 * Who of a group is there now is known to the leader's node alone: see rpc/producer-sessions.ts.
 */

import { groupNameProblem } from "@quorumlog/protocol";
import type {
  CommandAnswer,
  NotedProducerGroup,
  NoteProducersCommand,
} from "@quorumlog/protocol/messages";
import type { Table } from "@quorumlog/tables";
import { refused } from "./topic-commands.ts";

export const NOTES_PER_COMMAND_MAX = 1_000;
/** Of groups and topics together. */
const ROWS_MAX = 100_000;
/** Before a group that goes on publishing is noted again. */
const NOTED_MS = 3_600_000;

export interface ProducerGroupsInit {
  readonly table: Table<readonly number[]>;
  /** Some of its queues are in this broker group. */
  readonly hasTopic: (topicId: number) => boolean;
}

/** Times are the log's: milliseconds since 1970. */
export interface PublishedTopic {
  readonly group: string;
  readonly topicId: number;
  readonly since: number;
  readonly seen: number;
}

type Answer = CommandAnswer.$Properties;

export class ProducerGroups {
  readonly #init: ProducerGroupsInit;

  constructor(init: ProducerGroupsInit) {
    this.#init = init;
  }

  /** Of groups and topics together. */
  get rowCount(): number {
    return this.#init.table.size;
  }

  /** Whether it is worth a note that a group publishes to a topic. */
  isDue(group: string, topicId: number, now: number): boolean {
    const seen = this.#init.table.get(rowKeyOf(group, topicId))?.[1];
    return seen === undefined || now - seen >= NOTED_MS;
  }

  /** What there is no room for is left out, and said; nobody's publishing depends on it. */
  note({ notes }: NoteProducersCommand, at: number): Answer {
    const { table, hasTopic } = this.#init;
    if (notes.length > NOTES_PER_COMMAND_MAX)
      return refused("INVALID_ARGUMENT", `notes: more than ${NOTES_PER_COMMAND_MAX}`);
    let leftOut = 0;
    for (const { producerGroup: group, topicId } of notes as readonly NotedProducerGroup[]) {
      if (groupNameProblem(group) !== undefined || !hasTopic(topicId)) continue;
      const rowKey = rowKeyOf(group, topicId);
      const since = table.get(rowKey)?.[0];
      if (since === undefined && table.size >= ROWS_MAX) leftOut += 1;
      else table.set(rowKey, [since ?? at, at]);
    }
    if (leftOut === 0) return {};
    return refused("TOO_MANY", `${ROWS_MAX} topics of producer groups are known here`);
  }

  /** Whether `expire` would do anything at that time. */
  hasExpired(retentionMs: number, at: number): boolean {
    const ageMs = ageOf(retentionMs);
    for (const { seen } of this.entries()) if (at - seen >= ageMs) return true;
    return false;
  }

  /** Forgets what was not noted for so long, by the log's time. */
  expire(retentionMs: number, at: number): void {
    const ageMs = ageOf(retentionMs);
    const gone = [...this.entries()].filter(({ seen }) => at - seen >= ageMs);
    for (const { group, topicId } of gone) this.#init.table.delete(rowKeyOf(group, topicId));
  }

  *entries(): Generator<PublishedTopic> {
    for (const [rowKey, [since = 0, seen = 0]] of this.#init.table.entries()) {
      const at = rowKey.lastIndexOf("/");
      yield { group: rowKey.slice(0, at), topicId: Number(rowKey.slice(at + 1)), since, seen };
    }
  }

  forgetTopics(topicIds: ReadonlySet<number>): void {
    const gone = [...this.entries()].filter(({ topicId }) => topicIds.has(topicId));
    for (const { group, topicId } of gone) this.#init.table.delete(rowKeyOf(group, topicId));
  }
}

function rowKeyOf(group: string, topicId: number): string {
  return `${group}/${topicId}`;
}

/** Whoever is there is noted once an hour, and may be late. */
function ageOf(retentionMs: number): number {
  return Math.max(retentionMs, 2 * NOTED_MS);
}
