// Goal: each invariant of Raft that the simulator watches can be seen to break.
// Method: let a small cluster run well, then tell its checkers of one thing that must not be.
import { type AppendWork, type Entry, type Message, parseRaftOptions } from "@quorumlog/raft";
import { beforeEach, describe, expect, test } from "vitest";
import { EntryRegistry } from "../src/check/entry-registry.ts";
import { SECOND } from "../src/engine/event-queue.ts";
import { drawSwarm } from "../src/fault/swarm.ts";
import type { SimNode } from "../src/node/sim-node.ts";
import type { ClusterWatcher } from "../src/run/cluster.ts";
import { World } from "../src/run/world.ts";
import { broken } from "./broken.ts";

let world: World;
let watcher: ClusterWatcher;
let leader: SimNode;
let follower: SimNode;

/** A cluster of three that has elected a leader and committed some writes. */
beforeEach(() => {
  const swarm = {
    ...drawSwarm(1),
    voterCount: 3,
    raft: parseRaftOptions({}),
    electionRanks: [0],
    storage: { isVisibleAtIssue: true, snapshotEvery: 1_000, keptEntries: 0, checkpointEvery: 0 },
  };
  world = new World({ swarm, trace: undefined, onEvent: undefined });
  world.begin();
  for (const client of world.clients) client.start();
  world.queue.runUntil(5 * SECOND);
  const { cluster } = world;
  ({ watcher } = cluster);
  leader = cluster.leader() as SimNode;
  follower = cluster.hosts.find(({ node }) => node !== undefined && node !== leader)
    ?.node as SimNode;
});

function header(
  from: SimNode,
  to: SimNode,
): {
  from: number;
  to: number;
  fromIncarnation: number;
  toIncarnation: number;
  term: number;
} {
  const { currentTerm: term } = from.core.status();
  return { from: from.id, to: to.id, fromIncarnation: 1, toIncarnation: 1, term };
}

function work(entries: readonly Entry[]): AppendWork {
  return {
    entries,
    hardState: undefined,
    snapshot: undefined,
    mustSync: true,
    responses: [],
    done: undefined,
  };
}

function command(index: number, term: number): Entry {
  return { index, term, kind: "normal", data: new Uint8Array(0) };
}

test("the cluster under test is sound", () => {
  expect(leader.core.status().role).toBe("leader");
  expect(world.counts.acknowledged).toBeGreaterThan(10);
  expect(broken(() => watcher.onTurnEnd(leader))).toBeUndefined();
});

describe("elections", () => {
  test("a second leader in one term", () => {
    const term = leader.core.status().currentTerm;

    expect(broken(() => watcher.onEvent(follower, { type: "becameLeader", term }))).toBe(
      "Election Safety",
    );
  });

  test("a leader that nobody voted for", () => {
    const term = leader.core.status().currentTerm + 5;

    expect(broken(() => watcher.onEvent(follower, { type: "becameLeader", term }))).toBe(
      "elected by a majority",
    );
  });

  test("a second vote in one term", () => {
    const { currentTerm } = follower.core.status();
    const vote = (to: number): Message => ({
      ...header(follower, leader),
      type: "RequestVoteReply",
      term: currentTerm,
      to,
      voteGranted: true,
    });
    broken(() => watcher.onSend(follower, vote(leader.id), true));

    expect(broken(() => watcher.onSend(follower, vote(99), true))).toBe("one vote per term");
  });

  test("a vote that leaves before it is durable", () => {
    const vote: Message = {
      ...header(follower, leader),
      type: "RequestVoteReply",
      term: 999,
      voteGranted: true,
    };

    expect(broken(() => watcher.onSend(follower, vote, false))).toBe(
      "a promise waits for the disk",
    );
    expect(broken(() => watcher.onSend(follower, vote, true))).toBe(
      "a vote is durable before it leaves",
    );
  });

  test("a vote for a log that is behind", () => {
    const { currentTerm: term, votedFor, lastIndex } = follower.core.status();
    const last = { index: lastIndex, term };
    const event = {
      type: "voteAnswered",
      kind: "vote",
      granted: true,
      candidate: 99,
      candidateLast: { index: lastIndex - 1, term },
      last,
      votedFor,
      term,
    } as const;

    expect(broken(() => watcher.onEvent(follower, event))).toBe(
      "votes go to logs that are up to date",
    );
  });
});

