// Goal: faults hit a live cluster, say whom, show that they bit, and leave it whole behind them.
// Method: a log on three nodes under load; those faults that take least time, one after the other.
// All others are seen to bite in `npm run jepsen`, which fails when one has not.

import { expect, onTestFinished, test } from "vitest";
import { TestCluster } from "../../src/cluster/test-cluster.ts";
import { compareReplicas } from "../../src/cluster/whole.ts";
import { allFaults } from "../../src/nemesis/all-faults.ts";
import { Nemesis, type NemesisEvent } from "../../src/nemesis/nemesis.ts";
import { loadOn } from "../kit/load.ts";

const FAULTS: ReadonlySet<string> = new Set([
  "kill-leader",
  "partition-leader",
  "transfer",
  "membership",
  "disk-full",
  "corruption",
  "failed-fsync",
  "slow-fsync",
  "power-loss-all",
  "vote-loss",
  "clock-jump",
]);
const PATIENCE_MS = 120_000;

test(
  "each fault hits somebody, bites, and is over; then all replicas are the same",
  { timeout: 2 * PATIENCE_MS },
  async () => {
    const cluster = await TestCluster.start({
      kind: "log",
      nodes: 3,
      spares: 1,
      disk: "unsynced",
      seed: 5,
    });
    onTestFinished(() => cluster.stop());
    const load = loadOn(cluster);
    const events: NemesisEvent[] = [];
    const nemesis = new Nemesis({
      cluster,
      faults: allFaults().filter(({ name }) => FAULTS.has(name)),
      seed: 5,
      order: "turns",
      holdMs: [200, 500],
      pauseMs: [20, 100],
      onEvent: (event) => events.push(event),
    });
    const running = nemesis.run();
    const allBit = cluster.until(
      "all faults have bitten",
      () => (nemesis.coverage().every(({ bites }) => bites > 0) ? true : undefined),
      PATIENCE_MS,
    );
    await Promise.race([allBit, running]);
    await nemesis.stop();
    const written = await load.stop();
    const { audits, differences } = await compareReplicas(cluster);

    expect(new Set(events.map(({ fault }) => fault))).toEqual(FAULTS);
    const ends = events.filter(({ type }) => type === "end");
    expect(ends.filter(({ words, evidence }) => words === "" || isEmpty(evidence))).toEqual([]);
    expect(events.length).toBe(2 * ends.length);
    expect(differences).toEqual([]);
    expect(audits.size).toBe(3);
    const snapshots = [...audits.values()].map((audit) => Object.keys(audit.snapshots));
    const common = snapshots[0]?.filter((name) => snapshots.every((own) => own.includes(name)));
    expect(common).not.toEqual([]);
    for (const { nextOffset } of audits.values())
      expect(nextOffset).toBeGreaterThanOrEqual(written);
    expect(cluster.unexpectedEnds).toEqual([]);
  },
);

function isEmpty(evidence: object): boolean {
  return Object.keys(evidence).length === 0;
}
