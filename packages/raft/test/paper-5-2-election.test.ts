// Goal: at most one leader per term, and in the end one.
// Method: single nodes driven by ticks and votes; small groups for the randomized timeouts.
// Paper §5.2 (leader election); one `describe` per passage.

import { describe, expect, test } from "vitest";
import type { Message } from "../src/index.ts";
import { configurationOf } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import { TestNode } from "./kit/node.ts";
import { candidate, follower, freshLeader, leader } from "./kit/roles.ts";

const ELECTION_TICKS = 10;

function group(size: number): { configuration: ReturnType<typeof configurationOf> } {
  const voters = Array.from({ length: size }, (_, i) => i + 1);
  return { configuration: configurationOf({ voters }) };
}

test("servers start up as followers", () => {
  const node = follower({ log: [1, 2], hardState: { currentTerm: 2 } });
  expect(node.role).toBe("follower");
  expect(node.core.status().leaderId).toBeUndefined();
});

describe("leaders send periodic heartbeats to maintain their authority", () => {
  test("to every follower, without entries, each heartbeat interval", () => {
    const node = leader({ options: { heartbeatTicks: 3 } });
    expect(node.tick(2)).toEqual([]);

    const sent = node.tick();
    expect(sent.map(({ type, to, term }) => ({ type, to, term }))).toEqual([
      { type: "Heartbeat", to: 2, term: 1 },
      { type: "Heartbeat", to: 3, term: 1 },
    ]);
  });

  test("for as long as the leader leads", () => {
    const node = leader();
    for (let i = 0; i < 3 * ELECTION_TICKS; i++) expect(node.tick()).toHaveLength(2);
  });

  test("a follower that hears them does not campaign", () => {
    const node = follower();
    for (let i = 0; i < 100; i++) {
      node.receive(build.heartbeat({ term: 1, round: i }));
      node.tick(ELECTION_TICKS - 1);
    }
    expect(node.role).toBe("follower");
  });
});

describe("a server that hears nothing over the election timeout begins an election", () => {
  const starts: readonly (readonly [string, () => TestNode, number])[] = [
    ["follower", () => follower({ hardState: { currentTerm: 1 } }), 2],
    ["candidate", () => candidate({ hardState: { currentTerm: 1 } }), 3],
  ];

  test.each(starts)("%s: next term, own vote, a request to all others", (_, make, term) => {
    const node = make();

    const sent = node.tick(2 * ELECTION_TICKS);

    expect(node.core.status()).toMatchObject({ role: "candidate", currentTerm: term, votedFor: 1 });
    expect(sent.map(({ type, to, term: t }) => [type, to, t])).toEqual([
      ["RequestVote", 2, term],
      ["RequestVote", 3, term],
    ]);
  });

  test("its own vote counts once it is durable, no sooner", () => {
    const node = follower(group(1));
    node.core.campaign();
    const ready = node.take();
    expect(node.role).toBe("candidate");

    if (ready?.append !== undefined) node.write(ready.append);
    expect(node.role).toBe("leader");
  });
});

describe("a candidate wins with the votes of a majority of the full group, in its own term", () => {
  interface Row {
    readonly size: number;
    readonly yes: readonly number[];
    readonly no: readonly number[];
    readonly role: string;
  }

  const rows: readonly Row[] = [
    { size: 1, yes: [], no: [], role: "leader" },
    { size: 3, yes: [2, 3], no: [], role: "leader" },
    { size: 3, yes: [2], no: [], role: "leader" },
    { size: 5, yes: [2, 3, 4, 5], no: [], role: "leader" },
    { size: 5, yes: [2, 3], no: [], role: "leader" },
    { size: 5, yes: [4, 5], no: [2, 3], role: "leader" },
    { size: 4, yes: [2], no: [], role: "candidate" },
    { size: 4, yes: [2, 3], no: [], role: "leader" },
    { size: 3, yes: [], no: [2, 3], role: "follower" },
    { size: 5, yes: [], no: [2, 3, 4, 5], role: "follower" },
    { size: 5, yes: [2], no: [3, 4, 5], role: "follower" },
    { size: 4, yes: [], no: [2, 3], role: "follower" },
    { size: 3, yes: [], no: [], role: "candidate" },
    { size: 3, yes: [], no: [2], role: "candidate" },
    { size: 5, yes: [2], no: [], role: "candidate" },
    { size: 5, yes: [2], no: [3], role: "candidate" },
    { size: 5, yes: [], no: [3, 4], role: "candidate" },
  ];

  test.each(rows)("$size voters, yes from $yes, no from $no: $role", ({ size, yes, no, role }) => {
    const node = candidate(group(size));
    for (const from of no) node.receive(build.voteReply({ from, voteGranted: false }));
    for (const from of yes) node.receive(build.voteReply({ from }));
    expect(node.role).toBe(role);
    expect(node.term).toBe(1);
  });

  test("one voter counts once, however often it answers", () => {
    const node = candidate(group(5));
    for (let i = 0; i < 3; i++) node.receive(build.voteReply({ from: 2 }));
    expect(node.role).toBe("candidate");
  });

  test("a voter does not change its mind within a term: its first answer counts", () => {
    const node = candidate();
    node.receive(build.voteReply({ from: 2, voteGranted: false }), build.voteReply({ from: 2 }));
    expect(node.role).toBe("candidate");
  });

  test("a vote of another term does not count", () => {
    const node = candidate({ hardState: { currentTerm: 4 } });
    node.receive(build.voteReply({ from: 2, term: 4 }));
    expect(node.role).toBe("candidate");
  });

  test("the winner at once tells everyone", () => {
    const node = candidate();
    const sent = node.receive(build.voteReply({ from: 3 }));
    expect(sent.map(({ type, to }) => [type, to])).toEqual([
      ["AppendEntries", 2],
      ["AppendEntries", 3],
    ]);
  });
});

