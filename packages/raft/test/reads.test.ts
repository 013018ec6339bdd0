// Goal: a linearizable read sees every write acknowledged before it began, and no leader of the
// past serves one.
// Method: single leaders whose rounds of heartbeats are answered by hand; groups for forwarding.
// Thesis §6.4 (read-only queries), §6.4.1 (leases); paper §8; etcd #7331, #20418; openraft #1747.

import { describe, expect, test } from "vitest";
import { Cluster } from "./kit/cluster.ts";
import { configurationOf } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import type { NodeInit, TestNode } from "./kit/node.ts";
import { acknowledgeAll, acknowledgement, follower, freshLeader, leader } from "./kit/roles.ts";

const LEASES = { leaseReads: true, checkQuorum: true, leaseDriftTicks: 2, electionTicks: 10 };

/** Answers the last round of heartbeats that is among `sent`. */
function answer(node: TestNode, from: number, round: number): void {
  node.receive(build.heartbeatReply({ from, term: node.term, round }));
}

function rounds(sent: readonly { type: string }[]): number[] {
  return sent.flatMap((m) => ("round" in m && m.type === "Heartbeat" ? [Number(m.round)] : []));
}

describe("a read on the leader", () => {
  test("starts a round of heartbeats at once", () => {
    const node = leader();
    expect(node.core.readIndex(7)).toBe(true);
    const sent = node.settle();
    expect(sent.map(({ type, to }) => [type, to])).toEqual([
      ["Heartbeat", 2],
      ["Heartbeat", 3],
    ]);
    expect(node.readStates).toEqual([]);
  });

  test("is answered once a quorum has answered that round", () => {
    const node = leader();
    node.core.readIndex(7);
    const [round = 0] = rounds(node.settle());
    answer(node, 2, round);
    expect(node.readStates).toEqual([{ context: 7, readIndex: 1 }]);
  });

  test("notes what was committed when it arrived, not later", () => {
    const node = leader();
    node.core.readIndex(7);
    const [round = 0] = rounds(node.settle());
    node.propose("later");
    node.settle();
    node.receive(acknowledgement(node, 2));
    answer(node, 3, round);
    expect(node.readStates).toEqual([{ context: 7, readIndex: 1 }]);
  });

  test("is not answered by a round that was sent before it arrived", () => {
    const node = leader();
    const [old = 0] = rounds(node.tick());
    node.core.readIndex(7);
    answer(node, 2, old);
    answer(node, 3, old);
    expect(node.readStates).toEqual([]);
  });

  test("in five needs two others, not one twice", () => {
    const node = leader({ configuration: configurationOf({ voters: [1, 2, 3, 4, 5] }) });
    node.core.readIndex(7);
    const [round = 0] = rounds(node.settle());
    answer(node, 2, round);
    answer(node, 2, round);
    expect(node.readStates).toEqual([]);
    answer(node, 5, round);
    expect(node.readStates).toHaveLength(1);
  });

  test("does not count learners", () => {
    const node = leader({ configuration: configurationOf({ voters: [1, 2], learners: [3] }) });
    node.core.readIndex(7);
    const [round = 0] = rounds(node.settle());
    answer(node, 3, round);
    expect(node.readStates).toEqual([]);
  });

  test("needs both majorities while joint", () => {
    const joint = configurationOf({ voters: [1, 2, 3], votersOutgoing: [1, 4, 5] });
    const node = leader({ configuration: joint });
    node.core.readIndex(7);
    const [round = 0] = rounds(node.settle());
    answer(node, 2, round);
    expect(node.readStates).toEqual([]);
    answer(node, 4, round);
    expect(node.readStates).toHaveLength(1);
  });

  test("alone in its group is answered without a word", () => {
    const node = leader({ configuration: configurationOf({ voters: [1] }) });
    node.core.readIndex(7);
    expect(node.settle()).toEqual([]);
    expect(node.readStates).toEqual([{ context: 7, readIndex: 1 }]);
  });

  test("shares the round of the others that came between two Readys", () => {
    const node = leader();
    for (const context of [1, 2, 3]) node.core.readIndex(context);
    const sent = rounds(node.settle());
    expect(sent).toHaveLength(2);
    answer(node, 2, sent[0] ?? 0);
    expect(node.readStates.map(({ context }) => context)).toEqual([1, 2, 3]);
  });

  test("under the same context as another is a read of its own", () => {
    const node = leader();
    node.core.readIndex(7);
    const [first = 0] = rounds(node.settle());
    node.propose("x");
    node.settle();
    node.receive(acknowledgement(node, 2));
    node.core.readIndex(7);
    const [second = 0] = rounds(node.settle());
    // Late answers to the first round release the first read only.
    answer(node, 2, first);
    expect(node.readStates).toEqual([{ context: 7, readIndex: 1 }]);
    answer(node, 2, second);
    expect(node.readStates.at(-1)).toEqual({ context: 7, readIndex: 2 });
  });

  test("is answered by a later round, too, when its own was lost", () => {
    const node = leader();
    node.core.readIndex(7);
    node.settle();
    const [later = 0] = rounds(node.tick());
    answer(node, 3, later);
    expect(node.readStates).toHaveLength(1);
  });

  test("is answered once, and forgotten", () => {
    const node = leader();
    node.core.readIndex(7);
    const [round = 0] = rounds(node.settle());
    answer(node, 2, round);
    answer(node, 3, round);
    answer(node, 2, round);
    expect(node.readStates).toHaveLength(1);
  });

  test("an answer to a round that never was is refused", () => {
    const node = leader();
    node.core.readIndex(7);
    node.settle();
    const lie = build.heartbeatReply({ from: 2, term: 1, round: 999 });
    expect(node.core.step(lie)).toBe("contradiction");
    expect(node.readStates).toEqual([]);
  });
});

