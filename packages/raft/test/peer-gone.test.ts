// Goal: a leader whose process died is replaced in a few ticks, not after its lease; a rumour of
// its death harms nobody.
// Method: followers that are told by their driver that a connection was refused.
// Thesis §4.2.3 (the lease that this cuts short), §9.6 (the pre-vote that makes it safe).

import { describe, expect, test } from "vitest";
import { Cluster } from "./kit/cluster.ts";
import * as build from "./kit/messages.ts";
import type { TestNode } from "./kit/node.ts";
import { follower, leader } from "./kit/roles.ts";

const options = { checkQuorum: true, preVote: true, peerGoneTicksMax: 3 };

function following(extra = {}, seed = 1): TestNode {
  const node = follower({ options: { ...options, ...extra }, seed });
  node.receive(build.heartbeat({ from: 2 }));
  return node;
}

function ticksUntilCampaign(node: TestNode): number {
  for (let ticks = 1; ticks < 100; ticks++) if (node.tick().length > 0) return ticks;
  throw new Error("never campaigns");
}

describe("a follower whose leader is gone", () => {
  test("asks for pre-votes after a short random delay", () => {
    const delays = new Set<number>();
    for (let seed = 1; seed <= 40; seed++) {
      const node = following({}, seed);
      node.core.reportPeerGone(2);
      delays.add(ticksUntilCampaign(node));
      expect(node.core.status()).toMatchObject({ role: "preCandidate", currentTerm: 1 });
    }
    expect([...delays].sort((a, b) => a - b)).toEqual([1, 2, 3]);
  });

  test("asks first even where pre-vote is off: the rumour may be wrong", () => {
    const node = following({ preVote: false });
    node.core.reportPeerGone(2);
    ticksUntilCampaign(node);
    expect(node.core.status()).toMatchObject({ role: "preCandidate", currentTerm: 1 });
  });

  test("votes for another at once, lease or not", () => {
    const node = following();
    const request = build.requestVote({ from: 3, term: 2 });
    expect(node.receive(request)).toEqual([]);
    node.core.reportPeerGone(2);
    expect(node.receive(request)).toMatchObject([{ voteGranted: true, to: 3 }]);
  });

  test("tries again soon, until there is a leader", () => {
    const node = following();
    node.core.reportPeerGone(2);
    for (let round = 0; round < 5; round++) expect(ticksUntilCampaign(node)).toBeLessThanOrEqual(4);
  });

  test("takes it back when the leader is heard again", () => {
    const node = following();
    node.core.reportPeerGone(2);
    node.receive(build.heartbeat({ from: 2 }));
    expect(node.receive(build.requestVote({ from: 3, term: 2 }))).toEqual([]);
    // Also with the timeout: heartbeats come less often than a short one ends.
    expect(node.tick(9)).toEqual([]);
  });

  test("takes it back when it campaigns already, and when it has let another one go first", () => {
    for (const isAsked of [false, true]) {
      const node = following();
      node.core.reportPeerGone(2);
      if (isAsked) node.receive(build.requestPreVote({ from: 3, term: 2 }));
      else ticksUntilCampaign(node);
      node.receive(build.heartbeat({ from: 2 }));
      expect(node.role).toBe("follower");
      expect(node.tick(9)).toEqual([]);
    }
  });

  test("takes normal time again in the next term", () => {
    const node = following();
    node.core.reportPeerGone(2);
    node.receive(build.heartbeat({ from: 3, term: 2 }));
    expect(node.tick(9)).toEqual([]);
  });
});

test("told again and again, the delay is not started over", () => {
  const node = following({ peerGoneTicksMax: 3 });
  let ticks = 0;
  while (node.role === "follower") {
    node.core.reportPeerGone(2);
    node.tick(1);
    ticks += 1;
    expect(ticks).toBeLessThanOrEqual(3);
  }
});

describe("nothing happens", () => {
  test("when it is not the leader that is gone", () => {
    const node = following();
    node.core.reportPeerGone(3);
    expect(node.receive(build.requestVote({ from: 3, term: 2 }))).toEqual([]);
    expect(node.tick(9)).toEqual([]);
  });

  test("when no leader is known", () => {
    const node = follower({ options });
    const before = node.core.status();
    node.core.reportPeerGone(2);
    expect(node.core.status()).toEqual(before);
    expect(node.tick(9)).toEqual([]);
  });

  test("with lease reads: the leader may be there, and reading", () => {
    const node = following({ leaseReads: true });
    node.core.reportPeerGone(2);
    expect(node.receive(build.requestVote({ from: 3, term: 2 }))).toEqual([]);
    expect(node.tick(9)).toEqual([]);
  });
});

