// Goal: a node whose host has cost it what it acknowledged elects nobody and counts for nothing,
// until a leader has seen it catch up; and no answer of its former life is taken for one of this.
// Method: single cores and answers of followers written by hand, then whole groups that lose power.

import { describe, expect, test } from "vitest";
import type { Loss, Message } from "../src/index.ts";
import { Cluster } from "./kit/cluster.ts";
import { log } from "./kit/entries.ts";
import { hostileSteps } from "./kit/hostile-peer.ts";
import { HostileRun } from "./kit/hostile-run.ts";
import { configurationOf, singleChange } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import { TestNode } from "./kit/node.ts";
import { fc } from "./kit/properties.ts";
import { acknowledgement, follower, freshLeader, leader } from "./kit/roles.ts";

const SUSPECT: Loss = { count: 1, isSuspect: true };
const CLEARED: Loss = { count: 1, isSuspect: false };

describe("a suspect node", () => {
  test("grants no vote and no pre-vote, not even one that it has promised", () => {
    const node = follower({ loss: SUSPECT, hardState: { currentTerm: 1, votedFor: 2 } });
    const again = node.receive(build.requestVote({ term: 1, lastLogIndex: 9, lastLogTerm: 1 }));
    expect(again).toMatchObject([{ type: "RequestVoteReply", voteGranted: false }]);
    const next = node.receive(build.requestVote({ from: 3, term: 2 }));
    expect(next).toMatchObject([{ type: "RequestVoteReply", voteGranted: false, term: 2 }]);
    const preVote = node.receive(build.requestPreVote({ from: 3, term: 3 }));
    expect(preVote).toMatchObject([{ type: "RequestPreVoteReply", voteGranted: false }]);
  });

  test("refuses without a word before the first term, of which there is nothing to tell", () => {
    const node = follower({ loss: SUSPECT });
    expect(node.receive(build.requestPreVote())).toEqual([]);
  });

  test("does not campaign: by its timer, by its owner, or because its leader asks", () => {
    const node = follower({ loss: SUSPECT });
    node.timeOut();
    node.core.campaign();
    node.receive(build.heartbeat(), build.timeoutNow());
    expect(node.role).toBe("follower");
    expect(node.term).toBe(1);
  });

  test("does not lead a group of its own", () => {
    const node = follower({ loss: SUSPECT, configuration: configurationOf({ voters: [1] }) });
    node.timeOut();
    expect(node.role).toBe("follower");
  });

  test("says so in each answer to its leader", () => {
    const node = follower({ loss: SUSPECT, log: [1] });
    const accepted = build.appendEntries({ prevLogIndex: 1, prevLogTerm: 1 });
    const refused = build.appendEntries({ prevLogIndex: 7, prevLogTerm: 1 });
    expect(node.receive(accepted, refused, build.heartbeat())).toMatchObject([
      { type: "HeartbeatReply", loss: SUSPECT },
      { type: "AppendEntriesReply", rejected: false, loss: SUSPECT },
      { type: "AppendEntriesReply", rejected: true, loss: SUSPECT },
    ]);
  });

  test("commits nothing that its leader believes it to have from before", () => {
    const node = follower({ loss: SUSPECT, log: [1, 1, 1] });
    // The leader counts three entries here; what stands at the third may be another one's.
    const drop = node.core.step(build.heartbeat({ leaderCommit: 3, term: 2 }));
    node.core.step(build.heartbeat({ leaderCommit: 9, term: 2 }));
    expect(drop).toBeUndefined();
    expect(node.commitIndex).toBe(0);
    node.receive(build.appendEntries({ term: 2, prevLogIndex: 2, prevLogTerm: 1 }));
    node.receive(build.heartbeat({ leaderCommit: 3, term: 2 }));
    expect(node.commitIndex).toBe(2);
  });

  test("commits what its leader tells that knows of the loss", () => {
    const node = follower({ loss: SUSPECT, log: [1, 1, 1] });
    node.receive(build.heartbeat({ leaderCommit: 3, loss: SUSPECT }));
    expect(node.commitIndex).toBe(3);
    expect(node.core.step(build.heartbeat({ leaderCommit: 4, loss: SUSPECT }))).toBe(
      "contradiction",
    );
  });

  test("is cleared by the leader's word on this very loss, and has that noted", () => {
    const node = follower({ loss: { count: 2, isSuspect: true } });
    node.receive(build.heartbeat({ loss: CLEARED }));
    node.receive(build.heartbeat({ loss: { count: 2, isSuspect: true } }));
    expect(node.loss).toEqual({ count: 2, isSuspect: true });
    const [reply] = node.receive(build.heartbeat({ loss: { count: 2, isSuspect: false } }));
    expect(reply).toMatchObject({ loss: { count: 2, isSuspect: false } });
    expect(node.loss).toEqual({ count: 2, isSuspect: false });
    const vote = node.receive(build.requestVote({ from: 3, term: 2 }));
    expect(vote).toMatchObject([{ voteGranted: true }]);
  });
});

