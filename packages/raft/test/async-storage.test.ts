// Goal: writes may be many and slow, and nothing is promised before it is durable.
// Method: single nodes whose append and apply work is done by hand, late, and in pieces.
// Thesis §10.2.1 (writing in parallel), §3.8 (what must be stable); etcd's asynchronous storage
// writes; raft.md §5, no. 8 to 12.

import { describe, expect, test } from "vitest";
import type { AppendWork, ApplyWork, Ready } from "../src/index.ts";
import { commands, entry, log, positions } from "./kit/entries.ts";
import { configurationOf } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import type { TestNode } from "./kit/node.ts";
import { acknowledgement, follower, leader } from "./kit/roles.ts";

const THREE = configurationOf({ voters: [1, 2, 3] });

function appendOf(ready: Ready | undefined): AppendWork {
  if (ready?.append === undefined) throw new Error("there is nothing to write");
  return ready.append;
}

function applyOf(ready: Ready | undefined): ApplyWork {
  if (ready?.apply === undefined) throw new Error("there is nothing to apply");
  return ready.apply;
}

/** Proposes and takes the work for it, without doing it. */
function propose(node: TestNode, text: string): AppendWork {
  node.propose(text);
  return appendOf(node.take());
}

describe("writes in a pipeline", () => {
  test("each hands out what the one before did not", () => {
    const node = leader();
    const works = ["a", "b", "c"].map((text) => propose(node, text));
    expect(works.map(({ entries }) => positions(entries))).toEqual([["1/2"], ["1/3"], ["1/4"]]);
    expect(node.core.takeReady()).toBeUndefined();
  });

  test("become stable one after the other", () => {
    const node = leader();
    const works = ["a", "b"].map((text) => propose(node, text));
    const stable = works.map((work) => {
      node.write(work);
      return node.core.status().stableIndex;
    });
    // The first answer can only vouch for what had been handed out by then.
    expect(stable).toEqual([2, 3]);
  });

  test("answer for all before them: a late answer loses nothing", () => {
    const node = leader();
    const [first, second] = [propose(node, "a"), propose(node, "b")];
    node.storage.append(first.entries);
    node.storage.append(second.entries);
    for (const work of [first, second])
      for (const response of work.responses) node.core.step(response);
    if (second.done !== undefined) node.core.onAppendDone(second.done);
    expect(node.core.status().stableIndex).toBe(3);
    if (first.done !== undefined) node.core.onAppendDone(first.done);
    expect(node.core.status().stableIndex).toBe(3);
  });

  test("a single voter commits each as it becomes durable", () => {
    const node = leader({ configuration: configurationOf({ voters: [1] }) });
    const works = ["a", "b"].map((text) => propose(node, text));
    expect(node.commitIndex).toBe(1);
    const commits = works.map((work) => {
      node.write(work);
      return node.commitIndex;
    });
    expect(commits).toEqual([2, 3]);
  });
});

