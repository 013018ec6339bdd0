// Goal: followers' logs become the leader's, and nothing is applied before it is committed.
// Method: a leader or follower alone with hand-made messages; figure 7 as a small group.
// Paper §5.3 (log replication), figures 3 and 7.

import { describe, expect, test } from "vitest";
import { configurationOf } from "./kit/members.ts";
import { Cluster } from "./kit/cluster.ts";
import { commands, entry, log, positions } from "./kit/entries.ts";
import * as build from "./kit/messages.ts";
import { TestNode } from "./kit/node.ts";
import { acknowledgement, follower, freshLeader, leader } from "./kit/roles.ts";

describe("the leader appends a command and issues AppendEntries in parallel", () => {
  test("to all followers at once, with the position that precedes the new entries", () => {
    const node = leader();
    node.propose("x");

    const sent = build.ofType(node.settle(), "AppendEntries");

    expect(sent.map(({ to }) => to)).toEqual([2, 3]);
    for (const message of sent) {
      expect(message).toMatchObject({ term: 1, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 1 });
      expect(positions(message.entries)).toEqual(["1/2"]);
    }
  });

  test("before its own disk has the entry", () => {
    const node = leader();
    node.propose("x");
    const ready = node.take();
    expect(ready?.messages.map(({ type }) => type)).toEqual(["AppendEntries", "AppendEntries"]);
    expect(positions(ready?.append?.entries ?? [])).toEqual(["1/2"]);
    expect(ready?.append?.mustSync).toBe(true);
  });

  test("a new leader begins with an empty entry of its term", () => {
    const node = freshLeader({ log: [1, 1], hardState: { currentTerm: 1 } });
    expect(positions(node.entries())).toEqual(["1/1", "1/2", "2/3"]);
    expect(node.entries().at(-1)?.data.byteLength).toBe(0);
  });
});

describe("an entry is committed once the leader has replicated it on a majority", () => {
  const rows = [
    { size: 1, acks: [], committed: true },
    { size: 3, acks: [], committed: false },
    { size: 3, acks: [2], committed: true },
    { size: 3, acks: [2, 3], committed: true },
    { size: 5, acks: [2], committed: false },
    { size: 5, acks: [2, 5], committed: true },
    { size: 5, acks: [3, 4], committed: true },
    { size: 4, acks: [2], committed: false },
    { size: 4, acks: [2, 3], committed: true },
  ] as const;

  test.each(rows)(
    "of $size voters, acknowledged by $acks: $committed",
    ({ size, acks, committed }) => {
      const voters = Array.from({ length: size }, (_, i) => i + 1);
      const node = leader({ configuration: configurationOf({ voters }) });
      node.propose("x");
      node.settle();
      for (const from of acks) node.receive(acknowledgement(node, from));

      expect(node.commitIndex).toBe(committed ? 2 : 1);
      expect(commands(node.applied)).toEqual(committed ? ["x"] : []);
    },
  );

  test("the leader's own disk is one of them, not its memory", () => {
    const node = leader();
    node.propose("x");
    const ready = node.take();
    node.core.step(acknowledgement(node, 2, 2));
    expect(node.commitIndex).toBe(1);

    if (ready?.append !== undefined) node.write(ready.append);
    expect(node.commitIndex).toBe(2);
  });

  test("followers alone can be the majority, while the leader's disk is slow", () => {
    const node = leader();
    node.propose("x");
    node.take();
    for (const from of [2, 3]) node.core.step(acknowledgement(node, from, 2));
    expect(node.commitIndex).toBe(2);
    // But the leader does not apply what its own disk may yet lose.
    expect(node.core.takeReady()?.apply).toBeUndefined();
  });

  test("followers learn of it with the next message", () => {
    const node = leader();
    node.propose("x");
    node.settle();
    const sent = build.ofType(node.receive(acknowledgement(node, 2)), "AppendEntries");
    expect(sent.map(({ to, leaderCommit }) => [to, leaderCommit])).toEqual([
      [2, 2],
      [3, 2],
    ]);
  });
});

describe("committing an entry commits all preceding ones, of former leaders too", () => {
  test.each([[[]], [[2]], [[1, 2]], [[1]]])("after a log of terms %o", (terms) => {
    const node = freshLeader({ log: terms, hardState: { currentTerm: 2 } });
    node.propose("x");
    node.settle();
    expect(node.commitIndex).toBe(0);
    node.receive(acknowledgement(node, 2));

    expect(positions(node.applied)).toEqual(positions(log([...terms, 3, 3])));
  });
});

describe("a follower applies a committed entry, in log order", () => {
  const all = [entry(1, 1, "a"), entry(1, 2, "b"), entry(1, 3, "c")];

  test.each([0, 1, 2, 3])("up to leaderCommit %i", (leaderCommit) => {
    const node = follower();
    node.receive(build.appendEntries({ entries: all, leaderCommit }));
    expect(commands(node.applied)).toEqual(["a", "b", "c"].slice(0, leaderCommit));
  });

  test("never past what this very message showed to match", () => {
    // Index 2 may be another leader's: nothing said so far that it is this one's.
    const node = follower({ log: [1, 1], hardState: { currentTerm: 1 } });
    node.receive(
      build.appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 9 }),
    );
    expect(node.commitIndex).toBe(1);
  });
});

