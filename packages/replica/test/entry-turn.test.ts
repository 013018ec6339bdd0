// Goal: a node that is asked for entries in the middle of a turn gives none of those that its core
// has replaced, and that its disk does not know of yet.

import type { Entry, Message } from "@quorumlog/raft";
import { describe, expect, test } from "vitest";
import type { EntriesReply } from "../src/entry-transfer.ts";
import { encodeDescriptor } from "../src/snapshot-descriptor.ts";
import { LoneNode } from "./kit/lone-node.ts";

const LOST = { kind: "entriesRequest", number: 1, low: 2, high: 4 } as const;

function entries(term: number): Entry[] {
  return [2, 3].map((index) => ({ term, index, kind: "normal", data: Uint8Array.of(term, index) }));
}

/** It holds two entries of term 1 that were never committed. */
function behind(): LoneNode {
  const node = new LoneNode();
  node.receive(1, { kind: "raft", message: append(1, 1) });
  node.time.pass(100);
  expect(node.replica.log.term(3)).toBe(1);
  return node;
}

function append(term: number, leaderCommit: number): Message {
  const header = { from: term, to: 2, fromIncarnation: 1, toIncarnation: 1, term };
  const previous = { prevLogIndex: 1, prevLogTerm: 1 };
  return { type: "AppendEntries", ...header, ...previous, leaderCommit, entries: entries(term) };
}

function answers(node: LoneNode): EntriesReply[] {
  return node.sent(3).flatMap((each) => (each.kind === "entriesReply" ? [each] : []));
}

describe("a node that hears of what is committed, and is asked at once", () => {
  test("does not give the entries that those replace", () => {
    const node = behind();
    node.receive(3, { kind: "raft", message: append(3, 3) });
    node.receive(3, LOST);
    node.time.pass(100);
    expect(answers(node)).toMatchObject([{ verdict: "later", entries: [] }]);

    node.receive(3, { ...LOST, number: 2 });
    node.time.pass(100);
    expect(answers(node)[1]?.entries.map(({ term }) => term)).toEqual([3, 3]);
  });

  test("does not give entries that a snapshot takes the place of", () => {
    const node = behind();
    const header = { from: 3, to: 2, fromIncarnation: 1, toIncarnation: 1, term: 3 };
    const { configuration } = node.replica.status();
    const data = encodeDescriptor(0);
    const snapshot = { lastIncludedIndex: 9, lastIncludedTerm: 3, configuration, data };
    node.receive(3, { kind: "raft", message: { type: "InstallSnapshot", ...header, snapshot } });
    node.receive(3, LOST);
    node.time.pass(100);
    expect(answers(node)).toMatchObject([{ verdict: "trimmed", entries: [] }]);
  });
});