describe("nothing is promised before the work that makes it true", () => {
  test("a vote", () => {
    const node = follower();
    node.core.step(build.requestVote({ from: 2, term: 1 }));
    const ready = node.take();
    expect(ready?.messages).toEqual([]);
    expect(ready?.append).toMatchObject({
      hardState: { currentTerm: 1, votedFor: 2 },
      mustSync: true,
      responses: [{ type: "RequestVoteReply", voteGranted: true }],
    });
  });

  test("an acknowledgement of entries", () => {
    const node = follower();
    node.core.step(build.appendEntries({ entries: log([1, 1]) }));
    const ready = node.take();
    expect(ready?.messages).toEqual([]);
    expect(ready?.append).toMatchObject({ mustSync: true, responses: [{ index: 2 }] });
  });

  test("an acknowledgement of entries that an earlier work still writes", () => {
    const node = follower();
    node.core.step(build.appendEntries({ entries: log([1, 1]) }));
    const first = appendOf(node.take());
    node.core.step(build.appendEntries({ entries: log([1, 1]) }));
    const again = node.take();
    // It rides on work after that one, so it cannot overtake it.
    expect(first.entries).toHaveLength(2);
    expect(again?.messages).toEqual([]);
    expect(again?.append).toMatchObject({ entries: [], responses: [{ index: 2 }] });
  });

  test("a refusal of a vote tells of a term, so it waits for that", () => {
    const node = follower({ log: [1], hardState: { currentTerm: 1 } });
    node.core.step(build.requestVote({ from: 2, term: 5 }));
    expect(node.take()?.append).toMatchObject({
      hardState: { currentTerm: 5 },
      responses: [{ voteGranted: false, term: 5 }],
    });
  });

  test("the leader's own copy", () => {
    const node = leader();
    const work = propose(node, "x");
    node.core.step(acknowledgement(node, 2, 2));
    expect(node.commitIndex).toBe(1);
    node.write(work);
    expect(node.commitIndex).toBe(2);
  });

  test("but what promises nothing leaves at once", () => {
    const node = leader();
    node.propose("x");
    node.core.tick();
    const types = node.take()?.messages.map(({ type }) => type);
    expect(types).toEqual(["AppendEntries", "AppendEntries", "Heartbeat", "Heartbeat"]);
  });

  test("a commit index that moved need not be synced", () => {
    const node = follower({ log: [1], hardState: { currentTerm: 1 } });
    node.core.step(build.heartbeat({ leaderCommit: 1 }));
    expect(node.take()?.append).toMatchObject({
      hardState: { commitIndex: 1 },
      mustSync: false,
    });
  });

  test("a term comes to disk no later than its entries", () => {
    const node = follower();
    node.core.step(build.appendEntries({ term: 4, entries: log([4]) }));
    const work = appendOf(node.take());
    expect(work.hardState?.currentTerm).toBe(4);
    expect(positions(work.entries)).toEqual(["4/1"]);
  });
});

describe("entries are applied", () => {
  test("only once they are on the own disk", () => {
    const node = leader();
    const work = propose(node, "x");
    for (const from of [2, 3]) node.core.step(acknowledgement(node, from, 2));
    expect(node.commitIndex).toBe(2);
    expect(node.take()?.apply).toBeUndefined();
    node.write(work);
    expect(commands(applyOf(node.take()).entries)).toEqual(["x"]);
  });

  test("while others are still written", () => {
    const node = leader();
    node.write(propose(node, "a"));
    const second = propose(node, "b");
    node.core.step(acknowledgement(node, 2, 2));
    const work = applyOf(node.take());
    expect(commands(work.entries)).toEqual(["a"]);
    node.apply(work);
    node.write(second);
    expect(node.core.status().appliedIndex).toBe(2);
  });

  test("in pages, of which only so many bytes are out at a time", () => {
    // Each entry counts 32 bytes and its data.
    const entries = [1, 2, 3, 4, 5].map((index) => entry(1, index, "12345678"));
    const node = follower({
      entries,
      hardState: { currentTerm: 1, commitIndex: 5 },
      options: { applyingBytesMax: 80 },
    });
    const pages: string[][] = [];
    for (let ready = node.take(); ready !== undefined; ready = node.take()) {
      const work = applyOf(ready);
      pages.push(positions(work.entries));
      expect(node.take()).toBeUndefined();
      node.apply(work);
    }
    expect(pages).toEqual([["1/1", "1/2"], ["1/3", "1/4"], ["1/5"]]);
  });

  test("one larger than the limit goes alone", () => {
    const node = follower({
      entries: [entry(1, 1, "x".repeat(500)), entry(1, 2)],
      hardState: { currentTerm: 1, commitIndex: 2 },
      options: { applyingBytesMax: 80 },
    });
    expect(applyOf(node.take()).entries).toHaveLength(1);
    expect(node.take()).toBeUndefined();
  });
});

