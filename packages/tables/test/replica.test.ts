// Goal: a replica with a checkpoint is one like all others, and is there again sooner.
// Method: whole nodes in this process, on real disks; what they hold is compared with a model, and
// with each other.

import { LogError } from "@quorumlog/log";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { textCodec } from "../src/index.ts";
import { modelAt } from "./kit/counting-machine.ts";
import { FailingOpen } from "./kit/failing-open.ts";
import { eventually, executeMany, type TableNode, TableNodes } from "./kit/table-nodes.ts";

function expectModel({ machine }: TableNode, count: number): void {
  expect(machine.count).toBe(count);
  expect(machine.rows()).toEqual(modelAt(count));
}

/** Disks that others use, too, may be slow. */
const PATIENT = { timeout: 60_000 };

describe("one node", PATIENT, () => {
  test("that was closed has nothing to apply again", async () => {
    const nodes = new TableNodes([1]);
    const first = await nodes.open(1, "lmdb");
    await first.group.leader();
    await executeMany(first, 500);
    await first.kill();

    const second = await nodes.open(1, "lmdb");
    await second.group.readBarrier();

    expectModel(second, 500);
    expect(second.machine.appliedCount).toBe(0);
  });

  test("remembers sessions from before", async () => {
    const nodes = new TableNodes([1]);
    const first = await nodes.open(1, "lmdb");
    await first.group.leader();
    const { sessionId } = await first.group.openSession();
    const session = { sessionId, sequence: 1 };
    const answer = await first.group.execute(Buffer.from("once"), { session });
    await first.kill();

    const second = await nodes.open(1, "lmdb");
    await second.group.leader();
    const again = await second.group.execute(Buffer.from("once"), { session });

    expect(Buffer.from(again).toString()).toBe(Buffer.from(answer).toString());
    expectModel(second, 1);
  });

  test("with files that are behind starts from before, and keeps what that gives", async () => {
    const nodes = new TableNodes([1], { snapshotEveryBytes: 65_536 });
    const first = await nodes.open(1, "lmdb", { coveredOffset: 0 });
    await first.group.leader();
    await executeMany(first, 500);
    await first.group.snapshot();
    await executeMany(first, 100);
    await first.kill();

    const second = await nodes.open(1, "lmdb", { coveredOffset: 499 });
    await second.group.leader();
    await second.group.readBarrier();
    const from = second.machine.asked.at(-1) ?? 600;
    expect(second.machine.asked[0]).toBe(600);
    expect(from).toBeLessThan(500);
    expectModel(second, 600);
    expect(second.machine.appliedCount).toBe(600 - from);
    await executeMany(second, 10);
    await second.kill();

    const third = await nodes.open(1, "lmdb", { coveredOffset: 610 });
    await third.group.leader();
    expect(third.machine.asked).toEqual([610]);
    expect(third.machine.appliedCount).toBe(0);
    expectModel(third, 610);
  });

  test("with files that are lost applies each record once more", async () => {
    const nodes = new TableNodes([1]);
    const first = await nodes.open(1, "lmdb", { coveredOffset: 0 });
    await first.group.leader();
    await executeMany(first, 300);
    await first.kill();

    const second = await nodes.open(1, "lmdb", { coveredOffset: -1 });
    await second.group.leader();
    await second.group.readBarrier();

    expect(second.machine.asked).toEqual([300, 0]);
    expect(second.machine.appliedCount).toBe(300);
    expectModel(second, 300);
  });

  test("may come with the other kind of tables, and back again", async () => {
    const nodes = new TableNodes([1]);
    for (const [i, kind] of (["lmdb", "memory", "lmdb", "memory"] as const).entries()) {
      const node = await nodes.open(1, kind);
      await node.group.leader();
      await node.group.readBarrier();
      expectModel(node, i * 100);
      await executeMany(node, 100);
      await node.kill();
    }
  });

  test("of a version with another table reads the state, and the former one does", async () => {
    for (const kind of ["lmdb", "memory"] as const) {
      const nodes = new TableNodes([1]);
      for (const [i, moreTables] of [[], ["added"], []].entries()) {
        const node = await nodes.open(1, kind, { moreTables });
        await node.group.leader();
        await node.group.readBarrier();
        expect(node.machine.rows()).toEqual(modelAt(200 * i));
        await executeMany(node, 200);
        await node.group.snapshot();
        await eventually(() => nodes.snapshots(1).size > 0);
        await node.kill();
      }
    }
  });

  test("refuses a state with rows of a table that it lacks, and leaves it as it was", async () => {
    for (const kind of ["lmdb", "memory"] as const) {
      const nodes = new TableNodes([1]);
      const added = { moreTables: ["added"] };
      const first = await nodes.open(1, kind, added);
      await first.group.leader();
      first.tables.table("added", textCodec).set("key", "value");
      await executeMany(first, 200);
      await first.group.snapshot();
      await eventually(() => nodes.snapshots(1).size > 0);
      await first.kill();

      await expect(nodes.open(1, kind)).rejects.toMatchObject({
        code: "STATE_VERSION",
        message: expect.stringContaining('this version has ["counts","rows"]') as string,
      });

      // Its log is closed a moment after the refusal.
      const open = (): ReturnType<TableNodes["open"]> => nodes.open(1, kind, added);
      const { group, machine } = await vi.waitFor(open, { timeout: 20_000 });
      await group.leader();
      await group.readBarrier();
      expect(machine.rows()).toEqual(modelAt(200));
    }
  });

  test("stops when a commit fails, and says why; what it acknowledged is there", async () => {
    const nodes = new TableNodes([1]);
    const failing = new FailingOpen(4);
    const first = await nodes.open(1, "lmdb", { openEnvironment: failing.open });
    await first.group.leader();
    let count = 0;
    const endless = async (): Promise<void> => {
      for (;;) {
        await executeMany(first, 50);
        count += 50;
      }
    };

    await expect(endless()).rejects.toMatchObject({ code: "FAILED" });

    const errors = first.events.flatMap((event) => (event.type === "failed" ? [event.error] : []));
    expect(errors).toMatchObject([{ code: "CHECKPOINT_FAILED" }]);
    expect(failing.batchCount).toBe(4);
    await first.kill();
    const second = await nodes.open(1, "lmdb");
    await second.group.leader();
    await second.group.readBarrier();
    expect(second.machine.count).toBeGreaterThanOrEqual(count);
    expectModel(second, second.machine.count);
  });

  test("does not keep what was half applied as its state machine failed", async () => {
    const nodes = new TableNodes([1]);
    const first = await nodes.open(1, "lmdb");
    await first.group.leader();
    await executeMany(first, 50);
    first.machine.failAt(70);
    await expect(executeMany(first, 50)).rejects.toMatchObject({ code: "FAILED" });
    expect(first.machine.count).toBe(70);
    await first.kill();

    const second = await nodes.open(1, "lmdb");
    await second.group.leader();
    await second.group.readBarrier();

    expectModel(second, 100);
  });

  test("is refused while another one has its directory", async () => {
    const nodes = new TableNodes([1]);
    const first = await nodes.open(1, "lmdb");
    await first.group.leader();
    const other = new TableNodes([1]);
    other.directory = () => first.directory;

    await expect(other.open(1, "lmdb")).rejects.toThrow(LogError);

    expect(existsSync(join(first.directory, "group-0", "tables.damaged"))).toBe(false);
    await executeMany(first, 10);
  });
});

