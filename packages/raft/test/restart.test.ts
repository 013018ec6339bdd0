// Goal: a node that comes back keeps every promise, and applies what it had not, once.
// Method: nodes started from a storage, and nodes that are stopped between any two steps.
// Paper figure 2 (persistent state), §5.2, §5.5 (crashes); etcd 8ecce32 (pagination).

import { describe, expect, test } from "vitest";
import { commands, entry, log, positions } from "./kit/entries.ts";
import { configurationOf } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import { TestNode } from "./kit/node.ts";
import { candidate, follower, leader } from "./kit/roles.ts";

test("a node with nothing on disk starts in term 0 with nothing to do", () => {
  const node = follower();
  expect(node.core.status()).toMatchObject({
    role: "follower",
    currentTerm: 0,
    votedFor: undefined,
    commitIndex: 0,
    lastIndex: 0,
  });
  expect(node.core.hasReady()).toBe(false);
});

test("whatever it was, it comes back as a follower of its term that knows no leader", () => {
  for (const node of [follower({ hardState: { currentTerm: 1 } }), candidate(), leader()]) {
    node.restart();
    const { role, leaderId, currentTerm } = node.core.status();
    expect({ role, leaderId, currentTerm }).toEqual({
      role: "follower",
      leaderId: undefined,
      currentTerm: 1,
    });
  }
});

test("a state machine that is ahead of the stored commit index shows what is committed", () => {
  const hardState = { currentTerm: 1, commitIndex: 1 };
  const node = follower({ log: [1, 1, 1], hardState, appliedIndex: 3 });
  expect(node.core.status()).toMatchObject({ commitIndex: 3, appliedIndex: 3 });
});

describe("what was stored is kept", () => {
  test("term and vote", () => {
    const node = candidate();
    node.restart();
    expect(node.core.status()).toMatchObject({ currentTerm: 1, votedFor: 1 });
    const sent = node.receive(
      build.requestVote({ from: 2, term: 1, lastLogIndex: 9, lastLogTerm: 1 }),
    );
    expect(sent).toMatchObject([{ voteGranted: false }]);
  });

  test("the log, up to what was written", () => {
    const node = follower();
    node.core.step(build.appendEntries({ entries: log([1, 1]) }));
    node.settle();
    node.core.step(build.appendEntries({ prevLogIndex: 2, prevLogTerm: 1, entries: log([1], 3) }));
    node.restart();
    expect(positions(node.entries())).toEqual(["1/1", "1/2"]);
    expect(node.lastIndex).toBe(2);
  });

  test("nothing that was only handed out", () => {
    const node = follower();
    node.core.step(build.requestVote({ from: 2, term: 3 }));
    node.take();
    node.restart();
    expect(node.core.status()).toMatchObject({ currentTerm: 0, votedFor: undefined });
    // So it may vote for another: nobody has got its first vote.
    const sent = node.receive(build.requestVote({ from: 3, term: 3 }));
    expect(sent).toMatchObject([{ voteGranted: true }]);
  });
});

describe("committed entries are applied again from the applied index on", () => {
  const three = [entry(1, 1, "a"), entry(1, 2, "b"), entry(1, 3, "c")];

  test.each([
    [0, 3, ["a", "b", "c"]],
    [1, 3, ["b", "c"]],
    [3, 3, []],
    [1, 2, ["b"]],
    [0, 0, []],
  ])("applied %i, committed %i: %o", (appliedIndex, commitIndex, texts) => {
    const hardState = { currentTerm: 1, commitIndex };
    const node = follower({ entries: three, hardState, appliedIndex });
    node.settle();
    expect(commands(node.applied)).toEqual(texts);
  });

  test("the commit index need not be stored: the leader tells it again", () => {
    const node = follower({ entries: three, hardState: { currentTerm: 1, commitIndex: 0 } });
    node.receive(build.heartbeat({ leaderCommit: 3 }));
    expect(commands(node.applied)).toEqual(["a", "b", "c"]);
  });

  test("in pages, without a gap, and without taking the commit index back", () => {
    const entries = Array.from({ length: 30 }, (_, i) => entry(1, i + 1, `${i}`));
    for (const storageWrites of ["async", "sync"] as const) {
      const node = follower({
        entries,
        hardState: { currentTerm: 1, commitIndex: 30 },
        options: { applyingBytesMax: 100, storageWrites },
      });
      node.settle();
      expect(positions(node.applied)).toEqual(positions(entries));
      expect(node.hardStates.every(({ commitIndex }) => commitIndex === 30)).toBe(true);
    }
  });

  test("stopped in the middle, it goes on from there", () => {
    const entries = Array.from({ length: 10 }, (_, i) => entry(1, i + 1, `${i}`));
    const node = follower({
      entries,
      hardState: { currentTerm: 1, commitIndex: 10 },
      options: { applyingBytesMax: 100 },
    });
    const work = node.take()?.apply;
    if (work !== undefined) node.apply(work);
    node.take();
    node.restart();
    node.settle();
    expect(commands(node.applied)).toEqual(entries.map((_, i) => `${i}`));
  });
});

test("a snapshot is where it starts: nothing below is applied again", () => {
  const configuration = configurationOf({ voters: [1, 2, 3] });
  const node = new TestNode({
    snapshot: build.snapshotAt(5, 1, configuration),
    log: [1, 2],
    hardState: { currentTerm: 2, commitIndex: 6 },
  });
  expect(node.core.status()).toMatchObject({ firstIndex: 6, lastIndex: 7, appliedIndex: 5 });
  node.settle();
  expect(positions(node.applied)).toEqual(["1/6"]);
});

test("a leader that restarts is elected anew, and its uncommitted entries may commit", () => {
  const node = leader({ configuration: configurationOf({ voters: [1] }) });
  node.propose("x");
  const ready = node.take();
  if (ready?.append !== undefined) node.storage.append(ready.append.entries);
  node.restart();
  expect(node.role).toBe("follower");
  node.timeOut();
  expect(node.role).toBe("leader");
  expect(commands(node.applied)).toEqual(["x"]);
});

/** Ticks until a node with this seed campaigns. */
function timeout(seed: number): number {
  const node = follower({ seed });
  for (let ticks = 1; ; ticks++) if (node.tick().length > 0) return ticks;
}

test("the seed decides the timeouts, so that nodes restarted together drift apart", () => {
  expect(timeout(5)).toBe(timeout(5));
  const drawn = Array.from({ length: 20 }, (_, seed) => timeout(seed));
  expect(new Set(drawn).size).toBeGreaterThan(5);
});
