/** How a broker's node is told who and where it is: checked once, every problem in one error. */

import {
  type ChannelTls,
  type FieldProblem,
  OperationError,
  type RpcTls,
} from "@quorumlog/protocol";
import type { BrokerRegistrationEvent } from "@quorumlog/nameserver";
import {
  demandNodeOptions,
  type MachineOptions,
  type ReplicaEvent,
  ReplicaOptionsError,
} from "@quorumlog/replica";
import { integerProblem, valueInWords } from "@quorumlog/std";

/** What a node's operator has to know: of its replica, and of NameServers. */
export type BrokerEvent =
  | ReplicaEvent
  | BrokerRegistrationEvent
  /** Consumer groups were forgotten, as nobody uses them: told by the node that leads. */
  | { readonly type: "consumerGroupsExpired"; readonly groups: readonly string[] }
  /** Records are applied by these rules from here on: told by the node that leads. */
  | { readonly type: "rulesRaised"; readonly rulesVersion: number }
  /** The metadata group does not take this one in: it gets no queues. Told by its leader. */
  | {
      readonly type: "groupRefused";
      readonly groupId: number;
      readonly groupName: string;
      readonly error: OperationError;
    };

/** Numbers; all have defaults. */
export interface BrokerLimits {
  /** Connections of clients: more are dropped. In `[1, 1000000]`, default 10000. */
  readonly connectionCountMax: number;
  /**
   * A queue that is read so much further from the log's end than the newest entries in memory go is
   * read from a follower, if the client follows; of the log, in bytes; 0: never. In `[0, 1 TiB]`,
   * default 64 MiB.
   */
  readonly followerReadBytes: number;
  /** Queues of a topic that is created without saying how many. In `[1, 1024]`, default 4. */
  readonly defaultQueueCount: number;
  /**
   * A consumer group without members is forgotten, and how far it was, when nothing was committed
   * in it for so long, by the log's time; 0: never. Producer groups that have not published for so
   * long, and for two hours, are not told of any more. In `[0, 10 years]`, at least 1000; default
   * 7 days. The same on all nodes of all groups.
   */
  readonly groupRetentionMs: number;
  /** Between words to NameServers when nothing changes. In `[100, 3600000]`, default 30000. */
  readonly heartbeatMs: number;
  /**
   * Of one message, its properties included. In `[1 KiB, 4 MiB]`, and 4 KiB less than
   * `replica.tuning.callBytesMax`, which is up to half of `segmentBytes`; default as much as that.
   */
  readonly messageBytesMax: number;
  /** Calls of clients, of all connections, at a time. In `[1, 1000000]`, default 20000. */
  readonly streamCountMax: number;
  /**
   * Of requests that are not whole, or not read yet, of all streams, in bytes: with more, the
   * streams that hold most are ended. In `[16 MiB, 1 TiB]`, default 512 MiB.
   */
  readonly unreadBytesMax: number;
}

/**
 * How long messages are kept: what is beyond any limit goes, oldest first, whole segments at a
 * time. What is left out has its default; `keep` keeps everything.
 */
export type BrokerRetention = "keep" | BrokerRetentionLimits;

export interface BrokerRetentionLimits {
  /** By the log's time. At least 1000; default 72 hours. */
  readonly milliseconds?: number;
  /** Of the group's log. At least a segment, and `snapshotEveryBytes`; default no limit. */
  readonly bytes?: number;
  /**
   * Of a node's disk, used by whatever it is: beyond it the oldest messages go before their time.
   * In `[1, 99]`, default 75. The newest GiB stays, or a twentieth of the disk if that is less.
   */
  readonly diskPercent?: number;
}

export interface BrokerOptions extends Partial<BrokerLimits> {
  /** Where clients reach this node, as `host:port`; port 0 takes a free one. */
  readonly listen: string;
  readonly tls?: RpcTls;
  /** How this node speaks to NameServers, and to the metadata group; default: without TLS. */
  readonly channelTls?: ChannelTls;
  /** Where clients are told to reach it, as `host:port`; default where it listens. */
  readonly advertise?: string;
  /** Each of them is told of this node, as `host:port`; default none. */
  readonly nameServers?: readonly string[];
  /** Of the broker group; 1, the default, has the cluster's metadata, too. */
  readonly groupId?: number;
  /**
   * Of the broker group, which no other one has; default `broker-a` of group 1, `broker-b` of group
   * 2, and so on; `broker-27` of the one behind `broker-z`.
   */
  readonly groupName?: string;
  /**
   * Whether a topic is made when a producer asks for one that there is not, with
   * `defaultQueueCount` queues; of the metadata group. Default false: a name that is mistyped is
   * an error.
   */
  readonly autoCreateTopics?: boolean;
  /**
   * Where figures are told over HTTP, as `host:port`: `/metrics` for Prometheus, `/health` and
   * `/ready`; port 0 takes a free one. Default nowhere.
   */
  readonly metrics?: string;
  /** Of that port, which speaks HTTPS then; default: without TLS. */
  readonly metricsTls?: RpcTls;
  /** Of the group's messages; the same on all of its nodes. */
  readonly retention?: BrokerRetention;
  /** The group's nodes, this one's disk, and how they talk to each other. */
  readonly replica: Omit<MachineOptions, "checkpoint" | "groupId" | "onEvent" | "retention">;
  /** The index of queues could not be written: it is in memory, and made again after a restart. */
  readonly onIndexFailure?: (error: Error) => void;
  readonly onEvent?: (event: BrokerEvent) => void;
  /** A defect has shown: the process should log it and end. */
  readonly onDefect: (error: unknown) => void;
}

