// Goal: a leader that is cut off steps down; a leader that is heard is not replaced.
// Method: groups with check-quorum, time passing node by node.
// Thesis §6.2 (leaders step down), §4.2.3 (disruptive servers).

import { describe, expect, test } from "vitest";
import { Cluster } from "./kit/cluster.ts";
import { configurationOf, singleChange } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import { acknowledgeAll, follower, freshLeader, leader } from "./kit/roles.ts";

const options = { checkQuorum: true };
const TICKS = 10;

describe("a leader", () => {
  test("that hears from a quorum within each election timeout leads on", () => {
    const node = leader({ options });
    for (let i = 1; i <= 5 * TICKS; i++) {
      node.tick();
      node.receive(build.heartbeatReply({ from: 2, term: 1, round: i }));
    }
    expect(node.role).toBe("leader");
  });

  test("that hears from nobody steps down, in its term, keeping its vote", () => {
    const node = leader({ options });
    node.tick(2 * TICKS);
    expect(node.core.status()).toMatchObject({
      role: "follower",
      currentTerm: 1,
      votedFor: 1,
      leaderId: undefined,
    });
  });

  test("does not count a learner as a member of the quorum", () => {
    const configuration = configurationOf({ voters: [1, 2], learners: [3] });
    const node = leader({ options, configuration });
    for (let i = 1; i <= 2 * TICKS; i++) {
      node.tick();
      node.receive(build.heartbeatReply({ from: 3, term: 1, round: i }));
    }
    expect(node.role).toBe("follower");
  });

  test("needs both majorities while joint", () => {
    const roles = { voters: [1, 2, 3], votersOutgoing: [1, 4, 5] };
    const node = leader({ options, configuration: configurationOf(roles) });
    for (let i = 1; i <= 2 * TICKS; i++) {
      node.tick();
      for (const from of [2, 3])
        node.receive(build.heartbeatReply({ from, term: node.term, round: i }));
    }
    expect(node.role).toBe("follower");
  });

  test("gives a member that has just joined time to speak", () => {
    const node = leader({ options, configuration: configurationOf({ voters: [1] }) });
    node.tick(TICKS - 1);
    node.change(singleChange("addVoter", 2));
    node.settle();
    node.tick();
    expect(node.role).toBe("leader");
    node.tick(TICKS);
    expect(node.role).toBe("follower");
  });

  test("alone in its group never loses itself", () => {
    const node = leader({ options, configuration: configurationOf({ voters: [1] }) });
    node.tick(5 * TICKS);
    expect(node.role).toBe("leader");
  });

  test("without check-quorum leads on, heard or not", () => {
    const node = leader();
    node.tick(5 * TICKS);
    expect(node.role).toBe("leader");
  });

  test("that was paused past its timeout steps down on the first tick", () => {
    const node = freshLeader({ options });
    acknowledgeAll(node);
    node.core.tick(TICKS);
    node.core.tick(TICKS);
    expect(node.role).toBe("follower");
  });
});

describe("a follower that hears its leader", () => {
  test("ignores candidates, whatever their term and log", () => {
    const node = follower({ options });
    node.receive(build.heartbeat({ from: 2, term: 1 }));
    for (const message of [
      build.requestVote({ from: 3, term: 9, lastLogIndex: 99, lastLogTerm: 8 }),
      build.requestPreVote({ from: 3, term: 9, lastLogIndex: 99, lastLogTerm: 8 }),
    ]) {
      expect(node.receive(message)).toEqual([]);
      expect(node.core.status()).toMatchObject({ currentTerm: 1, leaderId: 2 });
    }
  });

  test("listens to them once it has not heard it for the shortest timeout", () => {
    const node = follower({ options });
    node.receive(build.heartbeat({ from: 2, term: 1 }));
    node.core.setRandomizedElectionTicks(2 * TICKS - 1);
    node.tick(TICKS);
    const sent = node.receive(build.requestVote({ from: 3, term: 2 }));
    expect(sent).toMatchObject([{ voteGranted: true, term: 2 }]);
  });

  test("listens to one that the leader itself wants", () => {
    const node = follower({ options });
    node.receive(build.heartbeat({ from: 2, term: 1 }));
    const sent = node.receive(build.requestVote({ from: 3, term: 2, isTransfer: true }));
    expect(sent).toMatchObject([{ voteGranted: true, term: 2 }]);
  });

  test("listens to one after it was told to forget the leader", () => {
    const node = follower({ options });
    node.receive(build.heartbeat({ from: 2, term: 1 }));
    node.core.forgetLeader();
    expect(node.core.status()).toMatchObject({ leaderId: undefined, currentTerm: 1 });
    const sent = node.receive(build.requestVote({ from: 3, term: 2 }));
    expect(sent).toMatchObject([{ voteGranted: true }]);
  });

  test("told to forget, it remembers when the leader speaks again", () => {
    const node = follower({ options });
    node.receive(build.heartbeat({ from: 2, term: 1 }));
    node.core.forgetLeader();
    node.receive(build.heartbeat({ from: 2, term: 1 }));
    expect(node.core.status().leaderId).toBe(2);
  });
});