test("on the leader, a follower that is gone is probed, not streamed to", () => {
  const node = leader();
  node.propose("x");
  node.settle();
  node.core.reportPeerGone(3);
  expect(node.role).toBe("leader");
  expect(node.progressOf(3)).toMatchObject({ state: "probe", nextIndex: 2 });
});

describe("in a group", () => {
  test("a crashed leader is replaced long before an election timeout", () => {
    const cluster = new Cluster({ options });
    cluster.campaign(1);
    cluster.isolate(1);
    for (const id of [2, 3]) cluster.node(id).core.reportPeerGone(1);
    let ticks = 0;
    while (cluster.node(2).role !== "leader" && cluster.node(3).role !== "leader") {
      for (const id of [2, 3]) cluster.tick(id);
      ticks += 1;
      expect(ticks).toBeLessThan(10);
    }
  });

  test("of two that campaign at once one lets the other go first: no vote is split", () => {
    for (const ids of [
      [2, 3],
      [3, 2],
    ]) {
      const cluster = new Cluster({ options });
      cluster.campaign(1);
      cluster.isolate(1);
      for (const id of ids) {
        cluster.node(id).core.reportPeerGone(1);
        cluster.node(id).core.setRandomizedElectionTicks(1);
      }
      for (const id of ids) cluster.node(id).core.tick();
      expect(cluster.roles()).toEqual(["leader", "preCandidate", "preCandidate"]);
      // What they say crosses, each time: neither hears the other before it has spoken.
      const nodes = ids.map((id) => cluster.node(id));
      for (let round = 0; round < 10; round++) {
        const said = nodes.flatMap((node) => node.settle());
        for (const message of said)
          for (const { id, core } of nodes) if (id === message.to) core.step(message);
      }
      expect(cluster.leader()).toMatchObject({ id: 2, term: 2 });
    }
  });

  test("who was let go first and does not win is not waited for twice", () => {
    const node = following();
    node.core.reportPeerGone(2);
    const request = build.requestPreVote({ from: 3, term: 2 });
    expect(node.receive(request)).toMatchObject([{ voteGranted: true, to: 3 }]);
    let ticks = 0;
    for (; node.role === "follower"; ticks++) {
      node.tick(1);
      node.receive(request);
    }
    expect(ticks).toBeGreaterThan(options.peerGoneTicksMax);
    expect(ticks).toBeLessThanOrEqual(10);
  });

  test("who lets another one go first in one term does so again in the next", () => {
    const node = following();
    for (const { term, gone, rival } of [
      { term: 2, gone: 2, rival: 3 },
      { term: 3, gone: 3, rival: 2 },
    ]) {
      node.core.reportPeerGone(gone);
      node.core.setRandomizedElectionTicks(1);
      node.tick(1);
      expect(node.role).toBe("preCandidate");
      node.receive(build.requestPreVote({ from: rival, term, lastLogIndex: 9, lastLogTerm: 1 }));
      expect(node.role).toBe("follower");
      node.receive(build.heartbeat({ from: rival, term }));
    }
  });

  test("of two whose requests cross, the one with the longer log goes first", () => {
    const cluster = new Cluster({ options });
    cluster.campaign(1);
    // Node 3 has an entry that node 2 has not, and the higher id.
    cluster.isolate(2);
    cluster.node(1).propose("x");
    cluster.deliver();
    cluster.heal();
    cluster.isolate(1);
    for (const id of [2, 3]) {
      cluster.node(id).core.reportPeerGone(1);
      cluster.node(id).core.setRandomizedElectionTicks(1);
    }
    for (const id of [2, 3]) cluster.node(id).core.tick();
    const nodes = [2, 3].map((id) => cluster.node(id));
    const said = nodes.flatMap((node) => node.settle());
    for (const message of said)
      for (const { id, core } of nodes) if (id === message.to) core.step(message);
    expect(cluster.roles()).toEqual(["leader", "follower", "preCandidate"]);
  });

  test("one follower's wrong rumour does not depose a leader that the other hears", () => {
    const cluster = new Cluster({ options });
    cluster.campaign(1);
    cluster.tick(1);
    cluster.node(2).core.reportPeerGone(1);
    cluster.tick(2, 3);
    expect(cluster.leader()).toMatchObject({ id: 1, term: 1 });
    cluster.tick(1);
    expect(cluster.node(2).core.status()).toMatchObject({ role: "follower", leaderId: 1 });
  });
});
