// Goal: a follower too far behind gets the state instead of the log, once, and goes on from there.
// Method: single followers for taking a snapshot, single leaders for sending one, groups for both.
// Paper §7 (log compaction); etcd 8349efa, a424e5b, 76f1249.

import { describe, expect, test } from "vitest";
import type { Configuration, Snapshot } from "../src/index.ts";
import { Cluster } from "./kit/cluster.ts";
import { commands, log, positions } from "./kit/entries.ts";
import { configurationOf } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import { TestNode } from "./kit/node.ts";
import { acknowledgement, follower, leader } from "./kit/roles.ts";

const THREE = configurationOf({ voters: [1, 2, 3] });

function at(index: number, term: number, configuration: Configuration = THREE): Snapshot {
  return build.snapshotAt(index, term, configuration);
}

describe("a follower takes a snapshot", () => {
  test("in place of its log, configuration and state", () => {
    const node = follower({ log: [1, 1], hardState: { currentTerm: 1, commitIndex: 1 } });
    const configuration = configurationOf({ voters: [1, 2], learners: [4] });
    const sent = node.receive(
      build.installSnapshot({ term: 2, snapshot: at(9, 2, configuration) }),
    );

    expect(node.core.status()).toMatchObject({
      firstIndex: 10,
      lastIndex: 9,
      commitIndex: 9,
      appliedIndex: 9,
      configuration,
    });
    expect(sent).toMatchObject([{ type: "AppendEntriesReply", rejected: false, index: 9 }]);
  });

  test("and does not say so before it is on disk", () => {
    const node = follower({ hardState: { currentTerm: 1 } });
    node.core.step(build.installSnapshot({ snapshot: at(9, 1) }));
    const ready = node.take();
    expect(ready?.messages).toEqual([]);
    expect(ready?.append?.snapshot?.lastIncludedIndex).toBe(9);
    expect(ready?.append?.mustSync).toBe(true);
    expect(ready?.append?.responses).toMatchObject([{ index: 9 }]);
  });

  test("hands out no entries to apply until it is in place", () => {
    const node = follower({ log: [1, 1], hardState: { currentTerm: 1 } });
    node.core.step(build.heartbeat({ leaderCommit: 2 }));
    node.core.step(build.installSnapshot({ snapshot: at(9, 1) }));
    expect(node.take()?.apply).toBeUndefined();
  });

  test("and entries that follow it, even before it is on disk", () => {
    const node = follower();
    node.core.step(build.installSnapshot({ snapshot: at(9, 1) }));
    node.core.step(
      build.appendEntries({
        prevLogIndex: 9,
        prevLogTerm: 1,
        entries: log([1], 10),
        leaderCommit: 10,
      }),
    );
    node.settle();
    expect(node.core.status()).toMatchObject({ lastIndex: 10, commitIndex: 10, appliedIndex: 10 });
  });

  test("of a joint configuration in which it is only an outgoing voter", () => {
    const node = follower({ configuration: configurationOf({ voters: [] }) });
    const configuration = configurationOf({ voters: [2, 3, 4], votersOutgoing: [1, 2, 3] });
    node.receive(build.installSnapshot({ snapshot: at(9, 1, configuration) }));
    expect(node.core.status().configuration).toEqual(configuration);
    node.core.campaign();
    expect(node.role).toBe("candidate");
  });

  test("that makes a voter of a learner, and a learner of a voter", () => {
    const asLearner = configurationOf({ voters: [2, 3], learners: [1] });
    const node = follower({ configuration: asLearner });
    node.receive(build.installSnapshot({ snapshot: at(9, 1) }));
    node.core.campaign();
    expect(node.role).toBe("candidate");

    node.receive(build.installSnapshot({ term: 5, snapshot: at(12, 3, asLearner) }));
    node.core.campaign();
    expect(node.role).toBe("follower");
  });

  test("in which it is not a member yet, and waits for the entry that makes it one", () => {
    const node = follower({ hardState: { currentTerm: 1 } });
    const others = configurationOf({ voters: [2, 3] });
    node.receive(build.installSnapshot({ snapshot: at(9, 1, others) }));
    expect(node.core.status()).toMatchObject({ lastIndex: 9, configuration: others });
    node.core.campaign();
    expect(node.role).toBe("follower");
  });

  test("as its first, without being in any configuration before", () => {
    const node = new TestNode({ id: 4, configuration: configurationOf({ voters: [] }) });
    const configuration = configurationOf({ voters: [1, 2, 3], learners: [4] });
    node.receive(build.installSnapshot({ to: 4, snapshot: at(9, 1, configuration) }));
    expect(node.core.status()).toMatchObject({ lastIndex: 9, configuration });
  });
});

