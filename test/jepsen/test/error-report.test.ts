// Goal: what a node tells of its end says whether one of its own assertions failed, as that is what
// no fault explains.

import { InvariantViolation } from "@quorumlog/std";
import { expect, test } from "vitest";
import { reportOf } from "../src/node/node-protocol.ts";

test("a broken invariant is told, also behind another error", () => {
  const broken = new InvariantViolation("an entry is committed once");
  const behind = new Error("the replica has stopped", { cause: broken });
  const reports = [broken, behind, new Error("no room"), "a text"].map((error) => reportOf(error));

  expect(reports.map((report) => report.isBrokenInvariant)).toEqual([true, true, false, false]);
  expect(reports[1]?.message).toBe("the replica has stopped <- an entry is committed once");
});