/** What was said, with nothing left open. */
export interface BrokerSettings extends BrokerLimits {
  readonly autoCreateTopics: boolean;
  readonly groupId: number;
  readonly groupName: string;
  readonly nameServers: readonly string[];
  /** Of a record of the log: a batch, or a command. */
  readonly recordBytesMax: number;
  /** Of the replica, whatever the group is. */
  readonly replica: Omit<MachineOptions, "checkpoint" | "onEvent">;
}

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GROUP_ID_MAX = 65_535;
const DAY_MS = 86_400_000;
/** Sooner, and consumers that are started anew find nothing. */
const GROUP_RETENTION_MS_MIN = 1_000;
/** What a batch says of a message, at most: its keys and its tag. */
const BATCH_HEAD_BYTES = 4 * KIB;
/** As the replica has it, and the most that it takes. */
const SEGMENT_BYTES = 64 * MIB;
const CALL_BYTES_MAX = 8 * MIB;
const METADATA_GROUP_ID = 1;
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const RETENTION: Required<Pick<BrokerRetentionLimits, "milliseconds" | "diskPercent">> = {
  milliseconds: 72 * 3_600_000,
  diskPercent: 75,
};

const BOUNDS: { readonly [K in keyof BrokerLimits]: Bounds } = {
  connectionCountMax: { min: 1, max: 1_000_000, fallback: 10_000 },
  followerReadBytes: { min: 0, max: 1024 * 1024 * MIB, fallback: 64 * MIB },
  defaultQueueCount: { min: 1, max: 1_024, fallback: 4 },
  groupRetentionMs: { min: 0, max: 3_650 * DAY_MS, fallback: 7 * DAY_MS },
  heartbeatMs: { min: 100, max: 3_600_000, fallback: 30_000 },
  messageBytesMax: { min: KIB, max: 4 * MIB, fallback: 4 * MIB },
  streamCountMax: { min: 1, max: 1_000_000, fallback: 20_000 },
  unreadBytesMax: { min: 16 * MIB, max: 1024 * 1024 * MIB, fallback: 512 * MIB },
};

/** Besides the limits; what `replica` holds is known there. */
const NAMES: ReadonlySet<string> = new Set<keyof BrokerOptions>([
  "listen",
  "tls",
  "channelTls",
  "advertise",
  "autoCreateTopics",
  "nameServers",
  "groupId",
  "groupName",
  "metrics",
  "metricsTls",
  "retention",
  "replica",
  "onIndexFailure",
  "onEvent",
  "onDefect",
]);