describe("a follower does not take", () => {
  test("one that is older than what it has committed", () => {
    const node = follower({ log: [1, 1, 1], hardState: { currentTerm: 1, commitIndex: 3 } });
    node.settle();
    const sent = node.receive(build.installSnapshot({ snapshot: at(2, 1) }));
    expect(sent).toMatchObject([{ type: "AppendEntriesReply", index: 3 }]);
    expect(node.core.status()).toMatchObject({ firstIndex: 1, lastIndex: 3 });
  });

  test("one that its log covers: only the commit index moves", () => {
    const node = follower({ log: [1, 1, 1], hardState: { currentTerm: 1 } });
    node.receive(build.installSnapshot({ snapshot: at(2, 1) }));
    expect(node.core.status()).toMatchObject({ firstIndex: 1, lastIndex: 3, commitIndex: 2 });
  });

  test("one of a leader of a passed term", () => {
    const node = follower({ hardState: { currentTerm: 3 } });
    const stale = build.installSnapshot({ term: 2, snapshot: at(9, 1) });
    expect(node.core.step(stale)).toBe("stale-term");
  });

  test("one whose term contradicts its log as if it were covered", () => {
    const node = follower({ log: [1, 1, 1], hardState: { currentTerm: 2 } });
    node.receive(build.installSnapshot({ term: 2, snapshot: at(2, 2) }));
    expect(node.core.status()).toMatchObject({ firstIndex: 3, lastIndex: 2, commitIndex: 2 });
  });
});

test("configuration entries handed out before a snapshot do not change its configuration", () => {
  const node = follower({ hardState: { currentTerm: 1 } });
  const remove = { form: "single", transition: "auto" } as const;
  const other = leader();
  other.change({
    ...remove,
    changes: [{ operation: "remove", member: { id: 3, incarnation: 0 } }],
  });
  const entries = other.settle().flatMap((m) => (m.type === "AppendEntries" ? m.entries : []));
  node.core.step(build.appendEntries({ entries: [...log([1]), ...entries.slice(0, 1)] }));
  for (let ready = node.take(); ready !== undefined; ready = node.take())
    if (ready.append !== undefined) node.write(ready.append);
  node.core.step(build.heartbeat({ leaderCommit: 2 }));
  const work = node.take()?.apply;
  node.core.step(build.installSnapshot({ snapshot: at(9, 1) }));

  if (work !== undefined) node.apply(work);
  node.settle();

  expect(work?.entries).toHaveLength(2);
  expect(node.core.status().configuration).toEqual(THREE);
});

function rejectAsEmpty(node: TestNode): ReturnType<TestNode["receive"]> {
  const index = node.progressOf(3).nextIndex - 1;
  return node.receive(build.appendReply({ from: 3, term: 2, rejected: true, index }));
}

/** Node 3 was never heard of beyond being alive, and says that its log is empty. */
function sending(): { node: TestNode; sent: ReturnType<TestNode["settle"]> } {
  const node = new TestNode({ snapshot: at(10, 1), hardState: { currentTerm: 1 } });
  node.core.campaign();
  node.settle();
  node.receive(build.voteReply({ from: 2, term: 2 }));
  node.receive(acknowledgement(node, 2));
  return { node, sent: rejectAsEmpty(node) };
}