describe("a new leader", () => {
  const init = { log: [1, 1], hardState: { currentTerm: 1, commitIndex: 1 } };

  test("holds reads until an entry of its own term is committed", () => {
    const node = freshLeader(init);
    expect(node.core.readIndex(7)).toBe(true);
    const sent = rounds([...node.settle(), ...node.tick()]);
    for (const round of sent) for (const from of [2, 3]) answer(node, from, round);
    expect(node.readStates).toEqual([]);

    node.core.step(acknowledgement(node, 2));
    const [round = 0] = rounds(node.settle());
    answer(node, 3, round);
    expect(node.readStates).toEqual([{ context: 7, readIndex: 3 }]);
  });

  test("gives reads back that it cannot answer any more", () => {
    const node = freshLeader(init);
    node.core.readIndex(7);
    node.receive(build.heartbeat({ from: 2, term: 9 }));
    expect(node.droppedReads).toEqual([7]);
  });
});

describe("a deposed leader", () => {
  test("gives its waiting reads back, and answers none", () => {
    const node = leader();
    for (const context of [7, 8]) node.core.readIndex(context);
    const [round = 0] = rounds(node.settle());
    node.receive(build.requestVote({ from: 3, term: 2, lastLogIndex: 9, lastLogTerm: 1 }));
    node.receive(build.heartbeatReply({ from: 2, term: 1, round }));
    expect(node.readStates).toEqual([]);
    expect(node.droppedReads).toEqual([7, 8]);
  });

  test("cut off without knowing it, never answers", () => {
    const cluster = new Cluster();
    cluster.campaign(1);
    cluster.isolate(1);
    cluster.campaign(2);
    cluster.propose(2, "newer");
    cluster.node(1).core.readIndex(7);
    cluster.deliver();
    cluster.tick(1, 5);
    cluster.heal();
    cluster.tick(1, 2);
    cluster.tick(2, 2);
    expect(cluster.node(1).readStates).toEqual([]);
    expect(cluster.node(1).droppedReads).toEqual([7]);
  });
});

