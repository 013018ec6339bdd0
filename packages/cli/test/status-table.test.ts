// Goal: whoever upgrades a cluster sees which rules each group goes by, and what holds them back.
// Method: what nodes say of themselves, as lines.

import { NodeStatus } from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import type { NodeLook } from "../src/cluster-look.ts";
import { rulesLines, statusObject } from "../src/status-table.ts";

/** @param known - By its program; none: it is down. */
function look(group: string, nodeId: number, [inForce, known]: readonly number[]): NodeLook {
  const rules = { rulesVersion: inForce ?? 0, knownRulesVersion: known ?? 0 };
  const status =
    known === undefined ? undefined : NodeStatus.decode(NodeStatus.encode(rules).finish());
  return { group, groupId: 1, nodeId, address: "a:1", membership: "voter", lag: 0, status };
}

test("nothing is said of groups whose nodes know what is in force, and no more", () => {
  expect(rulesLines([look("a", 1, [1, 1]), look("a", 2, [1, 1]), look("a", 3, [])])).toEqual([]);
});

test("a group whose nodes know other rules has a line, whoever has applied them by now", () => {
  const looks = [
    look("a", 1, [1, 2]),
    look("a", 2, []),
    look("b", 3, [1, 2]),
    look("b", 4, [2, 2]),
  ];

  expect(rulesLines(looks)).toEqual(["a: rules 1 are in force; known: node 1 2"]);
});

test("programs read both of every node", () => {
  expect(statusObject(look("a", 1, [1, 2]))).toMatchObject({
    rulesVersion: 1,
    knownRulesVersion: 2,
  });
});
