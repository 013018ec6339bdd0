// Goal: elections end with a leader whose log is good enough, whoever campaigns, dies or returns.
// Method: small groups over a fake network; single nodes where the order of messages matters.
// Paper §5.2, §5.4.1; thesis §4.2 (who may campaign).

import { describe, expect, test } from "vitest";
import { Cluster } from "./kit/cluster.ts";
import { commands, configurationEntry, positions } from "./kit/entries.ts";
import { configurationOf, singleChange } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import { TestNode } from "./kit/node.ts";
import { candidate, follower, freshLeader, leader } from "./kit/roles.ts";

const ON_AND_OFF = [{ preVote: false }, { preVote: true }] as const;

describe.each(ON_AND_OFF)("with pre-vote $preVote", (options) => {
  test.each([
    { down: [], leads: true },
    { down: [3], leads: true },
    { down: [2, 3], leads: false },
  ])("of three nodes, $down down: elected $leads", ({ down, leads }) => {
    const cluster = new Cluster({ options });
    for (const id of down) cluster.isolate(id);
    cluster.campaign(1);
    expect(cluster.node(1).role === "leader").toBe(leads);
  });

  test("every node can be leader in turn, each in a later term", () => {
    const cluster = new Cluster({ options });
    let term = 0;
    for (const id of [1, 2, 3, 1]) {
      cluster.campaign(id);
      expect(cluster.leader().id).toBe(id);
      expect(cluster.leader().term).toBeGreaterThan(term);
      term = cluster.leader().term;
      expect(cluster.roles().filter((role) => role === "leader")).toHaveLength(1);
    }
  });

  test("a later leader overwrites uncommitted entries of terms that a candidate saw later", () => {
    // Node 1 won term 1; 2 and 3 won later terms, wrote an entry each, and lost their followers.
    const cluster = new Cluster({
      options,
      roles: { voters: [1, 2, 3, 4, 5] },
      each: {
        1: { log: [1], hardState: { currentTerm: 1 } },
        2: { log: [1], hardState: { currentTerm: 1 } },
        3: { log: [2], hardState: { currentTerm: 2 } },
        4: { hardState: { currentTerm: 2, votedFor: 3 } },
        5: { hardState: { currentTerm: 2, votedFor: 3 } },
      },
    });
    // Its log is older than node 3's, but as good as that of 2, 4 and 5, who hear of term 2 first.
    cluster.campaign(1);
    expect(cluster.node(1).role).not.toBe("leader");
    cluster.campaign(1);
    expect(cluster.leader().id).toBe(1);
    cluster.tick(1, 2);
    for (const node of cluster.nodes)
      expect(positions(node.entries())).toEqual(positions(cluster.node(1).entries()));
  });

  test("a lone voter elects itself", () => {
    const node = new TestNode({ configuration: configurationOf({ voters: [1] }), options });
    node.timeOut();
    expect(node.role).toBe("leader");
  });

  test("a vote for oneself that is durable only after the election is lost counts nothing", () => {
    const node = new TestNode({ options });
    node.core.campaign();
    const ready = node.take();
    node.core.step(build.heartbeat({ from: 3, term: node.term === 0 ? 1 : node.term }));
    if (ready?.append !== undefined) node.write(ready.append);
    expect(node.role).toBe("follower");
    expect(node.core.status().leaderId).toBe(3);
  });
});

test("a vote that answers the pre-vote before does not count as one in the election", () => {
  const node = new TestNode({
    configuration: configurationOf({ voters: [1, 2, 3] }),
    options: { preVote: true },
  });
  node.core.campaign();
  const asking = node.take();
  node.core.step(build.preVoteReply({ from: 2, term: 1 }));
  node.core.step(build.preVoteReply({ from: 3, term: 1 }));
  expect(node.role).toBe("candidate");
  // Its own pre-vote becomes durable only now: late, and of the other phase.
  if (asking?.append !== undefined) node.write(asking.append);
  expect(node.role).toBe("candidate");
});