describe("three nodes, of which one has tables in memory", PATIENT, () => {
  const tuning = { snapshotEveryBytes: 65_536 };

  async function opened(): Promise<{ nodes: TableNodes; all: TableNode[]; leader: TableNode }> {
    const nodes = new TableNodes([1, 2, 3], tuning);
    const all = await Promise.all([
      nodes.open(1, "lmdb"),
      nodes.open(2, "memory"),
      nodes.open(3, "lmdb"),
    ]);
    const leaderId = await all[0].group.leader();
    return { nodes, all, leader: all[leaderId - 1] as TableNode };
  }

  test("write snapshots that are equal byte for byte", async () => {
    const { nodes, all, leader } = await opened();
    await executeMany(leader, 300);
    await leader.group.snapshot();
    const name = (): string | undefined => [...nodes.snapshots(1).keys()].at(-1);
    await eventually(() => [1, 2, 3].every((id) => nodes.snapshots(id).size > 0));
    await eventually(() => [2, 3].every((id) => nodes.snapshots(id).has(name() ?? "")));

    const [first, ...others] = [1, 2, 3].map((id) => nodes.snapshots(id).get(name() ?? ""));

    expect(first?.length).toBeGreaterThan(4_096);
    for (const other of others) expect(other?.equals(first as Buffer)).toBe(true);
    for (const node of all) {
      await node.group.readBarrier();
      expectModel(node, 300);
    }
  });

  test("give a late node a snapshot, which takes the place of what it had kept", async () => {
    const { nodes, all } = await opened();
    const late = all[2] as TableNode;
    const [first] = all as [TableNode];
    await first.group.transferLeadership(1);
    await executeMany(first, 100);
    await late.group.readBarrier();
    await late.kill();
    await executeMany(first, 2_000);
    await eventually(() => first.group.status().firstIndex > 20);

    const back = await nodes.open(3, "lmdb");
    await back.group.readBarrier();

    expectModel(back, 2_100);
    expect(back.events.some(({ type }) => type === "snapshotInstalled")).toBe(true);
    await back.kill();
    const again = await nodes.open(3, "lmdb");
    await again.group.readBarrier();
    expect([again.machine.appliedCount, again.machine.count]).toEqual([0, 2_100]);
  });

  test("have one wait whose checkpoint lags behind, and a snapshot may overtake it", async () => {
    const { nodes, all } = await opened();
    const [first, , late] = all as [TableNode, TableNode, TableNode];
    const { checkpoint } = late;
    if (checkpoint === undefined) throw new Error("it is in LMDB");
    await first.group.transferLeadership(1);
    await executeMany(first, 100);
    await late.group.readBarrier();
    checkpoint.lagBytes = 64 * 1024 * 1024;
    await executeMany(first, 200);
    await eventually(() => late.group.status().commitIndex > late.group.status().appliedIndex);
    expect(late.machine.count).toBe(100);

    nodes.isolate(3);
    await executeMany(first, 2_000);
    const { lastIndex } = late.group.status();
    await eventually(() => first.group.status().firstIndex > lastIndex + 1);
    nodes.heal();
    await eventually(() => late.events.some(({ type }) => type === "snapshotInstalled"));
    checkpoint.lagBytes = 0;
    await late.group.readBarrier();

    expectModel(late, 2_300);
  });

  test("refuse what another life of a disk has kept", async () => {
    const { nodes, all } = await opened();
    const lost = all[2] as TableNode;
    await executeMany(all[0] as TableNode, 10).catch(() => undefined);
    await lost.kill();
    rmSync(join(lost.directory, "node.json"));
    rmSync(join(lost.directory, "group-0", "log"), { recursive: true });

    await expect(nodes.open(3, "lmdb", { join: true })).rejects.toMatchObject({
      code: "CHECKPOINT_FOREIGN",
    });
  });
});
