// Goal: what a process tells of its end says all that is behind it; and whether one of its own
//   assertions failed, as that is what no fault explains.

import { InvariantViolation } from "@quorumlog/std";
import { expect, test } from "vitest";
import { describeReport, isBrokenInvariant, reportOf } from "../src/process/error-report.ts";

test("a broken invariant is told, also behind another error", () => {
  const broken = new InvariantViolation("an entry is committed once");
  const behind = new Error("the replica has stopped", { cause: broken });

  const reports = [broken, behind, new Error("no room"), "a text"].map((error) => reportOf(error));

  expect(reports.map((report) => isBrokenInvariant(report))).toEqual([true, true, false, false]);
  expect(reports.map((report) => describeReport(report))).toEqual([
    "InvariantViolation: an entry is committed once",
    "Error: the replica has stopped <- InvariantViolation: an entry is committed once",
    "Error: no room",
    "Error: a text",
  ]);
});

test("what an error says of a request and of a file is told", () => {
  const fields = {
    code: "CORRUPT",
    outcome: "not-applied",
    leaderId: 2,
    file: "/a/segment",
    offset: 96,
  };
  const error = Object.assign(new RangeError("it is torn"), fields);

  expect(reportOf(error)).toMatchObject({ ...fields, name: "RangeError", message: "it is torn" });
  expect(describeReport(reportOf(error))).toBe("RangeError CORRUPT: it is torn");
});
