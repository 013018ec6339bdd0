/**
 * Steps of a world that wants one node to fail: well-formed messages that lie, from every kind of
 * peer, between inputs and driver work in any order the contract allows.
 *
 * Steps are plain data, relative to the node's state when they are taken, so that fast-check can
 * shrink a run and print it.
 */

import type { Loss, MemberOperation, MessageType } from "../../src/index.ts";
import { fc } from "./properties.ts";

/** A number near something that the node holds. */
export interface Near {
  /** `next`: what a leader would send next to the peer that speaks. */
  readonly anchor: "zero" | "first" | "applied" | "commit" | "stable" | "last" | "next";
  readonly offset: number;
}

export interface HostileMessage {
  readonly step: "message";
  readonly type: MessageType;
  readonly from: number;
  /** Added to the node's current term. */
  readonly term: number;
  readonly index: Near;
  /** Added to the term that the node's log has at that index. */
  readonly indexTerm: number;
  readonly commit: Near;
  readonly entries: readonly { readonly termStep: number; readonly change: number }[];
  readonly flag: boolean;
  readonly loss: Loss | undefined;
  readonly incarnation: number;
}

export type HostileStep =
  | HostileMessage
  | { readonly step: "tick"; readonly count: number }
  | { readonly step: "propose"; readonly sizes: readonly number[] }
  | { readonly step: "change"; readonly change: number }
  | { readonly step: "transfer" | "gone" | "unreachable"; readonly id: number }
  | { readonly step: "snapshotReport"; readonly id: number; readonly failed: boolean }
  | {
      readonly step:
        | "take"
        | "write"
        | "apply"
        | "settle"
        | "campaign"
        | "read"
        | "forgetLeader"
        | "compact";
    };

/** The changes that entries and proposals pick from: some fit, many do not. */
export const CHANGES: readonly (readonly (readonly [MemberOperation, number])[])[] = [
  [],
  [["addVoter", 4]],
  [["addLearner", 3]],
  [["remove", 1]],
  [["remove", 2]],
  [
    ["remove", 1],
    ["remove", 2],
    ["remove", 3],
  ],
  [
    ["addVoter", 5],
    ["remove", 3],
  ],
  [
    ["addLearner", 1],
    ["addVoter", 6],
  ],
  [["update", 2]],
  [["addVoter", 0]],
];

const TYPES: readonly MessageType[] = [
  "AppendEntries",
  "AppendEntriesReply",
  "Heartbeat",
  "HeartbeatReply",
  "RequestPreVote",
  "RequestPreVoteReply",
  "RequestVote",
  "RequestVoteReply",
  "InstallSnapshot",
  "TimeoutNow",
  "ReadIndexRequest",
  "ReadIndexReply",
  "TransferLeadershipRequest",
];

const near: fc.Arbitrary<Near> = fc.record({
  anchor: fc.constantFrom("last", "commit", "next", "stable", "applied", "first", "zero"),
  offset: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(0, -1) },
    { weight: 1, arbitrary: fc.integer({ min: -3, max: 4 }) },
  ),
});

const message: fc.Arbitrary<HostileMessage> = fc.record({
  step: fc.constant("message" as const),
  type: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom<MessageType>("AppendEntries", "AppendEntriesReply") },
    { weight: 4, arbitrary: fc.constantFrom(...TYPES) },
  ),
  // The transport should vouch for the sender; here even that fails now and then.
  from: fc.constantFrom(2, 2, 2, 2, 3, 3, 4, 5, 1),
  // Mostly its own, or no node would stay in a role for long.
  term: fc.oneof(
    { weight: 30, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.integer({ min: -2, max: 3 }) },
  ),
  index: near,
  indexTerm: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -2, max: 2 }) },
  ),
  commit: near,
  entries: fc.array(
    fc.record({
      termStep: fc.oneof(
        { weight: 4, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.constant(1) },
      ),
      /** Below 0: a command. */
      change: fc.integer({ min: -CHANGES.length, max: CHANGES.length - 1 }),
    }),
    { maxLength: 4 },
  ),
  flag: fc.boolean(),
  loss: fc.option(fc.record({ count: fc.integer({ min: 1, max: 3 }), isSuspect: fc.boolean() }), {
    nil: undefined,
    freq: 4,
  }),
  incarnation: fc.oneof(
    { weight: 20, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.constant(1) },
  ),
});

const simple: fc.Arbitrary<HostileStep> = fc
  .constantFrom(
    ...(["take", "take", "write", "write", "apply", "apply", "settle", "settle"] as const),
    ...(["campaign", "read", "forgetLeader", "compact"] as const),
  )
  .map((step) => ({ step }));

const peer = fc.constantFrom(1, 2, 3, 4, 5);

const input: fc.Arbitrary<HostileStep> = fc.oneof(
  fc.record({ step: fc.constant("tick" as const), count: fc.integer({ min: 1, max: 12 }) }),
  fc.record({
    step: fc.constant("propose" as const),
    sizes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    step: fc.constant("change" as const),
    change: fc.integer({ min: 0, max: CHANGES.length - 1 }),
  }),
  fc.record({ step: fc.constantFrom("transfer", "gone", "unreachable"), id: peer }),
  fc.record({ step: fc.constant("snapshotReport" as const), id: peer, failed: fc.boolean() }),
);

export const hostileSteps: fc.Arbitrary<HostileStep[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: message },
    { weight: 3, arbitrary: simple },
    { weight: 1, arbitrary: input },
  ),
  { minLength: 1, maxLength: 60, size: "max" },
);
