// Goal: whoever is elected holds every committed entry, and commits none by mistake.
// Method: votes between nodes with different logs; figure 8 with a leader whose predecessors left
// entries behind.
// Paper §5.4 (safety): §5.4.1 election restriction, §5.4.2 entries from previous terms.

import { describe, expect, test } from "vitest";
import { Cluster } from "./kit/cluster.ts";
import { log, positions } from "./kit/entries.ts";
import * as build from "./kit/messages.ts";
import { acknowledgement, follower, freshLeader } from "./kit/roles.ts";

describe("a request for votes carries the last position of the candidate's log", () => {
  test.each([[[1]], [[1, 2]], [[1, 1, 3]]])("log of terms %o", (terms) => {
    const node = follower({ log: terms, hardState: { currentTerm: 3 } });
    const sent = build.ofType(node.timeOut(), "RequestVote");

    const last = { lastLogIndex: terms.length, lastLogTerm: terms.at(-1) };
    expect(sent).toMatchObject([
      { to: 2, term: 4, ...last },
      { to: 3, term: 4, ...last },
    ]);
  });
});

describe("a voter denies its vote if its own log is more up-to-date", () => {
  const rows = [
    // Same last term: the longer log wins.
    { own: [1], last: [1, 1], granted: true },
    { own: [1], last: [2, 1], granted: true },
    { own: [1, 1], last: [1, 1], granted: false },
    // The later last term wins, whatever the length.
    { own: [1], last: [1, 2], granted: true },
    { own: [1, 1], last: [1, 2], granted: true },
    { own: [2], last: [1, 1], granted: false },
    { own: [2], last: [9, 1], granted: false },
    { own: [1, 2], last: [2, 1], granted: false },
    { own: [], last: [0, 0], granted: true },
    { own: [1], last: [0, 0], granted: false },
  ] as const;

  test.each(rows)("own log $own, candidate's last $last: $granted", ({ own, last, granted }) => {
    const node = follower({ log: own, hardState: { currentTerm: 2 } });
    const [lastLogIndex, lastLogTerm] = last;
    const sent = node.receive(build.requestVote({ term: 3, lastLogIndex, lastLogTerm }));
    expect(sent).toMatchObject([{ voteGranted: granted, term: 3 }]);
  });

  test("a denied vote is still free for another in that term", () => {
    const node = follower({ log: [1, 1], hardState: { currentTerm: 1 } });
    node.receive(build.requestVote({ from: 2, term: 2, lastLogIndex: 1, lastLogTerm: 1 }));
    const sent = node.receive(
      build.requestVote({ from: 3, term: 2, lastLogIndex: 2, lastLogTerm: 1 }),
    );
    expect(sent).toMatchObject([{ to: 3, voteGranted: true }]);
  });

  test("a node that lacks a committed entry cannot be elected", () => {
    const cluster = new Cluster();
    cluster.campaign(1);
    cluster.isolate(3);
    cluster.propose(1, "committed");
    cluster.heal();
    cluster.isolate(1);
    cluster.campaign(3);
    expect(cluster.node(3).role).not.toBe("leader");
    cluster.campaign(2);
    expect(cluster.leader().id).toBe(2);
  });
});

describe("figure 8: only entries of the leader's own term commit by counting replicas", () => {
  const rows = [
    { index: 1, committed: 0 },
    { index: 2, committed: 0 },
    { index: 3, committed: 3 },
  ];

  test.each(rows)("a majority holds up to $index: committed $committed", ({ index, committed }) => {
    const node = freshLeader({ log: [1, 2], hardState: { currentTerm: 2 } });
    node.receive(acknowledgement(node, 2, index));
    expect(node.commitIndex).toBe(committed);
  });

  test("(c) to (d): an entry on a majority is overwritten, because it was never committed", () => {
    const voted = { hardState: { currentTerm: 4, votedFor: 1 }, log: [1, 2] };
    const cluster = new Cluster({
      roles: { voters: [1, 2, 3, 4, 5] },
      hardState: { currentTerm: 3 },
      each: { 1: voted, 2: voted, 3: voted, 4: { log: [1] }, 5: { log: [1, 3] } },
    });
    cluster.isolate(1);
    // In term 4 nodes 2 and 3 have promised their votes to node 1; in term 5 they are free.
    cluster.campaign(5);
    expect(cluster.node(5).role).not.toBe("leader");
    cluster.campaign(5);

    expect(cluster.leader().id).toBe(5);
    expect(positions(cluster.node(3).entries())).toEqual(["1/1", "3/2", "5/3"]);
    cluster.heal();
    cluster.tick(5, 2);
    for (const node of cluster.nodes)
      expect(positions(node.applied)).toEqual(["1/1", "3/2", "5/3"]);
  });

  test("an entry of the new term commits them all at once", () => {
    const node = freshLeader({ log: [1, 2], hardState: { currentTerm: 2 } });
    node.receive(acknowledgement(node, 3));
    expect(positions(node.applied)).toEqual(["1/1", "2/2", "3/3"]);
  });
});

test("a conflict at or below the commit index is refused, not obeyed", () => {
  const node = follower({ log: [1, 1], hardState: { currentTerm: 1, commitIndex: 1 } });
  const lie = build.appendEntries({
    term: 2,
    prevLogIndex: 1,
    prevLogTerm: 1,
    entries: log([2], 2),
  });
  node.receive(build.appendEntries({ term: 1, prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 2 }));

  node.receive(lie);

  expect(positions(node.entries())).toEqual(["1/1", "1/2"]);
  expect(node.commitIndex).toBe(2);
});