test("an old leader's own acknowledgement, durable after it was deposed, commits nothing", () => {
  const node = freshLeader();
  node.propose("x");
  const ready = node.take();
  node.core.step(build.heartbeat({ from: 2, term: 2 }));
  if (ready?.append !== undefined) node.write(ready.append);
  expect(node.core.status()).toMatchObject({ role: "follower", commitIndex: 0, currentTerm: 2 });
});

describe("two candidates at once", () => {
  test("the one that a majority hears first wins, the other follows it", () => {
    const cluster = new Cluster();
    cluster.cut(1, 3);
    cluster.node(1).core.campaign();
    cluster.node(3).core.campaign();
    cluster.deliver();
    expect(cluster.roles()).toEqual(["leader", "follower", "candidate"]);

    cluster.heal();
    cluster.tick(1);
    expect(cluster.roles()).toEqual(["leader", "follower", "follower"]);
  });

  test("the loser, in a later term, deposes a leader but cannot win without its entries", () => {
    const cluster = new Cluster();
    cluster.cut(1, 3);
    cluster.campaign(1);
    cluster.campaign(3);
    cluster.propose(1, "x");
    cluster.heal();
    cluster.campaign(3);

    expect(cluster.node(3).role).not.toBe("leader");
    cluster.campaign(1);
    expect(cluster.leader().id).toBe(1);
    cluster.tick(1);
    expect(commands(cluster.node(3).applied)).toEqual(["x"]);
  });

  test("an isolated candidate gives way to the leader that it hears, and takes its entries", () => {
    const cluster = new Cluster();
    cluster.isolate(1);
    cluster.campaign(1);
    cluster.campaign(3);
    cluster.heal();
    cluster.tick(3);
    cluster.propose(3, "x");
    expect(cluster.node(1).role).toBe("follower");
    for (const node of cluster.nodes) expect(commands(node.applied)).toEqual(["x"]);
  });
});

describe("in every role", () => {
  const roles = [
    ["follower", (): TestNode => follower({ hardState: { currentTerm: 1 } })],
    ["candidate", (): TestNode => candidate()],
    ["leader", (): TestNode => freshLeader()],
  ] as const;

  test.each(roles)("a %s votes for a better candidate of a later term", (_, make) => {
    const node = make();
    const sent = node.receive(
      build.requestVote({ from: 3, term: 2, lastLogIndex: 9, lastLogTerm: 2 }),
    );
    expect(build.ofType(sent, "RequestVoteReply")).toMatchObject([{ to: 3, voteGranted: true }]);
    expect(node.core.status()).toMatchObject({ role: "follower", currentTerm: 2, votedFor: 3 });
  });

  test.each(roles)("a %s grants a pre-vote of a later term, and changes nothing", (_, make) => {
    const node = make();
    const before = node.core.status();
    const sent = node.receive(
      build.requestPreVote({ from: 3, term: 2, lastLogIndex: 9, lastLogTerm: 1 }),
    );
    expect(sent).toMatchObject([{ type: "RequestPreVoteReply", term: 2, voteGranted: true }]);
    expect(node.core.status()).toEqual(before);
  });

  test.each(roles)("a %s steps down for whoever is in a later term", (_, make) => {
    for (const message of [
      build.requestVote({ from: 3, term: 4 }),
      build.appendEntries({ from: 3, term: 4 }),
      build.appendReply({ from: 3, term: 4 }),
      build.heartbeatReply({ from: 3, term: 4 }),
      build.voteReply({ from: 3, term: 4, voteGranted: false }),
    ]) {
      const node = make();
      node.receive(message);
      expect(node.core.status()).toMatchObject({ role: "follower", currentTerm: 4 });
    }
  });
});

test("a candidate steps down when votes against it make winning impossible", () => {
  const node = candidate();
  node.receive(
    build.voteReply({ from: 2, voteGranted: false }),
    build.voteReply({ from: 3, voteGranted: false }),
  );
  // It keeps its vote: a second one in this term would be a promise broken.
  expect(node.core.status()).toMatchObject({ role: "follower", votedFor: 1, currentTerm: 1 });
  const sent = node.receive(
    build.requestVote({ from: 2, term: 1, lastLogIndex: 9, lastLogTerm: 1 }),
  );
  expect(sent).toMatchObject([{ voteGranted: false }]);
});

