/** How a push consumer is set up. */

import { topicNameProblem } from "@quorumlog/protocol";
import { AssignmentStrategy as WireStrategy } from "@quorumlog/protocol/messages";
import { CLUSTER_CHECKS, type ClusterOptions } from "./cluster-link.ts";
import type { ConsumedMessage } from "./consumed-message.ts";
import type { ResetPolicy } from "./fetcher.ts";
import { consumerGroup } from "./group-offsets.ts";
import type { ConsumeOrder, MessageListener } from "./message-workers.ts";
import {
  abortSignal,
  callback,
  type Check,
  demandOptions,
  integerIn,
  isObject,
  oneOf,
  textThat,
} from "./option-problems.ts";
import {
  PREFETCH_CHECK,
  RESET_CHECK,
  START_CHECK,
  tagExpression,
  UNDECODABLE_CHECK,
} from "./pull-consumer-options.ts";
import type { QueueName } from "./pull-consumer-options.ts";
import type { RetryEvent } from "./retry-notices.ts";
import type { UndecodableMessages, UndecodablePolicy } from "./undecodable-messages.ts";

/** What a consumer tells while it works. */
export type PushConsumerEvent =
  | { readonly type: "assigned"; readonly epoch: number; readonly queues: readonly QueueName[] }
  /** Offsets were reset: these queues go on from there. */
  | { readonly type: "reset"; readonly queues: readonly QueueName[] }
  /** The coordinator was out of reach for a session: others may be given the queues. */
  | { readonly type: "lapsed" }
  | {
      readonly type: "failed";
      readonly message: ConsumedMessage;
      readonly error: unknown;
      readonly attempt: number;
    }
  | { readonly type: "given-up"; readonly message: ConsumedMessage; readonly error: unknown }
  /** Nobody can decode these messages: the queue has stopped in front of them, or skipped them. */
  | ({ readonly type: "undecodable" } & UndecodableMessages)
  | { readonly type: "queue-problem"; readonly queue: QueueName; readonly error: Error }
  | RetryEvent
  | { readonly type: "refused"; readonly error: Error };

export type AssignmentStrategy = "average" | "circle" | "consistent-hash" | "sticky";

export interface PushConsumerOptions extends ClusterOptions {
  readonly consumerGroup: string;
  /** Tag expressions by topic: `{ orders: "*" }`. The same for all members of the group. */
  readonly subscriptions: Readonly<Record<string, string>>;
  /** Called with each message; it is finished when that returns, or its promise resolves. Without
   *  one, the consumer is iterated. */
  readonly listener?: MessageListener;
  /**
   * `clustering` (the default): each message to one member; `broadcasting`: to each of them. A
   * broadcasting member with an `instanceId` has offsets of its own in the log, and goes on where
   * it was after a restart; without one nothing is committed.
   */
  readonly mode?: "clustering" | "broadcasting";
  readonly strategy?: AssignmentStrategy;
  /** Default `concurrent`. */
  readonly order?: ConsumeOrder;
  /** Calls of the listener at a time, in `[1, 10000]`; default 20. */
  readonly concurrency?: number;
  /**
   * Where to begin in a queue without a committed offset; default `earliest`, and `latest` of a
   * broadcasting member without an `instanceId`. With `latest` also a queue that the topic gets
   * later begins at its end: what was published to it before a member had it is not handed out.
   */
  readonly startFrom?: "earliest" | "latest";
  /** Of an offset that is not there any more; default `earliest`. */
  readonly onOutOfRange?: ResetPolicy;
  /**
   * Of messages that are stored as something that nobody can decode: `stop` (the default) leaves
   * the queue in front of them, told by an event, or by a warning of the process if nobody listens
   * to events; `skip` goes on behind them.
   */
  readonly onUndecodable?: UndecodablePolicy;
  /**
   * How often one message is handed out, in `[0, 1000000]`; 0, the default: until it is finished.
   */
  readonly attemptsMax?: number;
  /** The first wait before it is handed out again, doubled up to 30 s; default 100. */
  readonly retryMs?: number;
  readonly prefetchBytes?: number;
  /** In `[100, 600000]`; default 5000. */
  readonly commitIntervalMs?: number;
  /** In `[6000, 300000]`; default 10000. */
  readonly sessionTimeoutMs?: number;
  /** How long `close` waits for the listener, in milliseconds; default 30000. */
  readonly closeTimeoutMs?: number;
  /**
   * Names this member for good, in `[1, 255]` bytes: unique within the group, the same after a
   * restart, so that it gets its queues back. If two run under one name, the later one stays.
   * Default: a random one.
   */
  readonly instanceId?: string;
  readonly onEvent?: (event: PushConsumerEvent) => void;
  /** Of `open` alone. */
  readonly signal?: AbortSignal;
}

