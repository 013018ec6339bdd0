// Goal: logs converge through loss, reordering and long divergence, in few round trips.
// Method: groups that miss messages; single leaders and followers for each answer.
// Paper §5.3; thesis §10.2.1; etcd's probing with terms (fast log backtracking).

import { describe, expect, test } from "vitest";
import type { Message } from "../src/index.ts";
import { Cluster } from "./kit/cluster.ts";
import { commands, entry, log, positions } from "./kit/entries.ts";
import { configurationOf, singleChange } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import type { TestNode } from "./kit/node.ts";
import { acknowledgement, follower, freshLeader, leader } from "./kit/roles.ts";

describe("in a group", () => {
  test("commands reach every state machine, in the order proposed", () => {
    const cluster = new Cluster();
    cluster.campaign(1);
    cluster.propose(1, "a", "b");
    cluster.propose(1, "c");
    for (const node of cluster.nodes) expect(commands(node.applied)).toEqual(["a", "b", "c"]);
  });

  test("commands of successive leaders follow each other", () => {
    const cluster = new Cluster();
    cluster.campaign(1);
    cluster.propose(1, "a");
    cluster.campaign(2);
    cluster.propose(2, "b");
    for (const node of cluster.nodes) expect(commands(node.applied)).toEqual(["a", "b"]);
  });

  test("a minority commits nothing", () => {
    const cluster = new Cluster({ roles: { voters: [1, 2, 3, 4, 5] } });
    cluster.campaign(1);
    const committed = cluster.node(1).commitIndex;
    for (const id of [3, 4, 5]) cluster.isolate(id);
    cluster.propose(1, "x");
    expect(cluster.node(1).commitIndex).toBe(committed);
    expect(commands(cluster.node(2).applied)).toEqual([]);
  });

  test("what an old leader could not commit, a follower of its term commits as leader", () => {
    const cluster = new Cluster();
    cluster.campaign(1);
    cluster.lose("AppendEntriesReply");
    cluster.propose(1, "x");
    expect(cluster.node(1).commitIndex).toBe(1);
    cluster.heal();
    cluster.campaign(2);
    for (const node of cluster.nodes) expect(commands(node.applied)).toEqual(["x"]);
  });

  test("nothing of former terms is committed without an entry of the own", () => {
    const cluster = new Cluster({ roles: { voters: [1, 2, 3, 4, 5] } });
    cluster.campaign(1);
    for (const id of [3, 4, 5]) cluster.cut(1, id);
    cluster.propose(1, "x");
    cluster.heal();
    // The next leader's appends all get lost, so its own entry reaches nobody; old ones did.
    cluster.lose("AppendEntries");
    cluster.campaign(2);
    expect(cluster.node(2).role).toBe("leader");
    expect(cluster.node(2).commitIndex).toBe(1);

    cluster.heal();
    cluster.tick(2);
    cluster.propose(2, "y");
    for (const node of cluster.nodes) expect(commands(node.applied)).toEqual(["x", "y"]);
  });

  test("a follower that slept catches up on the next heartbeat, without a proposal", () => {
    const cluster = new Cluster();
    cluster.campaign(1);
    cluster.isolate(3);
    for (const text of ["a", "b", "c"]) cluster.propose(1, text);
    cluster.heal();
    cluster.tick(1);
    expect(commands(cluster.node(3).applied)).toEqual(["a", "b", "c"]);
    expect(cluster.node(1).progressOf(3)).toMatchObject({ state: "replicate", matchIndex: 4 });
  });

  test("an entry is committed by a smaller group once a member is gone", () => {
    const cluster = new Cluster({ roles: { voters: [1, 2] } });
    cluster.campaign(1);
    cluster.node(1).change(singleChange("remove", 2));
    cluster.node(1).propose("x");
    cluster.cutOneWay(2, 1);
    const node = cluster.node(1);
    node.settle();
    // Node 2 acknowledges its own removal, and nothing after it.
    node.receive(acknowledgement(node, 2, 2));
    expect(commands(node.applied)).toEqual(["x"]);
  });
});

/** A follower that is sent `a`, `b` and `c` one by one, in the given order. */
function sentInOrder(order: readonly number[]): TestNode {
  const entries = [entry(1, 1, "a"), entry(1, 2, "b"), entry(1, 3, "c")];
  const node = follower();
  for (const at of order)
    node.receive(
      build.appendEntries({
        prevLogIndex: at,
        prevLogTerm: at === 0 ? 0 : 1,
        entries: entries.slice(at, at + 1),
        leaderCommit: at,
      }),
    );
  return node;
}

