/**
 * How far each consumer group is in each queue of this group, and who may move it on.
 *
 * Whoever is assigned a queue claims it, with the epoch of the assignment, and gets a fencing token
 * that is larger than any before it. From then on whatever carries an older token is refused: the
 * member that had the queue before may still be at work, and knows it is too late.
 *
 *     claim, epoch 7 ──> token 120 ──> commit with 120, 120, 120 ... ok
 *     claim, epoch 8 ──> token 300        └─> commit with 120: refused
 *
 * An orderly consumer claims with a **lease**: until that is over, by the log's time, or given up,
 * no other member's claim is let through. A new leader grants every lease its whole length again.
 */

import { errorDetail, groupNameProblem, OperationError } from "@quorumlog/protocol";
import type {
  ClaimCommand,
  ClaimedQueue,
  CommandAnswer,
  CommitAnswer,
  CommitBatchCommand,
  CommitRequest,
  ConsumerProgress,
  DeleteOffsetsRequest,
  DormantGroup,
  ErrorDetail,
  ExpireOffsetsCommand,
  QueueOffset,
  QueueRef,
  ResetOffsetsRequest,
} from "@quorumlog/protocol/messages";
import type { Table } from "@quorumlog/tables";
import { GROUPS_MAX, memberIdProblem, TOO_MANY_GROUPS } from "./consumer-groups.ts";
import { groupOf, NO_PROGRESS, ownerOf, type Progress, ProgressTable } from "./progress-table.ts";
import { type QueueKey, queueKey } from "./queue-key.ts";
import { refused } from "./topic-commands.ts";

export const QUEUES_PER_COMMAND_MAX = 16_384;
export const EXPIRED_PER_COMMAND_MAX = 1_000;
const LEASE_MS = { min: 1_000, max: 300_000 } as const;
const ROWS_MAX = 2_000_000;
const REIGN_ROW = "reign";

export interface ConsumerOffsetsInit {
  readonly table: Table<ConsumerProgress>;
  /** One row: when this leader began. */
  readonly reigns: Table<readonly number[]>;
  /** What is wrong with a queue, as of now. */
  readonly problemOf: (ref: { topicId: number; queue: number }) => OperationError | undefined;
  readonly endOf: (key: QueueKey) => number;
}

/** Of a command. */
export interface CommandPlace {
  /** The log's time. */
  readonly timestamp: number;
  readonly logOffset: number;
}

type Detail = ErrorDetail.$Properties;
type Answer = CommandAnswer.$Properties;

export class ConsumerOffsets {
  readonly #init: ConsumerOffsetsInit;
  readonly #rows: ProgressTable;
  /** Leases are counted from here, at least. */
  #reignBegan = 0;

  constructor(init: ConsumerOffsetsInit) {
    this.#init = init;
    this.#rows = new ProgressTable(init.table);
  }

  get rows(): ProgressTable {
    return this.#rows;
  }

  get(owner: string, { topicId, queue }: QueueRef.$Properties): Progress {
    return this.#rows.get(owner, queueKey(topicId ?? 0, queue ?? 0));
  }

  /** Whether another one has claimed the queue since, or its offset was reset. */
  isStale(group: string, key: QueueKey, fencingToken: number): boolean {
    // A follower may not have heard of the claim yet.
    return this.#rows.get(group, key).fencingToken > fencingToken;
  }

