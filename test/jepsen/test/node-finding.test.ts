// Goal: of a node that ended by itself it is told whether one of its own assertions failed, or its
// disk is not what it may have left. A call to the disk that failed is neither.

import { expect, test } from "vitest";
import { findingOf } from "../src/cluster/node-finding.ts";

test("it may be behind another error", () => {
  const broken = { name: "InvariantViolation", message: "an entry is committed once" };
  const cut = { name: "SnapshotError", code: "SNAPSHOT_CORRUPT", message: "it is cut short" };
  const failed = { name: "LogError", code: "LOG_FAILED", message: "a sync failed" };
  const behind = (cause: typeof broken): Parameters<typeof findingOf>[0] => {
    return { name: "ReplicaError", code: "FAILED", message: "it is not opened", cause };
  };

  const missing = { name: "ReplicaError", code: "FAILED", message: "a snapshot is missing" };
  const ends = [broken, behind(broken), cut, behind(cut), missing, failed, behind(failed)];

  const findings = ends.map((end) => findingOf(end));
  expect(findings.slice(0, 2)).toEqual(["broken-invariant", "broken-invariant"]);
  expect(findings.slice(2, 5)).toEqual(["unsound-disk", "unsound-disk", "unsound-disk"]);
  expect(findings.slice(5)).toEqual([undefined, undefined]);
});