describe("entries written twice", () => {
  test("an answer about entries that were replaced since makes nothing stable", () => {
    const node = follower();
    node.core.step(build.appendEntries({ term: 1, entries: log([1, 1]) }));
    const first = appendOf(node.take());
    node.core.step(build.appendEntries({ from: 3, term: 2, entries: log([2]) }));
    const second = appendOf(node.take());
    node.write(first);
    expect(node.core.status().stableIndex).toBe(0);
    node.write(second);
    expect(node.core.status().stableIndex).toBe(1);
    expect(positions(node.entries())).toEqual(["2/1"]);
  });

  test("not even if the first version has come back meanwhile (ABA)", () => {
    const node = follower();
    // A of leader 2, B of leader 3, then A again of leader 2, all in flight.
    node.core.step(build.appendEntries({ from: 2, term: 1, entries: log([1, 1]) }));
    const works = [appendOf(node.take())];
    node.core.step(build.appendEntries({ from: 3, term: 2, entries: log([2]) }));
    works.push(appendOf(node.take()));
    node.core.step(build.appendEntries({ from: 2, term: 3, entries: log([1, 1, 3]) }));
    works.push(appendOf(node.take()));

    const stable = works.map((work) => {
      node.write(work);
      return node.core.status().stableIndex;
    });
    expect(stable).toEqual([0, 0, 3]);
    expect(positions(node.entries())).toEqual(["1/1", "1/2", "3/3"]);
  });

  test("an answer of a passed term is made up for by the next one", () => {
    const node = follower();
    node.core.step(build.appendEntries({ term: 1, entries: log([1, 1]) }));
    const first = appendOf(node.take());
    node.core.step(build.heartbeat({ from: 3, term: 2 }));
    const second = appendOf(node.take());
    node.write(first);
    expect(node.core.status().stableIndex).toBe(0);
    expect(node.eventsOf("staleAppendDone")).toHaveLength(1);
    node.write(second);
    expect(node.core.status().stableIndex).toBe(2);
  });
});

describe("snapshots", () => {
  test("a snapshot waits its turn behind entries that are being written", () => {
    const node = follower();
    node.core.step(build.appendEntries({ entries: log([1, 1]) }));
    const entries = appendOf(node.take());
    const snapshot = build.snapshotAt(9, 1, THREE);
    node.core.step(build.installSnapshot({ snapshot }));
    const install = appendOf(node.take());
    node.write(entries);
    expect(node.core.status()).toMatchObject({ lastIndex: 9, appliedIndex: 0 });
    node.write(install);
    expect(node.core.status()).toMatchObject({ lastIndex: 9, appliedIndex: 9, stableIndex: 9 });
  });

  test("a newer one may follow while the first is written", () => {
    const node = follower();
    node.core.step(build.installSnapshot({ snapshot: build.snapshotAt(9, 1, THREE) }));
    const first = appendOf(node.take());
    node.core.step(build.installSnapshot({ snapshot: build.snapshotAt(20, 1, THREE) }));
    const second = appendOf(node.take());
    node.write(first);
    node.write(second);
    expect(node.core.status()).toMatchObject({ firstIndex: 21, appliedIndex: 20 });
    expect(node.core.hasReady()).toBe(false);
  });

  test("one that is durable counts even if its term has passed meanwhile", () => {
    const node = follower();
    node.core.step(build.installSnapshot({ snapshot: build.snapshotAt(9, 1, THREE) }));
    const install = appendOf(node.take());
    node.core.step(build.heartbeat({ from: 3, term: 2 }));
    node.write(install);
    node.settle();
    expect(node.core.status()).toMatchObject({ appliedIndex: 9, currentTerm: 2 });
    node.core.campaign();
    expect(node.role).toBe("candidate");
  });
});

test("hasReady tells whether takeReady has something", () => {
  const node = leader();
  for (const act of [
    (): unknown => node.propose("x"),
    (): unknown => node.core.tick(),
    (): unknown => node.core.readIndex(1),
    (): unknown => node.core.step(build.heartbeat({ from: 2, term: 9 })),
  ]) {
    expect(node.core.hasReady()).toBe(false);
    act();
    expect(node.core.hasReady()).toBe(true);
    node.settle();
  }
});