describe("the leader of a suspect follower", () => {
  test("forgets what the follower has acknowledged, and probes", () => {
    const node = withThree();
    const sent = node.receive(build.heartbeatReply({ loss: SUSPECT }));
    expect(node.progressOf(2)).toMatchObject({ matchIndex: 0, state: "probe", isSuspect: true });
    expect(sent).toMatchObject([{ type: "AppendEntries", prevLogIndex: 3 }]);
    const refusal = build.appendReply({ rejected: true, index: 3, hintIndex: 1, hintTerm: 1 });
    expect(node.receive({ ...refusal, loss: SUSPECT })).toMatchObject([
      { type: "AppendEntries", prevLogIndex: 1 },
    ]);
  });

  test("does not count it for a commit before it was cleared", () => {
    const node = withThree();
    node.receive(build.heartbeatReply({ loss: SUSPECT }));
    node.propose("c");
    node.settle();
    node.receive({ ...acknowledgement(node, 2), loss: SUSPECT });
    expect(node.progressOf(2).matchIndex).toBe(4);
    expect(node.commitIndex).toBe(3);
    node.receive(build.heartbeatReply({ loss: CLEARED }));
    expect(node.commitIndex).toBe(4);
  });

  test("does not take an answer from before the loss, however late it comes", () => {
    const node = withThree();
    node.receive(build.heartbeatReply({ loss: SUSPECT }));
    expect(node.core.step(acknowledgement(node, 2))).toBe("stale-loss");
    expect(node.core.step(build.heartbeatReply())).toBe("stale-loss");
    node.receive(build.heartbeatReply({ loss: { count: 2, isSuspect: true } }));
    expect(node.core.step({ ...acknowledgement(node, 2), loss: SUSPECT })).toBe("stale-loss");
    expect(node.progressOf(2)).toMatchObject({ matchIndex: 0, isSuspect: true });
  });

  test("clears it once it holds what the log held when the loss was heard of", () => {
    const node = withThree();
    node.receive(build.heartbeatReply({ loss: SUSPECT }));
    node.propose("c");
    node.settle();
    node.receive(build.appendReply({ index: 2, loss: SUSPECT }));
    expect(heartbeatTo(2, node)).toMatchObject({ loss: SUSPECT });
    node.receive(build.appendReply({ index: 3, loss: SUSPECT }));
    expect(heartbeatTo(2, node)).toMatchObject({ loss: CLEARED });
    // It is the follower who says when it has heard that.
    expect(node.progressOf(2).isSuspect).toBe(true);
  });

  test("is not misled by a late answer from before the clearance", () => {
    const node = withThree();
    node.receive(build.heartbeatReply({ loss: SUSPECT }));
    node.receive(build.appendReply({ index: 3, loss: SUSPECT }));
    node.receive(build.heartbeatReply({ loss: CLEARED }));
    node.receive(build.heartbeatReply({ loss: SUSPECT }));
    expect(node.progressOf(2)).toMatchObject({ matchIndex: 3, isSuspect: false });
  });

  test("takes the loss that an operator accepted for one, and counts the follower at once", () => {
    const node = withThree();
    node.receive(build.heartbeatReply({ loss: CLEARED }));
    expect(node.progressOf(2)).toMatchObject({ matchIndex: 0, isSuspect: false });
    node.propose("c");
    node.settle();
    node.receive({ ...acknowledgement(node, 2), loss: CLEARED });
    expect(node.commitIndex).toBe(4);
  });

  test("hears it for its quorum check: it can have elected nobody else", () => {
    const node = withThree();
    for (let round = 1; round <= 30; round++) {
      node.tick();
      node.receive(build.heartbeatReply({ loss: SUSPECT, round }));
    }
    expect(node.role).toBe("leader");
  });

  test("hands nothing over to it, and calls off a hand-over that is under way", () => {
    const node = withThree();
    node.receive(build.heartbeatReply({ from: 3, loss: SUSPECT }));
    expect(node.core.transferLeadership(3)).toBe(false);
    node.propose("c");
    node.settle();
    expect(node.core.transferLeadership(2)).toBe(true);
    node.receive(build.heartbeatReply({ loss: SUSPECT }));
    expect(node.core.status().transferee).toBeUndefined();
    expect(node.eventsOf("transferAborted")).toMatchObject([{ reason: "suspect" }]);
  });

  test("removes nobody without whom those who are suspect could elect nobody", () => {
    const node = withThree();
    node.receive(build.heartbeatReply({ from: 3, loss: SUSPECT }));
    expect(node.change(singleChange("remove", 2))).toMatchObject({ status: "refused" });
    expect(node.change(singleChange("remove", 3))).toMatchObject({ status: "appended" });
  });

  test("counts neither half of a joint configuration with it", () => {
    const roles = { voters: [1, 2, 3], votersOutgoing: [1, 4, 5] };
    const node = freshLeader({ configuration: configurationOf(roles) });
    const all = (loss: Loss | undefined): Message[] =>
      [2, 4].map((from) => {
        const reply = acknowledgement(node, from);
        return from === 4 && loss !== undefined ? { ...reply, loss } : reply;
      });
    node.receive(...all(SUSPECT));
    expect(node.commitIndex).toBe(0);
    node.receive(...all(CLEARED));
    expect(node.commitIndex).toBe(1);
  });

  test("sends it a snapshot if its log does not reach back, which may clear it", () => {
    const node = withThree();
    node.compact();
    node.receive(build.heartbeatReply({ loss: SUSPECT }));
    const refusal = build.appendReply({ rejected: true, index: 3, hintIndex: 0, hintTerm: 0 });
    expect(node.receive({ ...refusal, loss: SUSPECT })).toMatchObject([
      { type: "InstallSnapshot", snapshot: { lastIncludedIndex: 3 } },
    ]);
    node.receive(build.appendReply({ index: 3, loss: SUSPECT }));
    expect(heartbeatTo(2, node)).toMatchObject({ loss: CLEARED });
  });
});