describe("a leader", () => {
  test("sends one when the log no longer holds what a follower needs", () => {
    const { node, sent } = sending();
    const snapshots = build.ofType(sent, "InstallSnapshot");
    expect(snapshots).toMatchObject([{ to: 3, term: 2, snapshot: { lastIncludedIndex: 10 } }]);
    expect(node.progressOf(3)).toMatchObject({
      state: "snapshot",
      pendingSnapshotIndex: 10,
      isPaused: true,
    });
  });

  test("sends nothing else to that follower meanwhile", () => {
    const { node } = sending();
    node.propose("x");
    expect(build.ofType(node.settle(), "AppendEntries").map(({ to }) => to)).toEqual([2]);
    expect(build.ofType(node.tick(), "Heartbeat")).toHaveLength(2);
  });

  test("goes on with entries once the follower has it", () => {
    const { node } = sending();
    node.propose("x");
    node.settle();
    const sent = node.receive(acknowledgement(node, 3, 10));
    expect(node.progressOf(3).state).toBe("replicate");
    const [append] = build.ofType(sent, "AppendEntries").filter(({ to }) => to === 3);
    expect(positions(append?.entries ?? [])).toEqual(["2/11", "2/12"]);
  });

  test("goes on as soon as its log reaches the follower, wherever that got its state", () => {
    const { node } = sending();
    node.receive(acknowledgement(node, 3, 11));
    expect(node.progressOf(3)).toMatchObject({ state: "replicate", matchIndex: 11 });
  });

  test("told that it was delivered, waits for the follower's word", () => {
    const { node } = sending();
    node.core.reportSnapshot(3, "finished");
    expect(node.progressOf(3)).toMatchObject({ state: "probe", nextIndex: 11, isPaused: true });
    expect(node.settle()).toEqual([]);
    const sent = node.receive(acknowledgement(node, 3, 10));
    expect(build.ofType(sent, "AppendEntries").length).toBeGreaterThan(0);
  });

  test("told that it failed, tries again with the next heartbeat, not at once", () => {
    const { node } = sending();
    node.core.reportSnapshot(3, "failed");
    expect(node.progressOf(3)).toMatchObject({ state: "probe", matchIndex: 0, nextIndex: 1 });
    expect(node.settle()).toEqual([]);
    node.tick();
    const sent = node.receive(build.heartbeatReply({ from: 3, term: 2, round: 1 }));
    expect(build.ofType(sent, "InstallSnapshot")).toHaveLength(1);
  });

  test("a report about a follower that waits for none changes nothing", () => {
    const node = leader();
    node.core.reportUnreachable(3);
    const before = node.progressOf(3);
    node.core.reportSnapshot(3, "failed");
    node.core.reportSnapshot(9, "finished");
    expect(node.progressOf(3)).toEqual(before);
  });

  test("sends none to a follower that has been silent: it may be down", () => {
    const node = leader({ options: { checkQuorum: true } });
    for (const text of ["x", "y"]) {
      node.propose(text);
      node.settle();
      node.receive(acknowledgement(node, 2));
    }
    node.compact();
    // The first check-quorum period ends, and node 3 says nothing in the second.
    node.tick(10);
    node.core.reportUnreachable(3);
    node.propose("z");

    const sent = node.settle();

    expect(sent.map(({ to }) => to)).toEqual([2]);
    expect(node.eventsOf("snapshotWithheld")).toMatchObject([{ to: 3, reason: "inactive" }]);
    const heard = node.receive(build.heartbeatReply({ from: 3, round: 1 }));
    expect(build.ofType(heard, "InstallSnapshot")).toMatchObject([{ to: 3 }]);
  });

  test("waits while the storage has none to give", () => {
    const node = new TestNode({ log: [1, 1, 1], hardState: { currentTerm: 1, commitIndex: 3 } });
    node.settle();
    node.storage.compact(3);
    node.core.campaign();
    node.settle();
    node.receive(build.voteReply({ from: 2, term: 2 }));
    const index = node.progressOf(3).nextIndex - 1;
    const sent = node.receive(build.appendReply({ from: 3, term: 2, rejected: true, index }));
    expect(sent).toEqual([]);
    expect(node.eventsOf("snapshotWithheld").at(-1)).toMatchObject({ to: 3, reason: "none" });
    expect(node.progressOf(3).state).toBe("probe");
  });
});

function behind(): Cluster {
  const cluster = new Cluster();
  cluster.campaign(1);
  cluster.isolate(3);
  for (const text of ["a", "b", "c"]) cluster.propose(1, text);
  cluster.node(1).compact();
  cluster.heal();
  return cluster;
}

describe("in a group", () => {
  test("a follower that slept too long is restored, then follows the log", () => {
    const cluster = behind();
    cluster.tick(1, 2);
    cluster.propose(1, "d");
    expect(cluster.node(3).core.status()).toMatchObject({ firstIndex: 5, commitIndex: 5 });
    expect(commands(cluster.node(3).applied)).toEqual(["d"]);
    expect(cluster.node(1).progressOf(3).state).toBe("replicate");
  });

  test("an idle group restores it as well", () => {
    const cluster = behind();
    cluster.tick(1, 2);
    expect(cluster.node(3).core.status()).toMatchObject({ commitIndex: 4, appliedIndex: 4 });
  });

  test("a learner is restored, too", () => {
    const cluster = new Cluster({ roles: { voters: [1, 2], learners: [3] } });
    cluster.campaign(1);
    cluster.isolate(3);
    cluster.propose(1, "a");
    cluster.node(1).compact();
    cluster.heal();
    cluster.tick(1, 2);
    expect(cluster.node(3).core.status().appliedIndex).toBe(2);
    expect(cluster.node(1).progressOf(3)).toMatchObject({ isLearner: true, matchIndex: 2 });
  });

  test("a restored node restarts from what it got", () => {
    const cluster = behind();
    cluster.tick(1, 2);
    const node = cluster.node(3);
    node.restart();
    expect(node.core.status()).toMatchObject({ firstIndex: 5, commitIndex: 4, appliedIndex: 4 });
    cluster.tick(1, 2);
    cluster.propose(1, "d");
    expect(commands(node.applied)).toEqual(["d"]);
  });
});
