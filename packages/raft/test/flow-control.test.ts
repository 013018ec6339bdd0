// Goal: a slow follower, a slow disk or a slow state machine costs bounded memory, and a healed
// one gets going again.
// Method: a leader with small limits; progress is looked at from outside.
// Thesis §10.2.1 (pipelining); etcd e419ba5, 42419da, a370b6f (leaks of counters).

import { describe, expect, test } from "vitest";
import type { AppendEntries } from "../src/index.ts";
import { Cluster } from "./kit/cluster.ts";
import { commands } from "./kit/entries.ts";
import { configurationOf } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import type { TestNode } from "./kit/node.ts";
import { acknowledgement, freshLeader, leader } from "./kit/roles.ts";

/** What the node's next `count` proposals make it send to node 2, one by one. */
function proposeEach(node: TestNode, count: number): AppendEntries[] {
  const sent: AppendEntries[] = [];
  for (let i = 0; i < count; i++) {
    node.propose("x");
    sent.push(...build.ofType(node.settle(), "AppendEntries").filter(({ to }) => to === 2));
  }
  return sent;
}

describe("a full window", () => {
  const options = { inflightCountMax: 4 };

  test("stops the flow of entries after that many messages", () => {
    const node = leader({ options });
    const sent = proposeEach(node, 10);
    expect(sent.map(({ entries }) => entries.length)).toEqual([1, 1, 1, 1]);
    expect(node.progressOf(2)).toMatchObject({
      inflightCount: 4,
      inflightFull: true,
      isPaused: true,
    });
  });

  test("moves on by what is acknowledged", () => {
    const node = leader({ options });
    proposeEach(node, 10);
    const sent = build.ofType(node.receive(acknowledgement(node, 2, 3)), "AppendEntries");
    // Index 2 and 3 were acknowledged: two messages of all that waits; the first takes it whole.
    expect(sent.filter(({ to }) => to === 2).flatMap(({ entries }) => entries)).toHaveLength(6);
  });

  test("is not moved by an acknowledgement of what had left it before", () => {
    const node = leader({ options });
    proposeEach(node, 4);
    node.receive(acknowledgement(node, 2, 2));
    proposeEach(node, 3);
    expect(node.progressOf(2).inflightFull).toBe(true);
    node.receive(acknowledgement(node, 2, 2));
    expect(node.progressOf(2).inflightFull).toBe(true);
  });

  test("lets one empty append through per heartbeat answered, in case all was lost", () => {
    const node = leader({ options });
    proposeEach(node, 6);
    for (let round = 1; round <= 3; round++) {
      node.tick();
      const sent = node.receive(build.heartbeatReply({ from: 2, round }));
      expect(build.ofType(sent, "AppendEntries")).toMatchObject([{ to: 2, entries: [] }]);
      expect(node.progressOf(2).inflightFull).toBe(true);
    }
  });

  test("all of whose messages were lost empties after one round trip", () => {
    const cluster = new Cluster({ options });
    cluster.campaign(1);
    cluster.isolate(3);
    for (let i = 0; i < 8; i++) cluster.propose(1, `${i}`);
    expect(cluster.node(1).progressOf(3).inflightFull).toBe(true);
    cluster.heal();
    cluster.tick(1);
    expect(commands(cluster.node(3).applied)).toHaveLength(8);
    expect(cluster.node(1).progressOf(3).inflightCount).toBe(0);
  });
});

describe("bytes in flight", () => {
  test("stop the flow, too", () => {
    const node = leader({ options: { appendBytesMax: 100, inflightBytesMax: 100 } });
    const big = "x".repeat(60);
    for (let i = 0; i < 6; i++) node.propose(big);
    node.settle();
    expect(node.progressOf(2)).toMatchObject({ inflightCount: 2, inflightFull: true });
  });

  test("limit one message, but never keep a single large entry back", () => {
    const node = leader({ options: { appendBytesMax: 100 } });
    node.propose("a".repeat(500), "b".repeat(40), "c".repeat(20));
    const sent = build.ofType(node.settle(), "AppendEntries").filter(({ to }) => to === 2);
    expect(sent.map(({ entries }) => entries.length)).toEqual([1]);
    const more = build.ofType(node.receive(acknowledgement(node, 2, 2)), "AppendEntries");
    // 40 + 20 and two overheads of 32 pass 100, so each goes alone.
    expect(more.filter(({ to }) => to === 2).map(({ entries }) => entries.length)).toEqual([1, 1]);
  });

  test("of 0 send one entry at a time", () => {
    const node = leader({ options: { appendBytesMax: 0 } });
    node.propose("a", "b", "c");
    node.settle();
    const sent = build.ofType(node.receive(acknowledgement(node, 2, 2)), "AppendEntries");
    const toSecond = sent.filter(({ to }) => to === 2);
    expect(toSecond.map(({ entries }) => entries.length)).toEqual([1, 1]);
  });
});