test("campaigning does nothing to a leader", () => {
  const node = leader();
  node.core.campaign();
  expect(node.core.status()).toMatchObject({ role: "leader", currentTerm: 1 });
});

describe("learners", () => {
  const roles = { voters: [1, 2], learners: [3] };

  test("do not campaign, by time or by request", () => {
    const node = follower({ id: 3, configuration: configurationOf(roles) });
    node.timeOut();
    node.core.campaign();
    node.receive(build.timeoutNow({ to: 3, term: 1 }));
    expect(node.role).toBe("follower");
    expect(node.eventsOf("campaignRefused")[0]).toMatchObject({ reason: "not-promotable" });
  });

  test("vote all the same: they may have been promoted without knowing", () => {
    const node = follower({ id: 3, configuration: configurationOf(roles) });
    const sent = node.receive(build.requestVote({ to: 3, term: 1 }));
    expect(sent).toMatchObject([{ type: "RequestVoteReply", voteGranted: true }]);
  });

  test("are not counted by the candidate", () => {
    const node = candidate({ configuration: configurationOf(roles) });
    node.receive(build.voteReply({ from: 3 }));
    expect(node.role).toBe("candidate");
  });

  test("campaign once they are voters", () => {
    const cluster = new Cluster({ roles });
    cluster.campaign(1);
    cluster.node(1).change(singleChange("addVoter", 3));
    cluster.deliver();
    cluster.tick(1);
    cluster.campaign(3);
    expect(cluster.leader().id).toBe(3);
  });
});

describe("a node does not campaign while it is undecided who it is", () => {
  test("with a committed configuration change that it has not applied", () => {
    const change = configurationEntry(1, 1, singleChange("addVoter", 4));
    const node = new TestNode({
      entries: [change],
      hardState: { currentTerm: 1, commitIndex: 1 },
    });
    node.core.campaign();
    expect(node.core.status()).toMatchObject({ role: "follower", currentTerm: 1 });
    expect(node.eventsOf("campaignRefused")[0]).toMatchObject({
      reason: "unapplied-configuration-change",
    });

    node.settle();
    node.core.campaign();
    expect(node.role).toBe("candidate");
  });

  test("but with one that is not committed it does", () => {
    const change = configurationEntry(1, 1, singleChange("addVoter", 4));
    const node = candidate({ entries: [change], hardState: { currentTerm: 1 } });
    expect(node.role).toBe("candidate");
  });

  test("with a snapshot that is not in place", () => {
    const node = follower();
    const snapshot = build.snapshotAt(5, 1, configurationOf({ voters: [1, 2, 3] }));
    node.core.step(build.installSnapshot({ snapshot }));
    node.core.campaign();
    expect(node.role).toBe("follower");
    node.settle();
    node.core.campaign();
    expect(node.role).toBe("candidate");
  });

  test("when it is not in the configuration at all", () => {
    const node = follower({ id: 9, configuration: configurationOf({ voters: [1, 2, 3] }) });
    node.timeOut();
    expect(node.role).toBe("follower");
  });
});

test("after a long pause of the process a follower reads its mail before it campaigns", () => {
  const node = follower();
  node.core.setRandomizedElectionTicks(10);
  node.core.tick(1000);
  expect(node.role).toBe("follower");
  node.receive(build.heartbeat({ term: 1 }));
  node.core.tick(1000);
  expect(node.role).toBe("follower");
});

test("a pause that comes late in the timeout is no reason to campaign at once, either", () => {
  const node = follower();
  node.core.setRandomizedElectionTicks(10);
  node.core.tick(4);
  node.core.tick(4);
  node.core.tick(1000);
  expect(node.role).toBe("follower");
  node.core.tick(1);
  expect(node.role).not.toBe("follower");
});
