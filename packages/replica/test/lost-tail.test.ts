// Goal: a node whose disk has lost what it acknowledged says so and stops, if its leader says so.

import type { Message } from "@quorumlog/raft";
import { expect, test } from "vitest";
import { LoneNode } from "./kit/lone-node.ts";

function heartbeat(from: number, term: number, leaderCommit: number): Message {
  const header = { from, to: 2, fromIncarnation: 1, toIncarnation: 1, term };
  return { type: "Heartbeat", ...header, leaderCommit, round: 1 };
}

test("a heartbeat that knows of more than the log has stops the node, with what to do", () => {
  const node = new LoneNode();

  node.send(1, { kind: "raft", message: heartbeat(1, 7, 9) });
  node.time.pass(50);

  const { replica, events } = node;
  expect(replica.isOpen()).toBe(false);
  const [failed] = events.filter(({ type }) => type === "failed");
  expect(failed).toMatchObject({ error: { code: "DISK_LOST" } });
  expect(replica.failure()?.message).toMatch(/ends at index 1, .* acknowledged 9/u);
});

test.each([
  ["another one than its leader", 7],
  ["a term that nobody can have reached", 2 ** 50],
])("the same from %s stops nobody", (_whose, term) => {
  const node = new LoneNode();
  node.send(1, { kind: "raft", message: heartbeat(1, 7, 1) });
  node.time.pass(50);
  node.send(3, { kind: "raft", message: heartbeat(3, term, 9) });
  node.time.pass(50);
  expect(node.replica.isOpen()).toBe(true);
});