describe("in a group", () => {
  test("with pre-vote, a leader that is cut off is replaced within two election timeouts", () => {
    const both = { preVote: true, checkQuorum: true };
    const cluster = new Cluster({ options: both });
    cluster.campaign(1);
    cluster.isolate(1);
    cluster.tickAll(4 * TICKS);
    expect(cluster.node(1).role).not.toBe("leader");
    expect(cluster.leader().id).not.toBe(1);
    cluster.heal();
    cluster.tickAll(2);
    const { id } = cluster.leader();
    for (const node of cluster.nodes) expect(node.core.status().leaderId).toBe(id);
  });

  test("a voter that does not know that it is one follows, and does not campaign", () => {
    const unaware = configurationOf({ voters: [1] });
    const cluster = new Cluster({
      options,
      roles: { voters: [1, 2] },
      each: { 2: { configuration: unaware } },
    });
    cluster.node(2).tick(3 * TICKS);
    cluster.campaign(1);
    expect(cluster.roles()).toEqual(["leader", "follower"]);
    expect(cluster.node(2).core.status().leaderId).toBe(1);
  });

  test("a leader under lease is superseded only after the lease", () => {
    const cluster = new Cluster({ options });
    cluster.node(2).core.setRandomizedElectionTicks(TICKS + 1);
    cluster.campaign(1);
    cluster.node(2).core.setRandomizedElectionTicks(2 * TICKS - 1);
    cluster.campaign(3);
    expect(cluster.node(3).role).toBe("candidate");

    cluster.isolate(1);
    cluster.tick(2, TICKS);
    cluster.campaign(3);
    expect(cluster.leader().id).toBe(3);
  });

  test("a candidate stuck in a later term is set free by the leader's step down", () => {
    const cluster = new Cluster({ options });
    cluster.campaign(1);
    cluster.isolate(3);
    cluster.campaign(3);
    cluster.campaign(3);
    const stuck = cluster.node(3).term;
    cluster.heal();

    cluster.tick(1);
    expect(cluster.node(1).core.status()).toMatchObject({ role: "follower", currentTerm: stuck });
    cluster.tick(2, TICKS);
    cluster.campaign(3);
    expect(cluster.leader().id).toBe(3);
  });

  test("a node that is no voter yet does not disturb it", () => {
    const cluster = new Cluster({ options, roles: { voters: [1, 2] } });
    cluster.campaign(1);
    const { term } = cluster.leader();
    cluster.node(2).core.step(build.requestVote({ from: 9, to: 2, term: term + 5 }));
    cluster.deliver();
    cluster.tick(1);
    expect(cluster.leader()).toMatchObject({ id: 1, term });
  });

  test("a leader connected to a quorum stays, though others are not connected to it", () => {
    // 1 leads 2 and 3; 4 hears only 2, 5 hears only 3 (Cloudflare 2020).
    const both = { preVote: true, checkQuorum: true };
    const cluster = new Cluster({ options: both, roles: { voters: [1, 2, 3, 4, 5] } });
    cluster.campaign(1);
    for (const [a, b] of [
      [1, 4],
      [1, 5],
      [3, 4],
      [2, 5],
      [4, 5],
    ] as const)
      cluster.cut(a, b);
    cluster.tickAll(10 * TICKS);
    expect(cluster.leader()).toMatchObject({ id: 1, term: 1 });
  });
});
