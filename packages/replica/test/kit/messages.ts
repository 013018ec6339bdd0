/** Messages of all types, by hand and by chance. */

import { crc32 } from "node:zlib";
import {
  encodeConfigurationChange,
  type Entry,
  LEAVE_JOINT,
  type Message,
  type MessageType,
} from "@quorumlog/raft";
import { configurations, COUNT_MAX, JOINT } from "./configurations.ts";
import { fc } from "./properties.ts";

type Of<T extends MessageType> = Extract<Message, { type: T }>;

const HEADER = { from: 2, to: 1, fromIncarnation: 3, toIncarnation: 2 ** 40, term: 2 ** 33 };

export function entry(index: number, bytes: number, fields: Partial<Entry> = {}): Entry {
  const data = new Uint8Array(bytes).fill(index);
  return { term: 7, index, kind: "normal", data, ...fields };
}

export function appendEntries(...entries: readonly Entry[]): Of<"AppendEntries"> {
  const prevLogIndex = (entries[0]?.index ?? 9) - 1;
  const fields = {
    prevLogIndex,
    prevLogTerm: prevLogIndex === 0 ? 0 : 6,
    leaderCommit: 4,
    entries,
  };
  return { ...HEADER, type: "AppendEntries", ...fields };
}

const change = encodeConfigurationChange({ ...LEAVE_JOINT, transition: "explicit" });

/** One of each type, with every field of its own value. */
export const SAMPLES: readonly Message[] = [
  appendEntries(entry(5, 3), entry(6, 0), entry(7, 0, { kind: "configuration", data: change })),
  { ...HEADER, type: "AppendEntriesReply", rejected: true, index: 5, hintIndex: 4, hintTerm: 3 },
  {
    ...HEADER,
    type: "AppendEntriesReply",
    rejected: false,
    index: 5,
    hintIndex: 0,
    hintTerm: 0,
    loss: { count: 2, isSuspect: true },
  },
  { ...HEADER, type: "Heartbeat", leaderCommit: 11, round: 12 },
  {
    ...HEADER,
    type: "Heartbeat",
    leaderCommit: 11,
    round: 12,
    loss: { count: 3, isSuspect: false },
  },
  { ...HEADER, type: "HeartbeatReply", round: 12 },
  { ...HEADER, type: "HeartbeatReply", round: 12, loss: { count: 2 ** 40, isSuspect: true } },
  { ...HEADER, type: "RequestPreVote", lastLogIndex: 8, lastLogTerm: 7 },
  { ...HEADER, type: "RequestPreVoteReply", voteGranted: true },
  { ...HEADER, type: "RequestVote", lastLogIndex: 8, lastLogTerm: 7, isTransfer: true },
  { ...HEADER, type: "RequestVoteReply", voteGranted: false },
  {
    ...HEADER,
    type: "InstallSnapshot",
    snapshot: {
      lastIncludedIndex: 20,
      lastIncludedTerm: 6,
      configuration: JOINT,
      data: Uint8Array.of(1, 2, 3),
    },
  },
  { ...HEADER, type: "TimeoutNow" },
  { ...HEADER, type: "ReadIndexRequest", context: 13 },
  { ...HEADER, type: "ReadIndexReply", context: 13, readIndex: 14 },
  { ...HEADER, type: "TransferLeadershipRequest", transferee: 3 },
];

const count = fc.oneof(
  fc.nat(3),
  fc.nat(2 ** 31 - 1),
  fc.constant(2 ** 32),
  fc.constant(COUNT_MAX),
);
const id = count.map((value) => Math.max(1, value));
const sizes = fc.oneof(fc.nat(40), fc.constantFrom(4_095, 4_096, 4_097, 9_000));
const data = fc.tuple(sizes, fc.nat(255)).map(([bytes, fill]) => new Uint8Array(bytes).fill(fill));

const header = fc.record({
  from: id,
  to: id,
  fromIncarnation: count,
  toIncarnation: count,
  term: id,
});

const entryLists = fc
  .tuple(
    count,
    fc.array(fc.record({ term: id, data, isChange: fc.boolean(), isSummed: fc.boolean() }), {
      maxLength: 9,
    }),
  )
  .map(([prevLogIndex, drafts]) => ({
    prevLogIndex,
    entries: drafts.map((draft, i): Entry => {
      const { term } = draft;
      const kind = draft.isChange ? "configuration" : "normal";
      const plain = { term, index: prevLogIndex + 1 + i, kind, data: draft.data } as const;
      return draft.isSummed ? { ...plain, checksum: crc32(draft.data) } : plain;
    }),
  }));

const voteFields = { lastLogIndex: count, lastLogTerm: count };

const bodies: readonly fc.Arbitrary<object>[] = [
  fc
    .tuple(entryLists, fc.record({ prevLogTerm: count, leaderCommit: count }))
    .map(([list, rest]) => ({ type: "AppendEntries", ...list, ...rest })),
  body("AppendEntriesReply", {
    rejected: fc.boolean(),
    index: count,
    hintIndex: count,
    hintTerm: count,
  }),
  body("Heartbeat", { leaderCommit: count, round: count }),
  body("HeartbeatReply", { round: count }),
  body("RequestPreVote", voteFields),
  body("RequestPreVoteReply", { voteGranted: fc.boolean() }),
  body("RequestVote", { ...voteFields, isTransfer: fc.boolean() }),
  body("RequestVoteReply", { voteGranted: fc.boolean() }),
  body("InstallSnapshot", {
    snapshot: fc.record({
      lastIncludedIndex: id,
      lastIncludedTerm: id,
      configuration: configurations,
      data,
    }),
  }),
  body("TimeoutNow", {}),
  body("ReadIndexRequest", { context: count }),
  body("ReadIndexReply", { context: count, readIndex: count }),
  body("TransferLeadershipRequest", { transferee: id }),
];

function body(
  type: MessageType,
  fields: Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<object> {
  return fc.record(fields).map((values) => ({ type, ...values }));
}

/** Any message, whether it makes sense or not. */
export const messages: fc.Arbitrary<Message> = fc
  .tuple(header, fc.oneof(...bodies))
  .map(([values, rest]) => ({ ...values, ...rest }) as Message);
