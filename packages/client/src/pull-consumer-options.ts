/** How a pull consumer is set up, and what its calls take. */

import { parseTagExpression, topicNameProblem } from "@quorumlog/protocol";
import { valueInWords } from "@quorumlog/std";
import { CLUSTER_CHECKS, type ClusterOptions } from "./cluster-link.ts";
import type { QueuePlace, ResetPolicy } from "./fetcher.ts";
import { consumerGroup } from "./group-offsets.ts";
import {
  abortSignal,
  callback,
  type Check,
  demandOptions,
  integerIn,
  invalid,
  isObject,
  oneOf,
  textThat,
} from "./option-problems.ts";
import type { RetryEvent } from "./retry-notices.ts";
import type { UndecodableMessages, UndecodablePolicy } from "./undecodable-messages.ts";

/** What a consumer tells while it works. */
export type PullConsumerEvent =
  /** Nobody can decode these messages: the queue has stopped in front of them, or skipped them. */
  | ({ readonly type: "undecodable" } & UndecodableMessages)
  /** The group's offset was reset: this queue goes on from there. */
  | { readonly type: "reset"; readonly queue: QueueName; readonly offset: number }
  | RetryEvent;

export interface PullConsumerOptions extends ClusterOptions {
  /** Whose offsets are committed; default: none, and nothing is committed. */
  readonly consumerGroup?: string;
  /** Where to begin in a queue without a committed offset; default `earliest`. */
  readonly startFrom?: "earliest" | "latest";
  /** Of an offset that is not there any more, or not yet; default `fail`. */
  readonly onOutOfRange?: ResetPolicy;
  /**
   * Of messages that are stored as something that nobody can decode: `stop` (the default) leaves
   * the queue in front of them, and `poll` throws `UNDECODABLE` once it has nothing else; `skip`
   * goes on behind them. Either is told by an event.
   */
  readonly onUndecodable?: UndecodablePolicy;
  readonly onEvent?: (event: PullConsumerEvent) => void;
  /** What is fetched ahead, of all queues together; default 33554432 (32 MiB). */
  readonly prefetchBytes?: number;
  /** Of `open` alone. */
  readonly signal?: AbortSignal;
}

/** A queue of a topic. */
export interface QueueName {
  readonly topic: string;
  readonly queue: number;
}

export interface QueueAssignment extends QueueName {
  /** As in `a || b`; default: all. */
  readonly tags?: string;
}

type Optional = "consumerGroup" | "onEvent";
export type PullConsumerSettings = Required<Omit<PullConsumerOptions, "signal" | Optional>> &
  Pick<PullConsumerOptions, Optional>;

export const PREFETCH_CHECK: Check = integerIn(65_536, 2 ** 31);
export const START_CHECK: Check = oneOf("earliest", "latest");
export const UNDECODABLE_CHECK: Check = oneOf("stop", "skip");
export const RESET_CHECK: Check = oneOf("earliest", "latest", "fail");

const CHECKS: { readonly [K in keyof Required<PullConsumerOptions>]: Check } = {
  ...CLUSTER_CHECKS,
  consumerGroup,
  startFrom: START_CHECK,
  onOutOfRange: RESET_CHECK,
  onUndecodable: UNDECODABLE_CHECK,
  onEvent: callback,
  prefetchBytes: PREFETCH_CHECK,
  signal: abortSignal,
};

const DEFAULTS = {
  startFrom: "earliest",
  onOutOfRange: "fail",
  onUndecodable: "stop",
  prefetchBytes: 33_554_432,
} as const;

export const tagExpression: Check = textThat((text) => {
  try {
    parseTagExpression(text);
    return undefined;
  } catch (error) {
    return (error as RangeError).message;
  }
});

const ASSIGNMENT_CHECKS: { readonly [K in keyof Required<QueueAssignment>]: Check } = {
  topic: textThat(topicNameProblem),
  queue: integerIn(0, 65_535),
  tags: tagExpression,
};

/** @throws OperationError `INVALID_ARGUMENT` with whatever does not fit */
export function parsePullConsumerOptions(options: PullConsumerOptions): PullConsumerSettings {
  demandOptions<PullConsumerOptions>(options, CHECKS, ["nameServers"]);
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as PullConsumerOptions;
  return Object.freeze({ ...DEFAULTS, ...given }) as PullConsumerSettings;
}

/** @throws OperationError `INVALID_ARGUMENT` */
export function demandAssignments(queues: unknown): asserts queues is readonly QueueAssignment[] {
  if (!Array.isArray(queues)) throw invalid([{ field: "queues", problem: "not a list" }]);
  for (const queue of queues)
    demandOptions<QueueAssignment>(queue, ASSIGNMENT_CHECKS, ["topic", "queue"]);
}

/** @throws OperationError `INVALID_ARGUMENT` */
export function demandPlace(place: unknown): asserts place is QueuePlace {
  const time = isObject(place) ? place["timestamp"] : undefined;
  const isPlace =
    place === "earliest" ||
    place === "latest" ||
    (Number.isSafeInteger(place) && Number(place) >= 0) ||
    (Number.isSafeInteger(time) && Number(time) >= 0);
  if (isPlace) return;
  const problem = `${valueInWords(place)} is no offset, { timestamp }, "earliest" or "latest"`;
  throw invalid([{ field: "place", problem }]);
}
