/** What the calls of an admin take. */

import { MESSAGE_LIMITS, topicNameProblem } from "@quorumlog/protocol";
import { valueInWords } from "@quorumlog/std";
import { CLUSTER_CHECKS, type ClusterOptions } from "./cluster-link.ts";
import type { ResetOffsets } from "./group-admin.ts";
import { consumerGroup } from "./group-offsets.ts";
import type { FindOptions } from "./message-finder.ts";
import { abortSignal, anyText, type Check, integerIn, oneOf, textThat } from "./option-problems.ts";
import type { ListProducersOptions } from "./producer-admin.ts";
import type { WaitOptions } from "./waiting.ts";

export interface AdminOptions extends ClusterOptions {
  /** Of `open` alone. */
  readonly signal?: AbortSignal;
}

export interface CreateTopicOptions extends WaitOptions {
  readonly name: string;
  /** `fifo`: messages need a message group, whose order is kept. Default `normal`. */
  readonly type?: "normal" | "fifo";
  /** In `[1, 1024]`; default: as the brokers are configured. */
  readonly queueCount?: number;
  /** Broker groups to spread it over; default: all that are known. */
  readonly groupIds?: readonly number[];
  /** An equal topic that is there already is no error; default false. */
  readonly isIdempotent?: boolean;
}

export interface AlterTopicOptions extends WaitOptions {
  readonly name: string;
  /** More than now. */
  readonly queueCount?: number;
  readonly isReadable?: boolean;
  readonly isWritable?: boolean;
}

export interface AddNodeOptions extends WaitOptions {
  readonly groupId: number;
  readonly nodeId: number;
  /** Of its port for peers, as `host:port`. */
  readonly peerAddress: string;
  /** It receives everything and decides nothing; default false. */
  readonly staysLearner?: boolean;
}

export interface ReplaceNodeOptions extends WaitOptions {
  readonly groupId: number;
  readonly formerNodeId: number;
  readonly nodeId: number;
  readonly peerAddress: string;
}

type Checks<Options> = { readonly [K in keyof Required<Options>]: Check };

const nodeId = integerIn(1, 2 ** 32 - 1);
const groupId = nodeId;
const flag: Check = (value) =>
  typeof value === "boolean" ? undefined : `${valueInWords(value)} is not true or false`;
const peerAddress = textThat((text) =>
  /^.+:\d{1,5}$/u.test(text) ? undefined : `${valueInWords(text)} is not host:port`,
);
const queue = integerIn(0, 65_535);
const time = integerIn(0, Number.MAX_SAFE_INTEGER);

export const topicName: Check = textThat(topicNameProblem);
export const messageKey: Check = textThat((text) => {
  const bytes = Buffer.byteLength(text);
  const { keyBytesMax } = MESSAGE_LIMITS;
  return bytes >= 1 && bytes <= keyBytesMax ? undefined : `not [1, ${keyBytesMax}] bytes`;
});

export const WAIT_CHECKS: Checks<WaitOptions> = {
  signal: abortSignal,
  timeoutMs: integerIn(1, 86_400_000),
};

export const ADMIN_CHECKS: Checks<AdminOptions> = { ...CLUSTER_CHECKS, signal: abortSignal };

export const CREATE_TOPIC_CHECKS: Checks<CreateTopicOptions> = {
  ...WAIT_CHECKS,
  name: topicName,
  type: oneOf("normal", "fifo"),
  queueCount: integerIn(1, 1_024),
  groupIds: (value) =>
    Array.isArray(value) && value.every((id) => groupId(id) === undefined)
      ? undefined
      : "not a list of ids of broker groups",
  isIdempotent: flag,
};

export const ALTER_TOPIC_CHECKS: Checks<AlterTopicOptions> = {
  ...WAIT_CHECKS,
  name: topicName,
  queueCount: integerIn(1, 1_024),
  isReadable: flag,
  isWritable: flag,
};

export const ADD_NODE_CHECKS: Checks<AddNodeOptions> = {
  ...WAIT_CHECKS,
  groupId,
  nodeId,
  peerAddress,
  staysLearner: flag,
};

export const REPLACE_NODE_CHECKS: Checks<ReplaceNodeOptions> = {
  ...WAIT_CHECKS,
  groupId,
  formerNodeId: nodeId,
  nodeId,
  peerAddress,
};

export const NODE_CHECKS: Checks<{ groupId: number; nodeId: number }> = { groupId, nodeId };

export const CONFIGURATION_CHECKS: Checks<{ namespace: string; key: string; value: string }> = {
  namespace: anyText,
  key: anyText,
  value: anyText,
};

export const FIND_CHECKS: Checks<FindOptions> = {
  ...WAIT_CHECKS,
  from: time,
  to: time,
  maxMessages: integerIn(1, 1_000),
};

export const RESET_CHECKS: Checks<ResetOffsets> = {
  group: consumerGroup,
  topic: topicName,
  // Looked at by itself.
  place: () => undefined,
  queues: (value) =>
    Array.isArray(value) && value.length > 0 && value.every((each) => queue(each) === undefined)
      ? undefined
      : "not a list of numbers of queues",
  isDryRun: flag,
};

export const LIST_PRODUCERS_CHECKS: Checks<ListProducersOptions> = {
  ...WAIT_CHECKS,
  producerGroup: consumerGroup,
  topic: topicName,
};

export const GROUP_CHECKS: Checks<{ group: string }> = { group: consumerGroup };