describe("a limit on waiting reads", () => {
  const options = { pendingReadCountMax: 2 };

  test("on the leader", () => {
    const node = leader({ options });
    expect([1, 2, 3].map((context) => node.core.readIndex(context))).toEqual([true, true, false]);
    const [round = 0] = rounds(node.settle());
    answer(node, 2, round);
    expect(node.core.readIndex(4)).toBe(true);
  });

  test("on a follower", () => {
    const node = follower({ options });
    node.receive(build.heartbeat({ from: 2 }));
    expect([1, 2, 3].map((context) => node.core.readIndex(context))).toEqual([true, true, false]);
  });

  test("for those that followers pass on", () => {
    const node = leader({ options });
    const ask = (context: number): unknown => node.core.step(build.readRequest({ context }));
    expect([1, 2, 3].map((context) => ask(context))).toEqual([undefined, undefined, "overloaded"]);
  });
});

describe("a read on a follower", () => {
  test("is not accepted without a leader", () => {
    expect(follower().core.readIndex(7)).toBe(false);
  });

  test.each([
    ["follower", { voters: [1, 2, 3] }],
    ["learner", { voters: [1, 2], learners: [3] }],
  ])("(a %s) is answered by way of the leader", (_, roles) => {
    const cluster = new Cluster({ roles });
    cluster.campaign(1);
    cluster.propose(1, "x");
    expect(cluster.node(3).core.readIndex(7)).toBe(true);
    cluster.deliver();
    expect(cluster.node(3).readStates).toEqual([{ context: 7, readIndex: 2 }]);
    expect(cluster.node(1).readStates).toEqual([]);
  });

  test("keeps contexts of different nodes apart", () => {
    const cluster = new Cluster();
    cluster.campaign(1);
    for (const { core } of cluster.nodes) core.readIndex(7);
    cluster.deliver();
    for (const node of cluster.nodes)
      expect(node.readStates).toEqual([{ context: 7, readIndex: 1 }]);
  });

  test("is given back when the leader changes", () => {
    const node = follower();
    node.receive(build.heartbeat({ from: 2 }));
    node.core.readIndex(7);
    node.receive(build.heartbeat({ from: 3, term: 2 }));
    expect(node.droppedReads).toEqual([7]);
  });

  test("is given back when no answer comes", () => {
    const node = follower();
    node.receive(build.heartbeat({ from: 2 }));
    node.core.readIndex(7);
    node.settle();
    for (let i = 0; i < 10; i++) {
      node.receive(build.heartbeat({ from: 2 }));
      node.tick();
    }
    expect(node.droppedReads).toEqual([7]);
  });

  test("is not answered by an answer to somebody else's, or to a former life's", () => {
    const node = follower();
    node.receive(build.heartbeat({ from: 2 }));
    node.core.readIndex(7);
    const [request] = build.ofType(node.settle(), "ReadIndexRequest");
    const context = request?.context ?? 0;
    expect(node.core.step(build.readReply({ context: context + 1 }))).toBe("unexpected");
    node.restart();
    node.receive(build.heartbeat({ from: 2 }));
    node.core.readIndex(8);
    node.settle();
    node.receive(build.readReply({ context, readIndex: 5 }));
    expect(node.readStates).toEqual([]);
  });

  test("is not answered by anybody but the leader", () => {
    const node = follower();
    node.receive(build.heartbeat({ from: 2 }));
    node.core.readIndex(7);
    const [request] = build.ofType(node.settle(), "ReadIndexRequest");
    const lie = build.readReply({ from: 3, context: request?.context ?? 0, readIndex: 0 });
    expect(node.core.step(lie)).toBe("unexpected");
  });
});

/** Whether a read is answered without another word to anyone. */
function servesAtOnce(node: TestNode): boolean {
  const before = node.readStates.length;
  node.core.readIndex(1);
  node.settle();
  return node.readStates.length > before;
}

function heard(): TestNode {
  const node = follower({ options: LEASES, hardState: { currentTerm: 1 } });
  node.core.tick(10);
  node.receive(build.heartbeat({ from: 2, term: 1 }));
  return node;
}

function leased(init: NodeInit = {}): TestNode {
  const node = freshLeader({ ...init, options: { ...LEASES, ...init.options } });
  acknowledgeAll(node);
  for (const round of rounds(node.tick()).slice(0, 1)) answer(node, 2, round);
  return node;
}

