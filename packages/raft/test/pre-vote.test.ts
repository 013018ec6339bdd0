// Goal: a node that cannot win does not raise the term, and one that can is not kept from it.
// Method: small groups and single nodes with pre-vote on, some of them without, some of the past.
// Thesis §9.6 (preventing disruptions when a server rejoins).

import { describe, expect, test } from "vitest";
import { Cluster } from "./kit/cluster.ts";
import * as build from "./kit/messages.ts";
import { TestNode } from "./kit/node.ts";
import { follower } from "./kit/roles.ts";

const options = { preVote: true };

describe("asking first", () => {
  test("changes neither term nor vote, and nothing on disk", () => {
    const node = follower({ options, hardState: { currentTerm: 3, votedFor: 2 } });
    node.core.campaign();
    expect(node.core.status()).toMatchObject({
      role: "preCandidate",
      currentTerm: 3,
      votedFor: 2,
      leaderId: undefined,
    });
    expect(node.take()?.append?.hardState).toBeUndefined();
  });

  test("asks about the next term", () => {
    const node = follower({ options, log: [1, 3], hardState: { currentTerm: 3 } });
    node.core.campaign();
    expect(node.settle()).toMatchObject([
      { type: "RequestPreVote", to: 2, term: 4, lastLogIndex: 2, lastLogTerm: 3 },
      { type: "RequestPreVote", to: 3, term: 4, lastLogIndex: 2, lastLogTerm: 3 },
    ]);
  });

  test("with a majority's consent turns into an election", () => {
    const node = follower({ options });
    node.core.campaign();
    node.settle();
    const sent = node.receive(build.preVoteReply({ from: 3, term: 1 }));
    expect(node.core.status()).toMatchObject({ role: "candidate", currentTerm: 1, votedFor: 1 });
    expect(sent.map(({ type }) => type)).toEqual(["RequestVote", "RequestVote"]);
  });

  test("without it, back to follower, in the same term", () => {
    const node = follower({ options, hardState: { currentTerm: 2 } });
    node.core.campaign();
    node.settle();
    for (const from of [2, 3])
      node.receive(build.preVoteReply({ from, term: 2, voteGranted: false }));
    expect(node.core.status()).toMatchObject({ role: "follower", currentTerm: 2 });
  });

  test("a refusal of a later term brings that term along", () => {
    const node = follower({ options, hardState: { currentTerm: 2 } });
    node.core.campaign();
    node.settle();
    node.receive(build.preVoteReply({ from: 3, term: 7, voteGranted: false }));
    expect(node.core.status()).toMatchObject({ role: "follower", currentTerm: 7 });
  });

  test("a consent to some other term's question does not count, nor raise the term", () => {
    const node = follower({ options, hardState: { currentTerm: 2 } });
    node.core.campaign();
    node.settle();
    node.receive(build.preVoteReply({ from: 3, term: 9 }));
    expect(node.core.status()).toMatchObject({ role: "preCandidate", currentTerm: 2 });
  });

  test("a leader that is heard ends it", () => {
    const node = follower({ options, hardState: { currentTerm: 2 } });
    node.core.campaign();
    node.receive(build.heartbeat({ from: 3, term: 2 }));
    expect(node.core.status()).toMatchObject({ role: "follower", leaderId: 3, currentTerm: 2 });
  });
});

describe("being asked", () => {
  test("consent leaves the vote free for another", () => {
    const node = follower({ options, hardState: { currentTerm: 1 } });
    node.receive(build.requestPreVote({ from: 2, term: 2 }));
    const sent = node.receive(build.requestPreVote({ from: 3, term: 2 }));
    expect(sent).toMatchObject([{ to: 3, voteGranted: true, term: 2 }]);
    expect(node.core.status()).toMatchObject({ votedFor: undefined, currentTerm: 1 });
  });

  test("is no reason to wait longer for the leader", () => {
    const node = follower({ options });
    node.core.setRandomizedElectionTicks(10);
    node.tick(9);
    node.receive(build.requestPreVote({ from: 3, term: 1 }));
    node.tick();
    expect(node.role).toBe("preCandidate");
  });

  test("a log that is behind is refused", () => {
    const node = follower({ options, log: [1, 2], hardState: { currentTerm: 2 } });
    const sent = node.receive(
      build.requestPreVote({ from: 3, term: 3, lastLogIndex: 5, lastLogTerm: 1 }),
    );
    expect(sent).toMatchObject([{ voteGranted: false, term: 2 }]);
  });

  test("from a term that has passed: refused, so that the asker learns of this one", () => {
    const node = follower({ options, hardState: { currentTerm: 5 } });
    const sent = node.receive(build.requestPreVote({ from: 3, term: 3 }));
    expect(sent).toMatchObject([{ type: "RequestPreVoteReply", voteGranted: false, term: 5 }]);
  });
});

