/** How a producer is set up. */

import { hostname } from "node:os";
import { groupNameProblem } from "@quorumlog/protocol";
import { CLUSTER_CHECKS, type ClusterOptions } from "./cluster-link.ts";
import {
  abortSignal,
  callback,
  type Check,
  demandOptions,
  flag,
  integerIn,
  oneOf,
  textThat,
} from "./option-problems.ts";
import type { Durability } from "./send-receipt.ts";
import type { QueueSelector } from "./topic-queues.ts";

export interface ProducerOptions extends ClusterOptions {
  /**
   * Producers of one kind: brokers tell which groups publish to a topic, and who of them is there.
   */
  readonly producerGroup: string;
  /**
   * Tells this producer apart from others of its group, in `[1, 255]` bytes, without control
   * characters. Default: host, process and a number, as in `web-1@4711@1`.
   */
  readonly clientId?: string;
  /** Of each send that says nothing else; default `quorum`. */
  readonly durability?: Durability;
  /** Of each send that says nothing else, in milliseconds; default 3000. */
  readonly timeoutMs?: number;
  /**
   * How long a message waits for others, in `[0, 5]` milliseconds; default 0: until the turn ends.
   */
  readonly lingerMs?: number;
  /** Of a batch and of a container, in `[4096, 1048576]`; default 262144. */
  readonly batchBytes?: number;
  /**
   * Of all messages that are not settled, and 512 for each of their calls; default 67108864
   * (64 MiB).
   */
  readonly bufferBytes?: number;
  /** When the buffer is full: `fail` with `OVERLOADED` (the default), or `wait` for room. */
  readonly onFull?: "fail" | "wait";
  /** Of batches above 4096 bytes; default `none`. */
  readonly compression?: "none" | "deflate";
  /** Default: by message group; without one, batch by batch in turn. */
  readonly queueSelector?: QueueSelector;
  /**
   * Whether a topic that nobody knows is asked for: it is made if the brokers are set up for that
   * (`autoCreateTopics`). Default false.
   */
  readonly createsTopics?: boolean;
  /** Of `open` alone. */
  readonly signal?: AbortSignal;
}

/** Of one call. */
export interface SendOptions {
  readonly durability?: Durability;
  /** In milliseconds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export type ProducerSettings = Required<Omit<ProducerOptions, "signal" | "queueSelector">> &
  Pick<ProducerOptions, "queueSelector">;

const clientName: Check = textThat((text) => {
  const bytes = Buffer.byteLength(text);
  if (bytes < 1 || bytes > 255) return `${bytes} bytes are not in [1, 255]`;
  return /\p{Cc}/u.test(text) ? "has control characters" : undefined;
});
const timeout = integerIn(1, 600_000);
const durability = oneOf("quorum", "leader", "async");

const CHECKS: { readonly [K in keyof Required<ProducerOptions>]: Check } = {
  ...CLUSTER_CHECKS,
  producerGroup: textThat(groupNameProblem),
  clientId: clientName,
  durability,
  timeoutMs: timeout,
  lingerMs: integerIn(0, 5),
  batchBytes: integerIn(4_096, 1_048_576),
  bufferBytes: integerIn(65_536, 2 ** 32),
  onFull: oneOf("fail", "wait"),
  compression: oneOf("none", "deflate"),
  queueSelector: callback,
  createsTopics: flag,
  signal: abortSignal,
};

/** Of this process: each has a name of its own. */
let openedCount = 0;

const SEND_CHECKS: { readonly [K in keyof Required<SendOptions>]: Check } = {
  durability,
  timeoutMs: timeout,
  signal: abortSignal,
};

const DEFAULTS = {
  durability: "quorum",
  timeoutMs: 3_000,
  lingerMs: 0,
  batchBytes: 262_144,
  bufferBytes: 67_108_864,
  onFull: "fail",
  compression: "none",
  createsTopics: false,
} as const;

/** @throws OperationError `INVALID_ARGUMENT` with whatever does not fit */
export function parseProducerOptions(options: ProducerOptions): ProducerSettings {
  demandOptions<ProducerOptions>(options, CHECKS, ["nameServers", "producerGroup"]);
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as ProducerOptions;
  openedCount += 1;
  const clientId = `${hostname().slice(0, 100)}@${process.pid}@${openedCount}`;
  return Object.freeze({ ...DEFAULTS, clientId, ...given }) as ProducerSettings;
}

/** @throws OperationError `INVALID_ARGUMENT` */
export function demandSendOptions(options: unknown): asserts options is SendOptions {
  demandOptions<SendOptions>(options, SEND_CHECKS);
}