describe("delayed, repeated and reordered messages", () => {
  test.each([
    [
      [0, 1, 2],
      ["a", "b", "c"],
    ],
    [
      [0, 0, 1, 1, 0, 2],
      ["a", "b", "c"],
    ],
    [
      [0, 1, 2, 0, 1],
      ["a", "b", "c"],
    ],
    [
      [0, 2, 1, 2],
      ["a", "b", "c"],
    ],
    [[2, 1, 0], ["a"]],
  ])("appends in order %o leave %o", (order, texts) => {
    expect(commands(sentInOrder(order).entries())).toEqual(texts);
  });

  test("an append from before the commit index is answered with the commit index", () => {
    const node = follower({ log: [1, 1, 1], hardState: { currentTerm: 1, commitIndex: 3 } });
    const answers = node.receive(build.appendEntries({ prevLogIndex: 1, prevLogTerm: 1 }));
    expect(answers).toMatchObject([{ rejected: false, index: 3 }]);
  });

  test("an old acknowledgement takes nothing back", () => {
    const node = leader();
    node.propose("a", "b");
    node.settle();
    node.receive(acknowledgement(node, 2, 3), acknowledgement(node, 2, 2));
    expect(node.progressOf(2)).toMatchObject({ matchIndex: 3, nextIndex: 4 });
  });

  test("an old rejection neither", () => {
    const node = leader();
    node.propose("a");
    node.settle();
    node.receive(acknowledgement(node, 2, 2));
    const sentBack = node.receive(
      build.appendReply({ rejected: true, index: 1, hintIndex: 0, hintTerm: 0 }),
    );
    expect(node.progressOf(2)).toMatchObject({ state: "replicate", matchIndex: 2, nextIndex: 3 });
    expect(sentBack).toEqual([]);
  });

  test("a reordered rejection after the follower moved on does not start over", () => {
    const node = freshLeader({ log: [1, 1], hardState: { currentTerm: 1 } });
    node.receive(build.appendReply({ term: 2, rejected: true, index: 2, hintIndex: 0 }));
    node.receive(acknowledgement(node, 2, 3));
    node.receive(build.appendReply({ term: 2, rejected: true, index: 2, hintIndex: 0 }));
    expect(node.progressOf(2)).toMatchObject({ state: "replicate", matchIndex: 3 });
  });

  test("nobody acknowledges more than there is", () => {
    const node = leader();
    expect(node.core.step(acknowledgement(node, 2, 99))).toBe("contradiction");
    expect(node.progressOf(2).matchIndex).toBe(1);
  });
});

describe("a rejection skips a whole term", () => {
  interface Row {
    readonly what: string;
    readonly leader: readonly number[];
    readonly follower: readonly number[];
    /** Of the position before the entries that then fit: [index, term]. */
    readonly agree: readonly [number, number];
    readonly rejections: number;
  }

  const rows: readonly Row[] = [
    {
      what: "the follower lacks the end",
      leader: [1, 1, 1, 2, 2],
      follower: [1, 1],
      agree: [2, 1],
      rejections: 1,
    },
    {
      what: "the follower has a long end of an old term",
      leader: [1, 3, 3, 3, 5, 5, 5, 5],
      follower: [1, 1, 1, 1, 1, 1, 1, 1],
      agree: [1, 1],
      rejections: 1,
    },
    {
      what: "the leader has a long end of later terms",
      leader: [1, 1, 1, 1, 1, 5],
      follower: [1, 1, 1, 1, 4, 4, 4, 4, 4, 4, 4],
      agree: [4, 1],
      rejections: 2,
    },
    {
      what: "terms that only one of them saw, in turn",
      leader: [1, 2, 2, 4, 4, 4],
      follower: [1, 3, 3, 3, 3, 3],
      agree: [1, 1],
      rejections: 2,
    },
  ];

  test.each(rows)("$what", (row) => {
    const cluster = new Cluster({
      hardState: { currentTerm: 5 },
      each: { 1: { log: row.leader }, 2: { log: row.follower }, 3: { log: [] } },
    });
    cluster.cut(2, 1);
    cluster.campaign(1);
    cluster.heal();
    cluster.tick(1);
    cluster.tick(1);

    const between = (type: Message["type"], from: number): Message[] =>
      cluster.delivered.filter((m) => m.type === type && m.from === from);
    const replies = build.ofType(between("AppendEntriesReply", 2), "AppendEntriesReply");
    expect(replies.filter(({ rejected }) => rejected)).toHaveLength(row.rejections);
    const appends = build.ofType(between("AppendEntries", 1), "AppendEntries");
    const fits = appends.find(({ to, prevLogIndex }) => to === 2 && prevLogIndex === row.agree[0]);
    expect(fits?.prevLogTerm).toBe(row.agree[1]);
    expect(positions(cluster.node(2).entries())).toEqual(positions(log([...row.leader, 6])));
  });
});

