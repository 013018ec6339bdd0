// Goal: terms are a logical clock that every server follows.
// Method: one node in each role hears a message of a later or an earlier term.
// Paper §5.1: "If one server's current term is smaller than the other's, then it updates its
// current term to the larger value. If a candidate or leader discovers that its term is out of
// date, it immediately reverts to follower state. If a server receives a request with a stale term
// number, it rejects the request."

import { describe, expect, test } from "vitest";
import type { Message } from "../src/index.ts";
import { entry } from "./kit/entries.ts";
import { configurationOf } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import type { TestNode } from "./kit/node.ts";
import { candidate, follower, leader } from "./kit/roles.ts";

/** Each node is in term 2 or about to leave it. */
const ROLES: readonly (readonly [string, () => TestNode])[] = [
  ["follower", () => follower({ hardState: { currentTerm: 2 } })],
  ["candidate", () => candidate({ hardState: { currentTerm: 1 } })],
  ["leader", () => leader({ hardState: { currentTerm: 1 } })],
];

describe.each(ROLES)("a %s", (_, make) => {
  test("adopts a later term, as a follower without a vote in it", () => {
    const node = make();
    node.receive(build.appendEntries({ term: 3 }));

    const { currentTerm, role, votedFor } = node.core.status();
    expect({ currentTerm, role, votedFor }).toEqual({
      currentTerm: 3,
      role: "follower",
      votedFor: undefined,
    });
  });

  test("stores the later term before it answers in it", () => {
    const node = make();
    node.core.step(build.requestVote({ term: 3, lastLogIndex: 9, lastLogTerm: 2 }));

    const ready = node.take();
    expect(ready?.messages).toEqual([]);
    expect(ready?.append?.hardState).toMatchObject({ currentTerm: 3, votedFor: 2 });
    expect(ready?.append?.mustSync).toBe(true);
    expect(ready?.append?.responses).toMatchObject([{ type: "RequestVoteReply", term: 3 }]);
  });

  const stale: readonly Message[] = [
    build.appendEntries({ term: 1, entries: [entry(1, 1)], leaderCommit: 1 }),
    build.appendReply({ term: 1, index: 1 }),
    build.heartbeat({ term: 1 }),
    build.heartbeatReply({ term: 1, round: 1 }),
    build.requestVote({ term: 1, lastLogIndex: 9, lastLogTerm: 1 }),
    build.voteReply({ term: 1 }),
    build.timeoutNow({ term: 1 }),
    build.readRequest({ term: 1 }),
  ];

  test.each(stale)("ignores $type of an earlier term", (message) => {
    const node = make();
    node.settle();
    const before = node.core.status();

    expect(node.core.step(message)).toBe("stale-term");

    expect(node.core.status()).toEqual(before);
    expect(node.settle()).toEqual([]);
  });
});

test("a later term clears the vote; the same term does not", () => {
  const node = follower({ hardState: { currentTerm: 2, votedFor: 3 } });

  node.receive(build.heartbeat({ term: 2 }));
  expect(node.core.status().votedFor).toBe(3);

  node.receive(build.heartbeat({ term: 3 }));
  expect(node.core.status().votedFor).toBeUndefined();
});

test("a later term from a candidate brings no leader with it", () => {
  const node = leader();
  node.receive(build.requestVote({ from: 3, term: 5 }));
  expect(node.core.status().leaderId).toBeUndefined();
});

test("a learner in a later term tells the leader of it, as it will never campaign itself", () => {
  const configuration = configurationOf({ voters: [2], learners: [1] });
  const node = follower({ configuration, hardState: { currentTerm: 3 } });

  node.core.step(build.heartbeat({ term: 2 }));

  expect(node.settle()).toMatchObject([{ type: "AppendEntriesReply", to: 2, term: 3 }]);
});
