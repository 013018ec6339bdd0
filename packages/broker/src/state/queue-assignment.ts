/**
 * Which member of a consumer group gets which queue: the same on every node, from the same members
 * and queues in the same order.
 */

import { crc32 } from "node:zlib";
import { AssignmentStrategy } from "@quorumlog/protocol/messages";
import type { QueueKey } from "./queue-key.ts";

/** By member, in the order of their ids. */
export type Assignment = ReadonlyMap<string, readonly QueueKey[]>;

/** On a circle, so that the shares are even to a tenth or so. */
const POINTS_PER_MEMBER = 160;

/**
 * @param members - In order, each once.
 * @param queues - In order, each once.
 * @param former - What they had, for a strategy that moves as little as it can.
 */
export function assignQueues(
  strategy: AssignmentStrategy,
  members: readonly string[],
  queues: readonly QueueKey[],
  former: Assignment,
): Assignment {
  if (members.length === 0) return new Map();
  switch (strategy) {
    case AssignmentStrategy.ASSIGNMENT_STRATEGY_AVERAGE:
      return neighbours(members, queues);
    case AssignmentStrategy.ASSIGNMENT_STRATEGY_CIRCLE:
      return inTurn(members, queues);
    case AssignmentStrategy.ASSIGNMENT_STRATEGY_CONSISTENT_HASH:
      return onCircle(members, queues);
    default:
      return sticky(members, queues, former);
  }
}

/** The first ones have one more, if it does not come out even. */
function shares(memberCount: number, queueCount: number): number[] {
  const share = Math.floor(queueCount / memberCount);
  return Array.from(
    { length: memberCount },
    (_, i) => share + (i < queueCount % memberCount ? 1 : 0),
  );
}

function neighbours(members: readonly string[], queues: readonly QueueKey[]): Assignment {
  const counts = shares(members.length, queues.length);
  let at = 0;
  return new Map(
    members.map((member, i) => {
      const own = queues.slice(at, at + (counts[i] as number));
      at += own.length;
      return [member, own];
    }),
  );
}

function inTurn(members: readonly string[], queues: readonly QueueKey[]): Assignment {
  return new Map(
    members.map((member, i) => [member, queues.filter((_, q) => q % members.length === i)]),
  );
}

function onCircle(members: readonly string[], queues: readonly QueueKey[]): Assignment {
  const points = members
    .flatMap((member) =>
      Array.from({ length: POINTS_PER_MEMBER }, (_, i) => ({
        at: crc32(`${member}#${i}`),
        member,
      })),
    )
    .toSorted((a, b) => a.at - b.at || (a.member < b.member ? -1 : 1));
  const assigned = new Map<string, QueueKey[]>(members.map((member) => [member, []]));
  for (const queue of queues) {
    const hash = crc32(String(queue));
    const point = points.find(({ at }) => at >= hash) ?? points[0];
    if (point !== undefined) assigned.get(point.member)?.push(queue);
  }
  return assigned;
}

/** Everybody keeps what it had, up to its share; what is left goes to whoever has room. */
function sticky(
  members: readonly string[],
  queues: readonly QueueKey[],
  former: Assignment,
): Assignment {
  const there = new Set(queues);
  const taken = new Set<QueueKey>();
  const kept = new Map<string, QueueKey[]>();
  // Whoever had most may have the larger shares: then fewer queues move.
  const ranked = members.toSorted((a, b) => {
    const difference = (former.get(b)?.length ?? 0) - (former.get(a)?.length ?? 0);
    return difference === 0 ? (a < b ? -1 : 1) : difference;
  });
  const counts = shares(members.length, queues.length);
  for (const [i, member] of ranked.entries()) {
    const own = (former.get(member) ?? [])
      .filter((queue) => there.has(queue) && !taken.has(queue))
      .slice(0, counts[i]);
    for (const queue of own) taken.add(queue);
    kept.set(member, [...own]);
  }
  const left = queues.filter((queue) => !taken.has(queue)).values();
  for (const [i, member] of ranked.entries()) {
    const own = kept.get(member) as QueueKey[];
    while (own.length < (counts[i] as number)) own.push(left.next().value as QueueKey);
    own.sort((a, b) => a - b);
  }
  return new Map(members.map((member) => [member, kept.get(member) as QueueKey[]]));
}
