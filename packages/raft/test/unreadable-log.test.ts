// Goal: entries that storage cannot read for now hold up only those that need them, and nothing is
// skipped. Method: a storage that answers with no entries for a while. Design: FAST '18
// (protocol-aware recovery); etcd's ErrLogTemporarilyUnavailable.

import { describe, expect, test } from "vitest";
import type { LogIndex, LogStorage } from "../src/index.ts";
import { positions } from "./kit/entries.ts";
import * as build from "./kit/messages.ts";
import type { TestNode } from "./kit/node.ts";
import { follower, freshLeader } from "./kit/roles.ts";

/** From now on entries from `from` on cannot be read. @returns what ends that. */
function hide(node: TestNode, from: LogIndex): () => void {
  const storage: LogStorage = node.storage;
  const read = storage.entries.bind(storage);
  storage.entries = (range) => {
    if (range.low >= from) return "unreadable";
    return read({ ...range, high: Math.min(range.high, from) });
  };
  return () => {
    storage.entries = read;
  };
}

describe("entries that cannot be read for now", () => {
  test("are applied later, after those before them", () => {
    const hardState = { currentTerm: 1, commitIndex: 4 };
    const node = follower({ log: [1, 1, 1, 1], hardState });
    const show = hide(node, 3);
    node.settle();
    expect(positions(node.applied)).toEqual(["1/1", "1/2"]);
    // Whoever waits for them does not turn in circles.
    expect(node.core.hasReady()).toBe(false);

    node.core.tick();
    node.settle();
    expect(positions(node.applied)).toEqual(["1/1", "1/2"]);

    show();
    node.core.tick();
    node.settle();
    expect(positions(node.applied)).toEqual(["1/1", "1/2", "1/3", "1/4"]);
  });

  test("keep a node from a campaign, as there may be a change of members among them", () => {
    const hardState = { currentTerm: 1, commitIndex: 2 };
    const node = follower({ log: [1, 1], hardState });
    const show = hide(node, 1);
    node.settle();
    node.core.campaign();
    expect(node.role).toBe("follower");

    show();
    node.core.tick();
    node.settle();
    node.core.campaign();
    expect(node.role).toBe("candidate");
  });

  test("are sent to a follower once they can be read", () => {
    const node = freshLeader({ log: [1, 1, 1], hardState: { currentTerm: 1 } });
    const { term } = node;
    const show = hide(node, 2);
    node.core.step(build.appendReply({ term, rejected: true, index: 3 }));
    expect(sentTo2(node)).toEqual([["1/1"]]);

    node.core.step(build.appendReply({ term, index: 1 }));
    expect(sentTo2(node).flat()).toEqual([]);
    node.core.step(build.heartbeatReply({ term }));
    expect(sentTo2(node).flat()).toEqual([]);

    show();
    node.core.step(build.heartbeatReply({ term }));
    expect(sentTo2(node)).toEqual([["1/2", "1/3", "2/4"]]);
  });
});

/** The entries of each append. */
function sentTo2(node: TestNode): string[][] {
  return build
    .ofType(node.settle(), "AppendEntries")
    .filter(({ to }) => to === 2)
    .map(({ entries }) => positions(entries));
}
