// Goal: a node that comes, goes, or gives leadership away loses nothing, and says what it did.
// Method: a cluster of real replicas in memory.
import { describe, expect, test } from "vitest";
import { type ReplicaEvent, type ReplicatedLog } from "../src/index.ts";
import { bytes, failure, start, tenRecords, texts } from "./kit/clusters.ts";

describe("a node", () => {
  test("that was killed comes back with all it had, and gets what it missed", async () => {
    const { cluster, leader } = await tenRecords();
    await cluster.kill(leader.status().nodeId);
    await (await cluster.leader()).append(bytes("missed"));

    const back = await cluster.restart(leader.status().nodeId);
    await back.readBarrier();

    expect(texts(back, 9)).toEqual(["record 9", "missed"]);
  });

  test("that is behind all that is kept gets a snapshot, and the log after it", async () => {
    const events: ReplicaEvent[] = [];
    const cluster = await start({
      tuning: { segmentBytes: 65_536, snapshotEveryBytes: 65_536 },
      retention: { bytes: 100_000 },
      onEvent: (_, event) => events.push(event),
    });
    const leader = await cluster.leader();
    const late = cluster.logs.find((log) => log !== leader)?.status().nodeId as number;
    const session = await leader.openSession();
    await session.append(bytes("in a session"));
    await cluster.kill(late);
    for (let i = 0; i < 100; i++) await leader.append(Buffer.alloc(5_000, i));
    // For a while after it was heard last, what it needs next is kept for it.
    for (let i = 0; i < 500 && leader.status().firstOffset === 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 20));

    const back = await cluster.restart(late);
    await back.readBarrier();

    const { firstOffset, nextOffset } = leader.status();
    expect(events.map(({ type }) => type)).toContain("snapshotInstalled");
    expect(firstOffset).toBeGreaterThan(0);
    expect(back.status()).toMatchObject({ firstOffset, nextOffset });
    const all = { maxBytes: 10_000_000 };
    expect(back.read(firstOffset, all)).toEqual(leader.read(firstOffset, all));
  });

  test("that stops hands over first: nobody waits for an election", async () => {
    const events: ReplicaEvent[] = [];
    const { cluster, leader } = await tenRecords({ onEvent: (_, event) => events.push(event) });
    const leaving = leader.status().nodeId;
    events.length = 0;

    await leader.close();
    const others = cluster.logs.filter((log) => log !== leader);
    const ids = await Promise.all(others.map((log) => log.leader()));

    expect(ids).not.toContain(leaving);
    const next = others.find((log) => log.status().nodeId === ids[0]) as ReplicatedLog;
    expect((await next.append(bytes("x"))).offset).toBe(10);
    const roles = events.map((event) => (event.type === "role" ? event.role : ""));
    expect(roles).not.toContain("preCandidate");
  });

  test("that is closed refuses everything, and says so", async () => {
    const { leader } = await tenRecords();
    const pending = failure(leader.append(bytes("x"), { timeoutMs: 60_000 }));

    await leader.close({ handOver: false });
    await leader.close();

    expect((await pending).code).toBe("CLOSED");
    expect((await failure(leader.append(bytes("x")))).code).toBe("CLOSED");
    expect((await failure(leader.readBarrier())).code).toBe("CLOSED");
    expect(() => leader.read(0)).toThrow(/closed/u);
  });

  test("that is closed changes no membership, and says so at once", async () => {
    const { cluster, leader } = await tenRecords();
    await leader.close({ handOver: false });

    const errors = await Promise.all([
      failure(leader.remove(2)),
      failure(leader.promote(2)),
      failure(leader.leader()),
    ]);

    expect(errors.map(({ code }) => code)).toEqual(["CLOSED", "CLOSED", "CLOSED"]);
    expect(cluster.logs).toContain(leader);
  });

  test("goes on when whoever listens throws, and the process hears of that", async () => {
    const thrown: unknown[] = [];
    const onThrown = (error: unknown): void => {
      thrown.push(error);
    };
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", onThrown);
    try {
      const { leader } = await tenRecords({
        onEvent: (_, { type }) => {
          if (type === "leader") throw new Error("a bug of the listener");
        },
      });

      expect(leader.status().nextOffset).toBe(10);
      expect(thrown.length).toBeGreaterThan(0);
    } finally {
      process.off("uncaughtException", onThrown);
      for (const listener of before) process.on("uncaughtException", listener);
    }
  });

  test("keeps leadership when it is told to move it and not to", async () => {
    const { leader } = await tenRecords();
    const { nodeId } = leader.status();
    const heir = nodeId === 1 ? 2 : 1;

    const called = await failure(leader.transferLeadership(heir, { signal: AbortSignal.abort() }));
    const hurried = await failure(leader.transferLeadership(heir, { timeoutMs: 0 }));
    await leader.readBarrier();

    expect([called.code, hurried.code]).toEqual(["ABORTED", "INVALID_ARGUMENT"]);
    expect(leader.status().role).toBe("leader");
  });

  test("does not know whether leadership moves when it stops waiting for that", async () => {
    const { leader } = await tenRecords();
    const { nodeId } = leader.status();
    const controller = new AbortController();

    const { signal } = controller;
    const move = failure(leader.transferLeadership(nodeId === 1 ? 2 : 1, { signal }));
    controller.abort();

    expect(await move).toMatchObject({ code: "ABORTED", outcome: "unknown" });
  });

  test("gives leadership to whom it is told", async () => {
    const { cluster, leader } = await tenRecords();
    const heir = cluster.logs.find((log) => log !== leader) as ReplicatedLog;

    await leader.transferLeadership(heir.status().nodeId);

    expect((await cluster.leader()).status().nodeId).toBe(heir.status().nodeId);
  });

  test("says why it is not given to a node", async () => {
    const { cluster, leader } = await tenRecords();
    const others = cluster.logs.filter((log) => log !== leader);

    const stranger = await failure(leader.transferLeadership(99));
    expect(stranger.code).toBe("MEMBERSHIP_REFUSED");
    expect(stranger.message).toBe("node 99 is no member of this group, whose voters are 1, 2, 3");

    await leader.close({ handOver: false });
    const [left, gone] = others as [ReplicatedLog, ReplicatedLog];
    await gone.close({ handOver: false });
    await expect.poll(() => left.status().leaderId).toBeUndefined();
    const alone = await failure(left.transferLeadership(left.status().nodeId));
    expect(alone.code).toBe("MEMBERSHIP_REFUSED");
    expect(alone.message).toContain("nobody leads who could hand over");
  });
});