describe("in a group", () => {
  test("a node that comes back from a partition disturbs nobody", () => {
    const cluster = new Cluster({ options });
    cluster.campaign(1);
    cluster.isolate(3);
    for (let i = 0; i < 5; i++) cluster.campaign(3);
    cluster.propose(1, "x");
    cluster.heal();
    cluster.tick(3, 25);

    expect(cluster.leader().id).toBe(1);
    expect(cluster.leader().term).toBe(1);
    cluster.tick(1);
    expect(cluster.node(3).role).toBe("follower");
  });

  test("two at once: both ask, one is elected", () => {
    const cluster = new Cluster({ options });
    cluster.node(1).core.campaign();
    cluster.node(3).core.campaign();
    cluster.deliver();
    for (let i = 0; i < 3 && !cluster.roles().includes("leader"); i++) cluster.tickAll(10);
    expect(cluster.roles().filter((role) => role === "leader")).toHaveLength(1);
  });

  test("a split vote, after which both are asked again, ends with a leader", () => {
    const cluster = new Cluster({ options });
    cluster.campaign(1);
    cluster.isolate(1);
    cluster.node(2).core.campaign();
    cluster.node(3).core.campaign();
    cluster.deliver();
    cluster.campaign(2);
    cluster.campaign(3);
    expect(cluster.leader().id).not.toBe(1);
    expect(cluster.leader().term).toBeGreaterThan(1);
  });

  test("whose log is behind does not even get to campaign", () => {
    const cluster = new Cluster({ options });
    cluster.isolate(3);
    cluster.campaign(1);
    cluster.heal();
    cluster.isolate(1);
    const { term } = cluster.node(2);
    cluster.campaign(3);
    expect(cluster.node(3).role).toBe("follower");
    expect([cluster.node(2).term, cluster.node(3).term]).toEqual([term, term]);
  });

  test("with one node in an earlier term and a bare majority left, somebody is elected", () => {
    const cluster = new Cluster({ options });
    cluster.isolate(3);
    for (const id of [1, 2, 1]) cluster.campaign(id);
    cluster.heal();
    cluster.isolate(1);
    // Node 3 is behind in term and log; node 2 is fine.
    cluster.campaign(3);
    cluster.campaign(2);
    expect(cluster.leader().id).toBe(2);
  });
});

describe("beside nodes that do not ask first", () => {
  const mixed = {
    roles: { voters: [1, 2, 3] },
    options: { preVote: true, checkQuorum: true },
    each: { 3: { options: { preVote: false, checkQuorum: true } } },
  };

  test("one that raised its term alone can be taken back", () => {
    const cluster = new Cluster(mixed);
    cluster.campaign(1);
    cluster.isolate(3);
    for (let i = 0; i < 4; i++) cluster.tick(3, 25);
    expect(cluster.node(3).term).toBeGreaterThan(cluster.node(1).term);
    cluster.heal();

    // The leader's heartbeat makes node 3 tell its term; the leader steps down, and all go on.
    cluster.tick(1);
    expect(cluster.node(1).term).toBe(cluster.node(3).term);
    for (let i = 0; i < 10 && !cluster.roles().includes("leader"); i++) cluster.tickAll(10);
    cluster.tickAll(2);
    const { id } = cluster.leader();
    expect(cluster.nodes.every((node) => node.core.status().leaderId === id)).toBe(true);
  });

  test("a pre-candidate of an earlier term learns the later one by asking", () => {
    const behind = new TestNode({ id: 3, options, hardState: { currentTerm: 1 } });
    behind.core.campaign();
    const [request] = build.ofType(behind.settle(), "RequestPreVote");
    const ahead = new TestNode({ id: 1, options, hardState: { currentTerm: 6 } });
    if (request === undefined) throw new Error("nothing was asked");
    behind.receive(...ahead.receive(request));
    expect(behind.core.status()).toMatchObject({ currentTerm: 6, role: "follower" });
  });
});