type Optional = "listener" | "instanceId" | "onEvent";
export type PushConsumerSettings = Required<Omit<PushConsumerOptions, Optional | "signal">> &
  Pick<PushConsumerOptions, Optional>;

export const STRATEGIES: Readonly<Record<AssignmentStrategy, WireStrategy>> = {
  average: WireStrategy.ASSIGNMENT_STRATEGY_AVERAGE,
  circle: WireStrategy.ASSIGNMENT_STRATEGY_CIRCLE,
  "consistent-hash": WireStrategy.ASSIGNMENT_STRATEGY_CONSISTENT_HASH,
  sticky: WireStrategy.ASSIGNMENT_STRATEGY_STICKY,
};

const subscriptions: Check = (value) => {
  if (!isObject(value) || Object.keys(value).length === 0)
    return 'not an object of tag expressions by topic, as in { orders: "*" }';
  for (const [topic, tags] of Object.entries(value)) {
    const problem = topicNameProblem(topic) ?? tagExpression(tags);
    if (problem !== undefined) return `${topic}: ${problem}`;
  }
  return undefined;
};

const instanceId: Check = textThat((text) => {
  const bytes = Buffer.byteLength(text);
  return bytes >= 1 && bytes <= 255 ? undefined : `${bytes} bytes are not in [1, 255]`;
});

const CHECKS: { readonly [K in keyof Required<PushConsumerOptions>]: Check } = {
  ...CLUSTER_CHECKS,
  consumerGroup,
  subscriptions,
  listener: callback,
  mode: oneOf("clustering", "broadcasting"),
  strategy: oneOf(...Object.keys(STRATEGIES)),
  order: oneOf("concurrent", "per-key", "orderly"),
  concurrency: integerIn(1, 10_000),
  startFrom: START_CHECK,
  onOutOfRange: RESET_CHECK,
  onUndecodable: UNDECODABLE_CHECK,
  attemptsMax: integerIn(0, 1_000_000),
  retryMs: integerIn(1, 30_000),
  prefetchBytes: PREFETCH_CHECK,
  commitIntervalMs: integerIn(100, 600_000),
  sessionTimeoutMs: integerIn(6_000, 300_000),
  closeTimeoutMs: integerIn(0, 600_000),
  instanceId,
  onEvent: callback,
  signal: abortSignal,
};

const DEFAULTS = {
  mode: "clustering",
  strategy: "sticky",
  order: "concurrent",
  concurrency: 20,
  startFrom: "earliest",
  onOutOfRange: "earliest",
  onUndecodable: "stop",
  attemptsMax: 0,
  retryMs: 100,
  prefetchBytes: 33_554_432,
  commitIntervalMs: 5_000,
  sessionTimeoutMs: 10_000,
  closeTimeoutMs: 30_000,
} as const;

/** @throws OperationError `INVALID_ARGUMENT` with whatever does not fit */
export function parsePushConsumerOptions(options: PushConsumerOptions): PushConsumerSettings {
  demandOptions<PushConsumerOptions>(options, CHECKS, [
    "nameServers",
    "consumerGroup",
    "subscriptions",
  ]);
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as PushConsumerOptions;
  const isNameless = given.mode === "broadcasting" && given.instanceId === undefined;
  const startFrom = isNameless ? "latest" : DEFAULTS.startFrom;
  return Object.freeze({ ...DEFAULTS, startFrom, ...given }) as PushConsumerSettings;
}