  /** @returns when the lease is over, by the log's time; 0: there is none. */
  leasedUntil({ leaseMs, leasedUntil }: Progress): number {
    return leasedUntil === 0 ? 0 : Math.max(leasedUntil, this.#reignBegan + leaseMs);
  }

  beginReign(at: number): Answer {
    this.#reignBegan = at;
    this.#init.reigns.set(REIGN_ROW, [at]);
    return {};
  }

  claim(command: ClaimCommand, at: CommandPlace): Answer {
    const { group, memberId, queues, leaseMs } = command;
    const problem = problemOf(command, queues.length) ?? leaseProblem(leaseMs);
    if (problem !== undefined) return refused("INVALID_ARGUMENT", problem);
    const owner = ownerOf(group, command.isOwnProgress ? memberId : undefined);
    return { claimed: queues.map((ref) => this.#claim(owner, ref, { command, at })) };
  }

  commit({ commits }: CommitBatchCommand, at: CommandPlace): Answer {
    return { commits: commits.map((request) => this.#commit(request as CommitRequest, at)) };
  }

  /** All of the queues, or none. */
  reset({ group, offsets }: ResetOffsetsRequest, at: CommandPlace): Answer {
    const problem = groupNameProblem(group) ?? countProblem(offsets.length);
    if (problem !== undefined) return refused("INVALID_ARGUMENT", problem);
    const missing = resetProblem({ offsets });
    if (missing !== undefined) return { error: errorDetail(missing) };
    for (const each of offsets) {
      const error =
        this.#queueProblem(group, each, this.get(ownerOf(group), each)) ??
        this.#offsetProblem(each);
      if (error !== undefined) return { error: errorDetail(error) };
    }
    for (const each of offsets) this.#reset(group, each, at);
    return {};
  }

  delete({ group, epoch }: DeleteOffsetsRequest): Answer {
    for (const owner of this.#rows.ownersOf(group))
      for (const key of this.#rows.queuesOf(owner))
        if (this.#rows.get(owner, key).epoch <= epoch) this.#rows.delete(owner, key);
    return {};
  }

  /**
   * Which groups may be forgotten, unless they have members; it takes `expire` to know.
   *
   * @param at - By the log's time: milliseconds since 1970.
   */
  quietGroups(retentionMs: number, at: number): string[] {
    return [...this.#rows.quietSince(at - retentionMs)];
  }

  /** Of groups that have no members: unless somebody has committed, or claimed, since. */
  expire({ groups, retentionMs }: ExpireOffsetsCommand, at: CommandPlace): Answer {
    if (!Number.isSafeInteger(retentionMs)) return refused("INVALID_ARGUMENT", "retention_ms");
    if (groups.length > EXPIRED_PER_COMMAND_MAX)
      return refused("INVALID_ARGUMENT", `groups: more than ${EXPIRED_PER_COMMAND_MAX}`);
    const expiredGroups: string[] = [];
    for (const { group, epoch } of groups as readonly DormantGroup[]) {
      if (!this.#isDormant(group, { epoch, retentionMs, at })) continue;
      for (const owner of this.#rows.ownersOf(group))
        for (const key of this.#rows.queuesOf(owner)) this.#rows.delete(owner, key);
      expiredGroups.push(group);
    }
    return { expiredGroups };
  }

  forgetTopics(topicIds: ReadonlySet<number>): void {
    this.#rows.forgetTopics(topicIds);
  }

  /** The tables were replaced. */
  load(): void {
    this.#rows.load();
    this.#reignBegan = this.#init.reigns.get(REIGN_ROW)?.[0] ?? 0;
  }

  /** By its rows, which are the same on all nodes. */
  #isDormant(
    group: string,
    since: { readonly epoch: number; readonly retentionMs: number; readonly at: CommandPlace },
  ): boolean {
    const { epoch, retentionMs, at } = since;
    const rows = this.#rows
      .ownersOf(group)
      .flatMap((owner) => this.#rows.queuesOf(owner).map((key) => this.#rows.get(owner, key)));
    return (
      rows.length > 0 &&
      rows.every(
        (row) =>
          row.epoch <= epoch &&
          at.timestamp - row.committedAt >= retentionMs &&
          this.leasedUntil(row) <= at.timestamp,
      )
    );
  }

  #claim(
    owner: string,
    ref: QueueRef.$Properties,
    { command, at }: { readonly command: ClaimCommand; readonly at: CommandPlace },
  ): ClaimedQueue.$Properties {
    const { epoch, memberId, leaseMs } = command;
    const { topicId, queue } = placeOf(ref);
    const key = queueKey(topicId, queue);
    const known = this.#rows.get(owner, key);
    const error =
      this.#queueProblem(owner, ref, known) ??
      staleEpoch(epoch, known) ??
      this.#leaseOf(known, memberId, at);
    if (error !== undefined) return { topicId, queue, error: errorDetail(error) };
    const fencingToken = tokenOf(at);
    const leasedUntil = leaseMs === 0 ? 0 : at.timestamp + leaseMs;
    this.#rows.set(owner, key, { ...known, epoch, fencingToken, memberId, leaseMs, leasedUntil });
    return { topicId, queue, committedOffset: known.offset, fencingToken };
  }

  /** @returns why a member has to wait: another one has the queue for a while. */
  #leaseOf(known: Progress, memberId: string, at: CommandPlace): OperationError | undefined {
    const leftMs = this.leasedUntil(known) - at.timestamp;
    if (leftMs <= 0 || known.memberId === memberId) return undefined;
    const message = `member ${known.memberId} has leased the queue for ${leftMs} ms more`;
    return new OperationError("QUEUE_LEASED", message, { retryAfterMs: leftMs });
  }

  #commit(request: CommitRequest, at: CommandPlace): CommitAnswer.$Properties {
    const { group, memberId, offsets, leaseMs } = request;
    const problem = problemOf(request, offsets.length) ?? leaseProblem(leaseMs);
    if (problem !== undefined) return refused("INVALID_ARGUMENT", problem);
    const owner = ownerOf(group, request.isOwnProgress ? memberId : undefined);
    return { errors: offsets.map((each) => this.#commitQueue(owner, each, { request, at })) };
  }

  #commitQueue(
    owner: string,
    told: QueueOffset.$Properties,
    { request, at }: { readonly request: CommitRequest; readonly at: CommandPlace },
  ): Detail {
    const { topicId, queue } = placeOf(told);
    const key = queueKey(topicId, queue);
    const known = this.#rows.get(owner, key);
    const error =
      this.#queueProblem(owner, told, known) ??
      fence(known, told, request.epoch) ??
      this.#offsetProblem(told);
    if (error !== undefined) return errorDetail(error);
    const offset = told.offset ?? undefined;
    const { leaseMs, isRelease } = request;
    const isLeased = known.leaseMs > 0 && leaseMs > 0;
    const renewed = isLeased ? { leaseMs, leasedUntil: at.timestamp + leaseMs } : {};
    const next = {
      ...known,
      ...renewed,
      ...(isRelease ? { leasedUntil: 0 } : {}),
      ...(offset === undefined ? {} : { offset, committedAt: at.timestamp }),
    };
    this.#rows.set(owner, key, next);
    return {};
  }

  /** For the group, and for those of its members that have their own progress in the queue. */
  #reset(group: string, told: QueueOffset.$Properties, at: CommandPlace): void {
    const { topicId, queue } = placeOf(told);
    const key = queueKey(topicId, queue);
    const own = this.#rows
      .ownersOf(group)
      .filter((each) => this.#rows.get(each, key) !== NO_PROGRESS);
    const owners = own.length === 0 ? [ownerOf(group)] : own;
    for (const owner of owners) {
      const known = this.#rows.get(owner, key);
      // Also where nobody has claimed anything: whoever assigns queues itself is fenced, too.
      const fencingToken = tokenOf(at);
      const { timestamp: committedAt } = at;
      this.#rows.set(owner, key, { ...known, offset: told.offset ?? 0, fencingToken, committedAt });
    }
  }

  /** @returns why nobody can be anywhere in the queue, or no more than there are already. */
  #queueProblem(
    owner: string,
    ref: QueueRef.$Properties,
    known: Progress,
  ): OperationError | undefined {
    const problem = this.#init.problemOf(placeOf(ref));
    if (problem !== undefined || known !== NO_PROGRESS) return problem;
    if (this.#rows.rowCount >= ROWS_MAX)
      return new OperationError("TOO_MANY", `groups have offsets of ${ROWS_MAX} queues here`);
    if (this.#rows.groupCount < GROUPS_MAX || this.#rows.hasGroup(groupOf(owner))) return undefined;
    const message = `${GROUPS_MAX} consumer groups have offsets here: ${TOO_MANY_GROUPS}`;
    return new OperationError("TOO_MANY", message);
  }

  #offsetProblem(told: QueueOffset.$Properties): OperationError | undefined {
    const offset = told.offset ?? 0;
    const { topicId, queue } = placeOf(told);
    const nextOffset = this.#init.endOf(queueKey(topicId, queue));
    if (offset <= nextOffset) return undefined;
    const message = `queue ${queue}: offset ${offset} is beyond the queue's end at ${nextOffset}`;
    return new OperationError("OFFSET_OUT_OF_RANGE", message, {
      range: { firstOffset: 0, nextOffset },
    });
  }
}

/** An offset that was left out is none: taken for 0, it would have everything consumed again. */
export function resetProblem({
  offsets,
}: Pick<ResetOffsetsRequest, "offsets">): OperationError | undefined {
  const at = offsets.findIndex(({ offset }) => offset === undefined || offset === null);
  if (at === -1) return undefined;
  const field = `offsets[${at}].offset`;
  const problem = "is missing; 0 is the queue's very first message";
  return new OperationError("INVALID_ARGUMENT", `${field}: ${problem}`, {
    problems: [{ field, problem }],
  });
}

/** Each claim is a record of its own, so its place in the log is larger than any token before. */
function tokenOf({ logOffset }: CommandPlace): number {
  return logOffset + 1;
}

function staleEpoch(epoch: number, known: Progress): OperationError | undefined {
  if (epoch >= known.epoch) return undefined;
  const message = `the assignment of epoch ${epoch} is over: the queue was claimed with`;
  return new OperationError("STALE_EPOCH", `${message} ${known.epoch} by ${known.memberId}`);
}

/** @returns why whoever commits has the queue no more. */
function fence(
  known: Progress,
  { queue, fencingToken }: QueueOffset.$Properties,
  epoch: number,
): OperationError | undefined {
  const token = fencingToken ?? 0;
  const isReset = known.epoch === 0 && known.fencingToken !== 0;
  if (token === 0 && !isReset) return staleEpoch(epoch, known);
  if (token === known.fencingToken) return undefined;
  const message = `queue ${queue}: token ${token} is over: ${known.fencingToken} was given out`;
  return new OperationError("STALE_FENCING_TOKEN", message);
}

function placeOf({ topicId, queue }: QueueRef.$Properties): { topicId: number; queue: number } {
  return { topicId: topicId ?? 0, queue: queue ?? 0 };
}

/** @returns what is wrong: a number that is none would stay there, above all that is true. */
function problemOf(
  {
    group,
    memberId,
    epoch,
    isOwnProgress,
  }: Pick<CommitRequest, "epoch" | "group" | "isOwnProgress" | "memberId">,
  queueCount: number,
): string | undefined {
  const problem = groupNameProblem(group);
  if (problem !== undefined) return `group: ${problem}`;
  if (!Number.isSafeInteger(epoch)) return `epoch: ${epoch} is not below 2^53`;
  // Whoever assigns queues itself needs no name.
  if (memberId !== "" || isOwnProgress) {
    const idProblem = memberIdProblem(memberId);
    if (idProblem !== undefined) return `member_id: ${idProblem}`;
  }
  return countProblem(queueCount);
}

function countProblem(queueCount: number): string | undefined {
  if (queueCount <= QUEUES_PER_COMMAND_MAX) return undefined;
  return `queues: ${queueCount} are more than ${QUEUES_PER_COMMAND_MAX}`;
}

function leaseProblem(leaseMs: number): string | undefined {
  const { min, max } = LEASE_MS;
  if (leaseMs === 0 || (leaseMs >= min && leaseMs <= max)) return undefined;
  return `lease_ms: ${leaseMs} is neither 0 nor in [${min}, ${max}]`;
}