describe("heartbeats", () => {
  test("tell no follower of more than it is known to hold", () => {
    const node = leader();
    node.propose("x");
    node.settle();
    node.receive(acknowledgement(node, 2, 2));
    const commits = build.ofType(node.tick(), "Heartbeat").map((m) => [m.to, m.leaderCommit]);
    expect(commits).toEqual([
      [2, 2],
      [3, 1],
    ]);
  });

  test("move a follower's commit index", () => {
    const node = follower({ log: [1, 1], hardState: { currentTerm: 1 } });
    node.receive(build.heartbeat({ leaderCommit: 2 }));
    expect(positions(node.applied)).toEqual(["1/1", "1/2"]);
    node.receive(build.heartbeat({ leaderCommit: 1 }));
    expect(node.commitIndex).toBe(2);
  });

  test("that tell of entries a follower lacks are not believed", () => {
    const node = follower({ log: [1], hardState: { currentTerm: 1 } });
    expect(node.core.step(build.heartbeat({ leaderCommit: 2 }))).toBe("contradiction");
    expect(node.commitIndex).toBe(0);
  });

  test("are answered with their round, even by a node that lags", () => {
    const node = follower();
    const sent = node.receive(build.heartbeat({ round: 7 }));
    expect(sent).toMatchObject([{ type: "HeartbeatReply", round: 7, to: 2 }]);
  });

  test("answered by a follower that lags bring it entries", () => {
    const node = leader();
    node.propose("x");
    node.settle();
    node.core.reportUnreachable(3);
    node.tick();
    const sent = node.receive(build.heartbeatReply({ from: 3, round: 1 }));
    expect(build.ofType(sent, "AppendEntries")).toMatchObject([{ to: 3, entries: [{ index: 2 }] }]);
  });

  test("answered by one that is up to date bring it nothing", () => {
    const node = leader();
    node.tick();
    expect(node.receive(build.heartbeatReply({ from: 3, round: 1 }))).toEqual([]);
  });
});

describe("an answer from", () => {
  test("a stranger is not counted", () => {
    const node = leader();
    node.propose("x");
    node.settle();
    expect(node.core.step(acknowledgement(node, 9, 2))).toBe("not-a-member");
    expect(node.commitIndex).toBe(1);
  });

  test("a learner is noted but commits nothing", () => {
    const configuration = configurationOf({ voters: [1, 2], learners: [3] });
    const node = leader({ configuration });
    node.propose("x");
    node.settle();
    node.receive(acknowledgement(node, 3, 2));
    expect(node.progressOf(3)).toMatchObject({ matchIndex: 2, isLearner: true });
    expect(node.commitIndex).toBe(1);
  });

  test("a higher term tells a leader that it is over", () => {
    const node = leader();
    node.receive(build.appendReply({ term: 3, index: 0 }));
    expect(node.core.status()).toMatchObject({ role: "follower", currentTerm: 3 });
  });
});

test("a leader of a passed term is told, where its followers would not vote it out", () => {
  const node = follower({ options: { checkQuorum: true }, hardState: { currentTerm: 5 } });
  for (const message of [build.appendEntries({ term: 3 }), build.heartbeat({ term: 3 })]) {
    const sent = node.receive(message);
    expect(sent).toMatchObject([{ type: "AppendEntriesReply", term: 5, to: 2 }]);
  }
});

describe("proposals on a node that does not lead are dropped at once, with a hint", () => {
  test("no leader known", () => {
    expect(follower().propose("x")).toEqual({
      status: "dropped",
      reason: "no-leader",
      leaderId: undefined,
    });
  });

  test("a leader known", () => {
    const node = follower();
    node.receive(build.heartbeat({ from: 3 }));
    expect(node.propose("x")).toEqual({ status: "dropped", reason: "not-leader", leaderId: 3 });
  });

  test("on the leader they are told where they stand", () => {
    const node = leader();
    expect(node.propose("x", "y")).toEqual({
      status: "appended",
      firstIndex: 2,
      lastIndex: 3,
      term: 1,
    });
  });
});