describe("logs", () => {
  test("two entries with one index and term", () => {
    const registry = new EntryRegistry();
    registry.check(1, command(5, 2), 1);

    expect(broken(() => registry.check(2, command(5, 2), 1))).toBeUndefined();
    expect(broken(() => registry.check(2, command(5, 2), 2))).toBe("Log Matching");
    expect(broken(() => registry.check(2, { ...command(5, 2), data: Uint8Array.of(1) }, 1))).toBe(
      "Log Matching",
    );
  });

  test("a gap", () => {
    const { lastIndex, currentTerm } = leader.core.status();
    const entries = [command(lastIndex + 5, currentTerm)];

    expect(broken(() => watcher.onAppend(leader, work(entries)))).toBe("a log has no gaps");
  });

  test("a committed entry that is rewritten", () => {
    const { commitIndex, currentTerm } = follower.core.status();
    const entries = [command(commitIndex, currentTerm + 1)];
    const hardState = { currentTerm: currentTerm + 1, votedFor: undefined, commitIndex };

    expect(broken(() => watcher.onAppend(follower, { ...work(entries), hardState }))).toBe(
      "committed entries are immutable",
    );
  });

  test("an entry that is written before its term", () => {
    const { lastIndex, currentTerm } = follower.core.status();
    const entries = [command(lastIndex + 1, currentTerm + 1)];

    expect(broken(() => watcher.onAppend(follower, work(entries)))).toBe(
      "no entry is written before its term",
    );
  });

  test("an acknowledgement of entries that are not durable", () => {
    const reply: Message = {
      ...header(follower, leader),
      type: "AppendEntriesReply",
      rejected: false,
      index: follower.core.status().lastIndex + 1,
      hintIndex: 0,
      hintTerm: 0,
    };

    expect(broken(() => watcher.onSend(follower, reply, true))).toBe(
      "entries are durable before they are acknowledged",
    );
  });
});

describe("commitment", () => {
  test("a follower that commits first", () => {
    const commitIndex = world.ledger.committedIndex + 1;

    expect(broken(() => watcher.onEvent(follower, { type: "commitAdvanced", commitIndex }))).toBe(
      "only a leader commits",
    );
  });

  test("an entry that no quorum holds", () => {
    const { commitIndex: committed, currentTerm } = leader.core.status();
    const commitIndex = committed + 1;
    leader.issued.append(command(commitIndex, currentTerm));

    expect(broken(() => watcher.onEvent(leader, { type: "commitAdvanced", commitIndex }))).toBe(
      "committed on a quorum",
    );
  });

  test("an entry of an earlier term, by counting", () => {
    const { commitIndex: committed, currentTerm } = leader.core.status();
    const commitIndex = committed + 1;
    leader.issued.append(command(commitIndex, currentTerm - 1));

    expect(broken(() => watcher.onEvent(leader, { type: "commitAdvanced", commitIndex }))).toBe(
      "only entries of the own term are counted (figure 8)",
    );
  });

  test("an entry that is applied and was never committed", () => {
    const entry = command(world.ledger.committedIndex + 1, 99);

    expect(broken(() => watcher.onApply(follower, entry, { kind: "none" }))).toBe(
      "applied before it was committed",
    );
  });

  test("another entry than was committed", () => {
    const entry = command(world.ledger.committedIndex, 99);

    expect(broken(() => watcher.onApply(follower, entry, { kind: "none" }))).toBe(
      "State Machine Safety",
    );
  });

  test("a state machine that has gone its own way", () => {
    const entry = world.ledger.entry(world.ledger.committedIndex) as Entry;
    follower.machine.apply(command(follower.machine.appliedIndex + 1, 99));

    expect(broken(() => watcher.onApply(follower, entry, { kind: "none" }))).toBe(
      "state machines agree",
    );
  });
});

describe("messages", () => {
  test("an append from somebody who does not lead", () => {
    const append: Message = {
      ...header(follower, leader),
      type: "AppendEntries",
      prevLogIndex: 0,
      prevLogTerm: 0,
      entries: [],
      leaderCommit: 0,
    };

    expect(broken(() => watcher.onSend(follower, append, false))).toBe(
      "one sender of appends per term",
    );
  });

  test("an append whose previous entry was compacted away", () => {
    const append: Message = {
      ...header(leader, follower),
      type: "AppendEntries",
      prevLogIndex: 5,
      prevLogTerm: 0,
      entries: [],
      leaderCommit: 0,
    };

    expect(broken(() => watcher.onSend(leader, append, false))).toBe("a compacted term is not 0");
  });

  test("an answer of an earlier term that counts", () => {
    const reply: Message = {
      ...header(follower, leader),
      type: "AppendEntriesReply",
      term: 1,
      rejected: false,
      index: 1,
      hintIndex: 0,
      hintTerm: 0,
    };

    expect(broken(() => watcher.onStepped(leader, reply, undefined))).toBe(
      "answers of a term that has passed do not count",
    );
    expect(broken(() => watcher.onStepped(leader, reply, "stale-term"))).toBeUndefined();
  });
});

test("the configuration of a snapshot must be that of its index", () => {
  const { machine, configuration } = follower;
  const snapshot = {
    lastIncludedIndex: machine.appliedIndex,
    lastIncludedTerm: machine.appliedTerm,
    configuration: { ...configuration, voters: configuration.voters.slice(1) },
    data: machine.snapshot(),
  };

  expect(broken(() => watcher.onSnapshot(follower, snapshot, "taken"))).toBe(
    "the configuration at an index is the same everywhere",
  );
});