describe("the consistency check: a follower without the entry before refuses", () => {
  const rows = [
    { prev: [0, 0], rejected: false, index: 1 },
    { prev: [1, 1], rejected: false, index: 1 },
    { prev: [2, 2], rejected: false, index: 2 },
    { prev: [1, 2], rejected: true, index: 1, hint: [1, 1] },
    { prev: [2, 3], rejected: true, index: 2, hint: [2, 2] },
    { prev: [3, 3], rejected: true, index: 3, hint: [2, 2] },
    { prev: [9, 1], rejected: true, index: 9, hint: [1, 1] },
  ] as const;

  test.each(rows)("prev $prev: rejected $rejected", (row) => {
    const node = follower({ log: [1, 2], hardState: { currentTerm: 2, commitIndex: 1 } });
    const [prevLogIndex, prevLogTerm] = row.prev;
    const sent = node.receive(build.appendEntries({ term: 3, prevLogIndex, prevLogTerm }));
    const [hintIndex, hintTerm] = "hint" in row ? row.hint : [0, 0];
    expect(build.ofType(sent, "AppendEntriesReply")).toMatchObject([
      { rejected: row.rejected, index: row.index, hintIndex, hintTerm },
    ]);
  });

  test("and changes nothing", () => {
    const node = follower({ log: [1, 2], hardState: { currentTerm: 2 } });
    node.receive(
      build.appendEntries({ term: 2, prevLogIndex: 2, prevLogTerm: 1, entries: [entry(2, 3)] }),
    );
    expect(positions(node.entries())).toEqual(["1/1", "2/2"]);
  });
});

describe("conflicting entries give way to the leader's, matching ones stay", () => {
  const rows = [
    { prev: [2, 2], entries: [3], stored: [1, 2, 3], written: ["3/3"] },
    { prev: [1, 1], entries: [3, 4], stored: [1, 3, 4], written: ["3/2", "4/3"] },
    { prev: [0, 0], entries: [1], stored: [1, 2], written: [] },
    { prev: [0, 0], entries: [3], stored: [3], written: ["3/1"] },
    { prev: [0, 0], entries: [1, 2, 4], stored: [1, 2, 4], written: ["4/3"] },
  ] as const;

  test.each(rows)("prev $prev, entries of terms $entries", ({ prev, entries, stored, written }) => {
    const node = follower({ log: [1, 2], hardState: { currentTerm: 2 } });
    const [prevLogIndex, prevLogTerm] = prev;
    node.core.step(
      build.appendEntries({
        term: 4,
        prevLogIndex,
        prevLogTerm,
        entries: log(entries, prevLogIndex + 1),
      }),
    );

    const ready = node.take();
    expect(positions(ready?.append?.entries ?? [])).toEqual(written);
    if (ready?.append !== undefined) node.write(ready.append);
    expect(positions(node.entries())).toEqual(positions(log(stored)));
  });

  test("an old message that ends earlier does not shorten the log", () => {
    const node = follower();
    const all = [entry(1, 1), entry(1, 2), entry(1, 3)];
    node.receive(build.appendEntries({ entries: all }));
    node.receive(build.appendEntries({ entries: all.slice(0, 1) }));
    expect(node.lastIndex).toBe(3);
  });

  test("the acknowledgement is for what matched, not for what the log happens to hold", () => {
    const node = follower({ log: [1, 1, 1], hardState: { currentTerm: 1 } });
    const sent = node.receive(build.appendEntries({ term: 2, entries: log([1]) }));
    expect(sent).toMatchObject([{ type: "AppendEntriesReply", rejected: false, index: 1 }]);
  });
});

describe("figure 7: the leader brings every kind of follower log to agree with its own", () => {
  const LEADER = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  const followers = {
    a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
    b: [1, 1, 1, 4],
    c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    e: [1, 1, 1, 4, 4, 4, 4],
    f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  };

  test.each(Object.entries(followers))("follower (%s), terms %o", (_, terms) => {
    const cluster = new Cluster({
      hardState: { currentTerm: 7 },
      each: { 1: { log: LEADER }, 2: { log: terms }, 3: { log: [] } },
    });
    // Node 3 lets node 1 win; its empty log agrees with everyone's.
    cluster.campaign(1);
    cluster.propose(1, "x");
    cluster.tick(1);

    const expected = positions(log([...LEADER, 8, 8]));
    expect(positions(cluster.node(1).entries())).toEqual(expected);
    expect(positions(cluster.node(2).entries())).toEqual(expected);
    expect(positions(cluster.node(2).applied)).toEqual(expected);
  });

  test("a leader never overwrites or deletes entries of its own log", () => {
    const node = leader({ log: [1, 1], hardState: { currentTerm: 1 } });
    const before = positions(node.entries());
    node.receive(
      build.appendReply({ term: 2, rejected: true, index: 3, hintIndex: 1, hintTerm: 1 }),
      build.appendEntries({ term: 2, entries: log([2, 2, 2]) }),
    );
    expect(positions(node.entries())).toEqual(before);
  });
});

test("a leader alone in its group commits with its own disk", () => {
  const node = new TestNode({ configuration: configurationOf({ voters: [1] }) });
  node.core.campaign();
  node.settle();
  node.propose("x");
  expect(node.commitIndex).toBe(1);
  node.settle();
  expect(node.commitIndex).toBe(2);
});
