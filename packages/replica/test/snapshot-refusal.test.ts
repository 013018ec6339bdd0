// Goal: no bytes are fetched for a snapshot that the core will refuse, however good it looks.
// Method: one node, to which a test speaks as its peers.

import type { InstallSnapshot } from "@quorumlog/raft";
import { expect, test } from "vitest";
import { encodeDescriptor } from "../src/snapshot-descriptor.ts";
import { voting } from "./kit/configurations.ts";
import { LoneNode } from "./kit/lone-node.ts";

const SOUND: InstallSnapshot = {
  type: "InstallSnapshot",
  from: 1,
  to: 2,
  fromIncarnation: 1,
  toIncarnation: 1,
  term: 7,
  snapshot: {
    lastIncludedIndex: 9,
    lastIncludedTerm: 6,
    configuration: voting(1, 2, 3),
    data: encodeDescriptor(4_096),
  },
};

function requestsFor(message: InstallSnapshot): { asked: number; dropped: unknown } {
  const node = new LoneNode();
  node.send(1, { kind: "raft", message });
  node.time.pass(50);
  const asked = node.sent(1).filter(({ kind }) => kind === "snapshotRequest").length;
  return { asked, dropped: node.replica.core.dropped() };
}

test("a snapshot that a leader wants installed is asked for", () => {
  expect(requestsFor(SOUND).asked).toBeGreaterThan(0);
});

test.each([
  ["is for a former life of this node", "stale-incarnation", { toIncarnation: 3 }],
  ["is of a former life of its sender", "stale-incarnation", { fromIncarnation: 0 }],
  ["is for another node", "misaddressed", { to: 3 }],
  ["is of a term before its own", "malformed", { term: 5 }],
] as const)("one that %s is not: it is dropped, and counted", (_which, reason, change) => {
  const { asked, dropped } = requestsFor({ ...SOUND, ...change });
  expect(asked).toBe(0);
  expect(dropped).toMatchObject({ [reason]: 1 });
});