/** @throws OperationError `INVALID_ARGUMENT`, with all that does not fit */
export function parseBrokerOptions(options: BrokerOptions): BrokerSettings {
  const problems: FieldProblem[] = Object.keys(options)
    .filter((field) => !NAMES.has(field) && !Object.hasOwn(BOUNDS, field))
    .map((field) => ({ field, problem: "unknown option" }));
  const { groupId = METADATA_GROUP_ID, nameServers = [] } = options;
  const { groupName = defaultGroupName(groupId) } = options;
  const { autoCreateTopics } = options;
  if (autoCreateTopics !== undefined && typeof autoCreateTopics !== "boolean")
    problems.push({ field: "autoCreateTopics", problem: "is neither true nor false" });
  const integer = (field: string, value: unknown, bounds: Bounds): number => {
    const problem = integerProblem(value, bounds);
    if (problem === undefined) return Number(value);
    problems.push({ field, problem });
    return bounds.fallback;
  };
  const limit = (field: keyof BrokerLimits, fallback = BOUNDS[field].fallback): number =>
    integer(field, options[field] ?? fallback, BOUNDS[field]);
  integer("groupId", groupId, { min: 1, max: GROUP_ID_MAX, fallback: METADATA_GROUP_ID });
  for (const field of ["listen", "advertise", "metrics"] as const)
    if (options[field] !== undefined && !isAddress(options[field]))
      problems.push({ field, problem: `${valueInWords(options[field])} is not host:port` });
  if ((options.listen as unknown) === undefined)
    problems.push({ field: "listen", problem: "missing" });
  const stranger = nameServers.find((address) => !isAddress(address));
  if (stranger !== undefined)
    problems.push({ field: "nameServers", problem: `${valueInWords(stranger)} is not host:port` });
  const replica = {
    ...options.replica,
    groupId,
    retention: retentionOf(options.retention),
    tuning: tuningOf(options.replica.tuning),
  };
  problems.push(...replicaProblems(replica));
  const recordBytesMax = replica.tuning.callBytesMax ?? CALL_BYTES_MAX;
  const messageRoom = roomOf(recordBytesMax);
  const settings: BrokerSettings = {
    groupId,
    groupName,
    nameServers,
    replica,
    recordBytesMax,
    autoCreateTopics: autoCreateTopics === true,
    connectionCountMax: limit("connectionCountMax"),
    defaultQueueCount: limit("defaultQueueCount"),
    followerReadBytes: limit("followerReadBytes"),
    groupRetentionMs: limit("groupRetentionMs"),
    heartbeatMs: limit("heartbeatMs"),
    messageBytesMax: limit("messageBytesMax", messageRoom),
    streamCountMax: limit("streamCountMax"),
    unreadBytesMax: limit("unreadBytesMax"),
  };
  const { groupRetentionMs } = settings;
  if (groupRetentionMs > 0 && groupRetentionMs < GROUP_RETENTION_MS_MIN)
    problems.push({
      field: "groupRetentionMs",
      problem: `${groupRetentionMs} is neither 0 nor at least ${GROUP_RETENTION_MS_MIN}`,
    });
  const { messageBytesMax } = settings;
  if (messageBytesMax > messageRoom)
    problems.push({
      field: "messageBytesMax",
      problem:
        `${messageBytesMax} is more than ${messageRoom}, which is what a call of the log has ` +
        "room for: raise replica.tuning.segmentBytes, of which, as of pendingBytesMax, that " +
        "takes up to half",
    });
  if (problems.length === 0) return Object.freeze(settings);
  const text = problems.map(({ field, problem }) => `${field}: ${problem}`).join("; ");
  throw new OperationError("INVALID_ARGUMENT", text, { problems });
}

function defaultGroupName(groupId: number): string {
  const isLetter = groupId >= 1 && groupId <= LETTERS.length;
  return `broker-${isLetter ? LETTERS.charAt(groupId - 1) : groupId}`;
}

function retentionOf(given: BrokerRetention = {}): MachineOptions["retention"] & {} {
  // Whatever else it is, the replica says what it may be.
  if (typeof (given as unknown) !== "object" || given === "keep") return given;
  return { ...RETENTION, ...given };
}

/** Of a call, for a message with all that its batch says of it. */
function roomOf(callBytesMax: number): number {
  const { min, max } = BOUNDS.messageBytesMax;
  // What is no number is told by the replica.
  if (!Number.isSafeInteger(callBytesMax)) return max;
  return Math.max(min, Math.min(max, callBytesMax - BATCH_HEAD_BYTES));
}

/** As much as may be: a segment holds a call twice, and so does what may wait. */
function tuningOf(given: MachineOptions["tuning"] = {}): MachineOptions["tuning"] & {} {
  const { segmentBytes = SEGMENT_BYTES, pendingBytesMax = 2 * CALL_BYTES_MAX } = given;
  const half = Math.min(segmentBytes, pendingBytesMax) / 2;
  const callBytesMax = Math.floor(Math.min(CALL_BYTES_MAX, half));
  return Number.isInteger(callBytesMax) ? { callBytesMax, ...given } : given;
}

function replicaProblems(options: BrokerSettings["replica"]): FieldProblem[] {
  try {
    demandNodeOptions(options, "machine");
    // A log that is cut to what a snapshot does not cover is no content of queues.
    if ((options.retention as unknown) !== "compact") return [];
    return [{ field: "retention", problem: '"compact" would lose messages' }];
  } catch (error) {
    if (!(error instanceof ReplicaOptionsError)) throw error;
    return error.problems.map((text) => {
      const end = text.indexOf(": ");
      return { field: text.slice(0, end), problem: text.slice(end + 2) };
    });
  }
}

function isAddress(value: unknown): boolean {
  return typeof value === "string" && /^.+:\d{1,5}$/u.test(value);
}