describe("a group", () => {
  test("keeps what was acknowledged when a minority loses power, and takes it back", () => {
    const group = new Cluster({ options: { preVote: true, checkQuorum: true } });
    group.campaign(1);
    group.isolate(3);
    group.propose(1, "a", "b");
    expect(group.node(1).commitIndex).toBe(3);

    // Node 2 was one of the two that hold what is committed. Without its suspicion, it would now
    // elect node 3, which has never heard of it.
    group.node(2).loseFrom(2);
    group.heal();
    group.isolate(1);
    group.tickAll(50);
    expect(group.roles().slice(1)).not.toContain("leader");

    group.heal();
    group.tickAll(60);
    expect(group.leader().id).toBe(1);
    group.propose(1, "c");
    for (const node of group.nodes) expect(texts(node)).toEqual(["a", "b", "c"]);
    expect(group.node(2).loss).toEqual(CLEARED);
  });

  test("clears whom it has lost under the next leader, if the first is gone meanwhile", () => {
    const group = new Cluster({ roles: { voters: [1, 2, 3, 4, 5] } });
    group.campaign(1);
    group.propose(1, "a");
    group.node(5).loseFrom(1);
    group.node(1).propose("b");
    group.isolate(1);
    group.campaign(2);
    group.tick(2, 3);
    expect(group.node(5).loss).toEqual(CLEARED);
    expect(group.node(5).entries()).toEqual(group.node(2).entries());
  });

  test("clears a learner like any other follower", () => {
    const group = new Cluster({ roles: { voters: [1, 2], learners: [3] } });
    group.campaign(1);
    group.propose(1, "a");
    group.node(3).loseFrom(1);
    group.tick(1, 3);
    expect(group.node(3).loss).toEqual(CLEARED);
    expect(texts(group.node(3))).toEqual(["a"]);
  });

  test("whose leader is still there loses nothing even if all others lose power", () => {
    const group = new Cluster({ options: { checkQuorum: true } });
    group.campaign(1);
    group.propose(1, "a");
    group.node(2).loseFrom(1);
    group.node(3).loseFrom(2);
    group.tickAll(4);
    group.propose(1, "b");
    for (const node of group.nodes) expect(texts(node)).toEqual(["a", "b"]);
  });

  test("has no leader once a majority is suspect, until an operator accepts the loss", () => {
    const group = new Cluster({ options: { preVote: true } });
    group.campaign(1);
    group.propose(1, "a");
    for (const id of [1, 2]) group.node(id).loseFrom(2);
    group.tickAll(60);
    expect(group.roles()).not.toContain("leader");
    const accepted = group.node(2);
    accepted.loss = CLEARED;
    accepted.restart();
    group.tickAll(60);
    // Node 3 holds it, and is the only one that may be elected.
    expect(group.leader().id).toBe(3);
    group.tickAll(5);
    for (const node of group.nodes) expect(texts(node)).toEqual(["a"]);
    expect(group.node(1).loss).toEqual(CLEARED);
  });
});

test("a lying peer trips no assertion of a suspect follower", () => {
  const options = { electionTicks: 4, preVote: true, checkQuorum: true };
  fc.assert(
    fc.property(hostileSteps, fc.integer({ min: 1, max: 1000 }), (steps, seed) => {
      const run = new HostileRun(follower({ options, seed, log: [1, 1, 2], loss: SUSPECT }));
      for (const step of steps) run.take(step);
    }),
    { numRuns: 300 },
  );
});

test("a loss that is none is malformed", () => {
  const node = new TestNode({ entries: log([1]) });
  for (const loss of [{ count: 0, isSuspect: true }, { count: 1, isSuspect: 1 }, 7])
    expect(node.core.step(build.heartbeat({ loss: loss as Loss }))).toBe("malformed");
});

/** Of three, with three entries that both others have acknowledged. */
function withThree(): TestNode {
  const node = leader({ options: { checkQuorum: true } });
  for (const text of ["a", "b"]) node.propose(text);
  node.settle();
  for (const from of [2, 3]) node.receive(acknowledgement(node, from));
  return node;
}

function heartbeatTo(id: number, node: TestNode): Message | undefined {
  return node.tick().find(({ type, to }) => type === "Heartbeat" && to === id);
}

function texts(node: TestNode): string[] {
  const commands = node.applied.filter(({ data }) => data.byteLength > 0);
  return [...new Set(commands.map(({ data }) => Buffer.from(data).toString()))];
}