describe("a probe", () => {
  test("sends once, then waits for an answer or a heartbeat", () => {
    const node = freshLeader();
    expect(node.progressOf(2)).toMatchObject({ state: "probe", isPaused: true });
    expect(proposeEach(node, 5)).toEqual([]);
    expect(node.progressOf(2).nextIndex).toBe(1);
  });

  test("sends once more for each heartbeat that is answered", () => {
    const node = freshLeader();
    proposeEach(node, 2);
    for (let round = 1; round <= 3; round++) {
      expect(build.ofType(node.tick(), "AppendEntries")).toEqual([]);
      const sent = build.ofType(node.receive(build.heartbeatReply({ round })), "AppendEntries");
      expect(sent).toHaveLength(1);
      expect(sent[0]?.entries).toHaveLength(3);
    }
  });

  test("becomes a stream with the first acknowledgement", () => {
    const node = freshLeader();
    proposeEach(node, 3);
    const sent = node.receive(acknowledgement(node, 2, 1));
    expect(node.progressOf(2)).toMatchObject({ state: "replicate", matchIndex: 1, nextIndex: 5 });
    expect(build.ofType(sent, "AppendEntries")[0]?.entries).toHaveLength(3);
  });

  test("ends with an acknowledgement that says nothing new: an idle group leaves it, too", () => {
    const node = leader();
    node.core.reportUnreachable(2);
    expect(node.progressOf(2).state).toBe("probe");
    node.receive(acknowledgement(node, 2, 1));
    expect(node.progressOf(2).state).toBe("replicate");
  });

  test("follows the report that a follower is unreachable", () => {
    const node = leader();
    proposeEach(node, 3);
    expect(node.progressOf(2).nextIndex).toBe(5);
    node.core.reportUnreachable(2);
    expect(node.progressOf(2)).toMatchObject({ state: "probe", matchIndex: 1, nextIndex: 2 });
  });

  test("is ended by heartbeats alone, without a proposal", () => {
    const cluster = new Cluster();
    cluster.campaign(1);
    cluster.node(1).core.reportUnreachable(2);
    cluster.tick(1);
    expect(cluster.node(1).progressOf(2).state).toBe("replicate");
  });
});

test("a leader follows its own progress, by its own disk", () => {
  const node = leader();
  node.propose("x");
  const work = node.take()?.append;
  expect(node.progressOf(1)).toMatchObject({ state: "replicate", matchIndex: 1 });
  if (work !== undefined) node.write(work);
  expect(node.progressOf(1)).toMatchObject({ matchIndex: 2, nextIndex: 3, recentActive: true });
});

describe("uncommitted commands", () => {
  // Two commands of five bytes, and 32 for each entry.
  const options = { uncommittedBytesMax: 74 };
  const alone = { options, configuration: configurationOf({ voters: [1] }) };

  test("are refused past the limit, and welcome again once applied", () => {
    const node = leader({ options });
    expect(node.propose("12345").status).toBe("appended");
    expect(node.propose("12345").status).toBe("appended");
    expect(node.propose("1")).toMatchObject({ status: "dropped", reason: "overloaded" });
    expect(node.core.status().uncommittedBytes).toBe(74);

    node.settle();
    node.receive(acknowledgement(node, 2));
    expect(node.core.status().uncommittedBytes).toBe(0);
    expect(node.propose("1").status).toBe("appended");
  });

  test("one that is larger than the limit is taken while nothing else waits", () => {
    const node = leader({ options });
    expect(node.propose("x".repeat(100)).status).toBe("appended");
    expect(node.propose("x").status).toBe("dropped");
  });

  test("without bytes are refused: they would look like a no-op", () => {
    const node = leader({ options });
    expect(() => node.propose("")).toThrow(RangeError);
    expect(() => node.core.propose([])).toThrow(RangeError);
  });

  test("a command of one byte counts for the entry that it makes", () => {
    const node = leader({ options: { uncommittedBytesMax: 1_000 } });
    let count = 0;
    while (node.propose("x").status === "appended") count += 1;
    expect(count).toBe(30);
  });

  test("of former leaders do not count, when appended or when applied", () => {
    const node = freshLeader({ ...alone, log: [1, 1], hardState: { currentTerm: 1 } });
    expect(node.core.status().uncommittedBytes).toBe(0);
    node.propose("12345");
    node.settle();
    expect(node.core.status().uncommittedBytes).toBe(0);
  });

  test("refused leave no trace in the log", () => {
    const node = leader({ options });
    node.propose("x".repeat(42));
    const { lastIndex } = node;
    node.propose("1");
    expect(node.lastIndex).toBe(lastIndex);
    node.settle();
    expect(node.propose("1").status).toBe("dropped");
  });

  test("the log of a leader cut off from its followers stops growing", () => {
    const node = leader({ options });
    for (let i = 0; i < 100; i++) {
      node.propose("12345");
      node.settle();
    }
    expect(node.lastIndex).toBe(3);
  });
});