describe("each server votes for at most one candidate in a term, first come, first served", () => {
  const rows = [
    { votedFor: undefined, from: 2, granted: true },
    { votedFor: undefined, from: 3, granted: true },
    { votedFor: 2, from: 2, granted: true },
    { votedFor: 3, from: 3, granted: true },
    { votedFor: 2, from: 3, granted: false },
    { votedFor: 3, from: 2, granted: false },
  ] as const;

  test.each(rows)(
    "voted for $votedFor, asked by $from: $granted",
    ({ votedFor, from, granted }) => {
      const node = follower({ hardState: { currentTerm: 1, votedFor } });
      const sent = node.receive(build.requestVote({ from, term: 1 }));
      expect(sent).toMatchObject([{ type: "RequestVoteReply", to: from, voteGranted: granted }]);
    },
  );

  test("two requests before anything is written: only the first is granted", () => {
    const node = follower();
    const sent = node.receive(
      build.requestVote({ from: 3, term: 2 }),
      build.requestVote({ from: 2, term: 2 }),
    );
    expect(build.ofType(sent, "RequestVoteReply").map((m) => [m.to, m.voteGranted])).toEqual([
      [3, true],
      [2, false],
    ]);
  });

  test("a vote given before a restart binds after it", () => {
    const node = follower();
    node.receive(build.requestVote({ from: 3, term: 2 }));
    node.restart();
    const sent = node.receive(build.requestVote({ from: 2, term: 2 }));
    expect(sent).toMatchObject([{ voteGranted: false }]);
  });
});

describe("a candidate recognizes a legitimate leader and returns to follower state", () => {
  test.each([1, 2])("AppendEntries of term %i, its own being 1", (term) => {
    const node = candidate();
    node.receive(build.appendEntries({ from: 3, term }));
    expect(node.core.status()).toMatchObject({ role: "follower", currentTerm: term, leaderId: 3 });
  });

  test("but keeps its vote of the term it stays in", () => {
    const node = candidate();
    node.receive(build.appendEntries({ from: 3, term: 1 }));
    expect(node.core.status().votedFor).toBe(1);
  });
});

/** Ticks until a node that hears nothing campaigns, `count` times over. */
function timeouts(node: TestNode, count: number): number[] {
  const list: number[] = [];
  for (let ticks = 1; list.length < count; ticks++)
    if (node.tick().length > 0) {
      list.push(ticks);
      ticks = 0;
    }
  return list;
}

/** Whether the two nodes that time out first do so in the same tick. */
function collides(nodes: readonly TestNode[]): boolean {
  for (;;) {
    const fired = nodes.filter((node) => node.tick().length > 0);
    if (fired.length > 0) return fired.length > 1;
  }
}

describe("election timeouts are randomized from a fixed interval", () => {
  test("a follower uses every value in [electionTicks, 2 * electionTicks), and no other", () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 200; seed++)
      for (const ticks of timeouts(follower({ seed }), 1)) seen.add(ticks);
    expect([...seen].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });

  test("a candidate draws anew for every election", () => {
    const drawn = new Set(timeouts(candidate(), 300));
    expect([...drawn].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });

  test.each([follower, candidate])("split votes are rare: %o", (make) => {
    let conflicts = 0;
    const rounds = 400;
    for (let round = 0; round < rounds; round++) {
      const nodes = [1, 2, 3, 4, 5].map((id) => make({ ...group(5), id, seed: round * 10 + id }));
      if (collides(nodes)) conflicts += 1;
    }
    expect(conflicts / rounds).toBeLessThan(0.3);
  });
});

test("a second leader in one term is not believed by the first", () => {
  const node = freshLeader();
  const hear = (message: Message): unknown => node.core.step(message);
  expect(hear(build.appendEntries({ from: 2, term: 1 }))).toBe("contradiction");
  expect(hear(build.heartbeat({ from: 2, term: 1 }))).toBe("contradiction");
  expect(node.role).toBe("leader");
});

test("a follower believes in one leader per term", () => {
  const node = follower();
  node.receive(build.heartbeat({ from: 2, term: 1 }));
  expect(node.core.step(build.heartbeat({ from: 3, term: 1 }))).toBe("contradiction");
  expect(node.core.status().leaderId).toBe(2);
});