describe("lease reads", () => {
  test("are answered at once while a quorum's answer is fresh", () => {
    expect(servesAtOnce(leased())).toBe(true);
  });

  test("are not, before any quorum has answered", () => {
    const node = freshLeader({ options: LEASES });
    acknowledgeAll(node);
    expect(servesAtOnce(node)).toBe(false);
  });

  test("end one election timeout after the answered heartbeat was sent, less the drift", () => {
    const node = leased();
    node.core.tick(7);
    expect(servesAtOnce(node)).toBe(true);
    node.core.tick(1);
    expect(servesAtOnce(node)).toBe(false);
  });

  test("count from when the heartbeat was sent, not from when it was answered", () => {
    const node = freshLeader({ options: LEASES });
    acknowledgeAll(node);
    const [round = 0] = rounds(node.tick());
    node.core.tick(8);
    answer(node, 2, round);
    expect(servesAtOnce(node)).toBe(false);
  });

  test("a pause of the process counts in full", () => {
    const node = leased();
    node.core.tick(100);
    expect(node.role === "leader" && servesAtOnce(node)).toBe(false);
  });

  test("are answered by a round of heartbeats where there is no lease", () => {
    const node = leased();
    node.core.tick(8);
    node.core.readIndex(7);
    const sent = rounds(node.settle());
    answer(node, 3, sent.at(-1) ?? 0);
    expect(node.readStates.map(({ context }) => context)).toContain(7);
  });

  test("end for the term once somebody was told to campaign, even if the transfer fails", () => {
    const node = leased();
    node.core.transferLeadership(2);
    node.settle();
    expect(servesAtOnce(node)).toBe(false);
    node.tick(10);
    for (const round of rounds(node.tick())) answer(node, 2, round);
    expect(node.role).toBe("leader");
    expect(servesAtOnce(node)).toBe(false);
  });

  test("wait for the first commit of the term, lease or not", () => {
    const node = freshLeader({ options: LEASES });
    for (const round of rounds(node.tick())) answer(node, 2, round);
    expect(servesAtOnce(node)).toBe(false);
  });

  describe("followers, on whose promise they rest,", () => {
    const rival = build.requestVote({ from: 3, term: 2, lastLogIndex: 9, lastLogTerm: 1 });

    test("refuse to forget their leader", () => {
      const node = heard();
      node.core.forgetLeader();
      expect(node.core.status().leaderId).toBe(2);
    });

    test("refuse rivals until the promise is over", () => {
      const node = heard();
      node.core.setRandomizedElectionTicks(19);
      // One tick more than the leader's lease: the current one had begun when it was given.
      node.tick(10);
      expect(node.receive(rival)).toEqual([]);
      node.tick(1);
      expect(node.receive(rival)).toMatchObject([{ voteGranted: true }]);
    });

    test("do not campaign themselves while it lasts, unless the leader asks them to", () => {
      const node = heard();
      node.core.campaign();
      expect(node.role).toBe("follower");
      expect(node.eventsOf("campaignRefused")).toMatchObject([{ reason: "lease-promised" }]);

      const asked = heard();
      asked.receive(build.timeoutNow({ from: 2, term: 1 }));
      expect(asked.role).toBe("candidate");
    });

    test("keep it across a restart, though they forget whom they gave it", () => {
      const node = heard();
      node.restart();
      node.tick(5);
      expect(node.receive(rival)).toEqual([]);
      node.tick(5);
      expect(node.receive(rival)).toMatchObject([{ voteGranted: true }]);
    });

    test("give it, in their first life, only when a restart would find a term on the disk", () => {
      const node = follower({ options: LEASES });
      node.core.step(build.heartbeat({ from: 2, term: 1, round: 1 }));
      expect(node.core.hasReady()).toBe(true);
      const ready = node.take();
      expect(ready?.messages).toEqual([]);
      expect(ready?.append).toMatchObject({
        mustSync: true,
        hardState: { currentTerm: 1 },
        responses: [{ type: "HeartbeatReply", round: 1 }],
      });
    });

    test("do not need to when they never were in any term", () => {
      const node = follower({ options: LEASES });
      expect(node.receive(rival)).toMatchObject([{ voteGranted: true }]);
    });
  });
});
