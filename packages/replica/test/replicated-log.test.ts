// Goal: the log does what its docstrings say, on a cluster of real replicas in memory.
import { describe, expect, test } from "vitest";
import { type ReplicatedLog } from "../src/index.ts";
import { bytes, failure, start, tenRecords, texts } from "./kit/clusters.ts";

describe("append", () => {
  test("gives dense offsets, whatever came in one call", async () => {
    const cluster = await start();
    const leader = await cluster.leader();

    const acks = await Promise.all([
      leader.append(bytes("a")),
      leader.append([bytes("b"), bytes("c")]),
      leader.append(bytes("")),
    ]);

    expect(acks.map(({ offset, count }) => ({ offset, count }))).toEqual([
      { offset: 0, count: 1 },
      { offset: 1, count: 2 },
      { offset: 3, count: 1 },
    ]);
    expect(new Set(acks.map(({ index }) => index)).size).toBe(1);
    expect(texts(leader, 0)).toEqual(["a", "b", "c", ""]);
  });

  test("is refused by a follower, which names the leader", async () => {
    const cluster = await start();
    const leaderId = (await cluster.leader()).status().nodeId;
    const follower = cluster.logs.find((log) => log.status().nodeId !== leaderId);

    const error = await failure((follower as ReplicatedLog).append(bytes("a")));

    expect(error).toMatchObject({ code: "NOT_LEADER", outcome: "not-applied", leaderId });
  });

  test("with an expected offset is applied only there", async () => {
    const { leader } = await tenRecords();

    const error = await failure(leader.append(bytes("x"), { expectedOffset: 9 }));
    const ack = await leader.append(bytes("y"), { expectedOffset: 10 });

    expect(error).toMatchObject({
      code: "OFFSET_MISMATCH",
      outcome: "not-applied",
      nextOffset: 10,
    });
    expect(ack.offset).toBe(10);
  });

  test("of less durability says what was reached, and no offset", async () => {
    const { leader } = await tenRecords();

    const acks = await Promise.all([
      leader.append(bytes("x"), { durability: "async" }),
      leader.append(bytes("y"), { durability: "leader" }),
    ]);

    expect(acks.map(({ durability, offset }) => ({ durability, offset }))).toEqual([
      { durability: "async", offset: undefined },
      { durability: "leader", offset: undefined },
    ]);
  });

  test("without a majority is over in time, and may yet happen", async () => {
    const { cluster, leader } = await tenRecords();
    const { nodeId } = leader.status();
    for (const log of cluster.logs)
      if (log.status().nodeId !== nodeId) await cluster.kill(log.status().nodeId);

    const error = await failure(leader.append(bytes("x"), { timeoutMs: 50 }));

    expect(error).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
  });

  test("is given up when its signal says so", async () => {
    const { leader } = await tenRecords();
    const controller = new AbortController();
    const promise = leader.append(bytes("x"), { signal: controller.signal });

    controller.abort();

    expect(await failure(promise)).toMatchObject({ code: "ABORTED" });
    await expect(leader.append(bytes("y"), { signal: controller.signal })).rejects.toThrow();
  });

  test.each([
    ["no bytes at all", [], {}, /data/u],
    ["something else than bytes", ["text"], {}, /data: .*Uint8Array/u],
    ["more than a call may have", [Buffer.alloc(300_000)], {}, /callBytesMax/u],
    ["an offset that is none", [Buffer.of(1)], { expectedOffset: -2 }, /expectedOffset/u],
    ["no time", [Buffer.of(1)], { timeoutMs: 0 }, /timeoutMs/u],
    ["no signal", [Buffer.of(1)], { signal: {} as AbortSignal }, /signal/u],
    ["more time than a timer takes", [Buffer.of(1)], { timeoutMs: 2 ** 31 }, /timeoutMs/u],
  ])("of %s is refused, and says why", async (_name, data, options, message) => {
    const { leader } = await tenRecords();

    const error = await failure(leader.append(data as Uint8Array[], options));

    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "not-applied" });
    expect(error.message).toMatch(message);
  });
});

test("a list that is used again at once is not the log's", async () => {
  const cluster = await start();
  const leader = await cluster.leader();
  const batch = [bytes("a"), bytes("b")];

  const first = leader.append(batch);
  batch.length = 0;
  batch.push(bytes("c"));
  const second = leader.append(batch);
  batch.push(bytes("d"));
  await Promise.all([first, second]);

  expect(texts(leader, 0)).toEqual(["a", "b", "c"]);
});

test.each([
  ["durability", (log: ReplicatedLog) => log.append(bytes("x"), { durability: "all" as never })],
  ["signal", (log: ReplicatedLog) => log.append(bytes("x"), { signal: 5 as never })],
  ["signal", (log: ReplicatedLog) => log.readBarrier({ signal: {} as never })],
  ["sessionId", (log: ReplicatedLog) => log.session("a" as never, 1).append(bytes("x"))],
  ["sessionId", (log: ReplicatedLog) => log.session(0, 1).append(bytes("x"))],
  ["sequence", (log: ReplicatedLog) => log.session(1, 0).append(bytes("x"))],
])("a %s that is none is refused before anything is sent", async (name, call) => {
  const { leader } = await tenRecords();

  const error = await failure(Promise.resolve().then((): unknown => call(leader)));
  await leader.append(bytes("next"));

  expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "not-applied" });
  expect(error.message).toContain(`${name}: `);
  expect(texts(leader, 10)).toEqual(["next"]);
});

test("what was called before close is carried out, and nothing after it", async () => {
  const { cluster, leader } = await tenRecords();
  const before = [leader.append(bytes("a")), leader.append(bytes("b"))];

  const closing = leader.close();
  const after = await failure(leader.append(bytes("c")));
  const offsets = (await Promise.all(before)).map(({ offset }) => offset);
  await closing;

  expect(after).toMatchObject({ code: "CLOSED", outcome: "not-applied" });
  expect(offsets).toEqual([10, 11]);
  const other = cluster.logs.find((log) => log !== leader) as ReplicatedLog;
  await other.readBarrier();
  expect(texts(other, 10)).toEqual(["a", "b"]);
});

describe("a session", () => {
  test("stores a repeated append once, also through another leader", async () => {
    const { cluster, leader } = await tenRecords();
    const session = await leader.openSession();
    const first = await session.append(bytes("once"));
    await cluster.kill(leader.status().nodeId);
    const next = await cluster.leader();

    const again = await next.session(session.sessionId, 2).append(bytes("once"), { sequence: 1 });

    expect(again).toMatchObject({ offset: first.offset, isDuplicate: true });
    expect(texts(next, 10)).toEqual(["once"]);
  });

  test("refuses a number that leaves one out, and is over once it is closed", async () => {
    const { leader } = await tenRecords();
    const session = await leader.openSession();

    const gap = await failure(session.append(bytes("x"), { sequence: 2 }));
    await session.close();
    const closed = await failure(session.append(bytes("x")));

    expect([gap.code, closed.code]).toEqual(["SEQUENCE_GAP", "SESSION_EXPIRED"]);
  });

  test("uses a number again that was not applied", async () => {
    const { cluster, leader } = await tenRecords();
    const session = await leader.openSession();
    const refusals = await Promise.all([
      failure(session.append("text" as unknown as Uint8Array)),
      failure(session.append([])),
    ]);

    const ack = await session.append(bytes("x"));

    expect(refusals.map(({ code }) => code)).toEqual(["INVALID_ARGUMENT", "INVALID_ARGUMENT"]);
    expect({ offset: ack.offset, next: session.nextSequence }).toEqual({ offset: 10, next: 2 });
    expect(cluster.logs).toHaveLength(3);
  });

  test("needs a quorum", async () => {
    const { leader } = await tenRecords();
    const session = await leader.openSession();

    const error = await failure(session.append(bytes("x"), { durability: "async" }));

    expect(error.message).toMatch(/durability/u);
  });
});

describe("reading", () => {
  test("begins anywhere, and ends at what was asked for", async () => {
    const { leader } = await tenRecords();

    const { records, nextOffset } = leader.read(3, { maxBytes: 17 });

    expect(records.map(({ offset }) => offset)).toEqual([3, 4, 5]);
    expect(nextOffset).toBe(6);
    expect(leader.read(10)).toEqual({ records: [], nextOffset: 10 });
  });

  test("in small steps gives every record once", async () => {
    const cluster = await start({ nodes: 1 });
    const leader = await cluster.leader();
    const all = Array.from({ length: 300 }, (_, i) => `record ${i}`);
    for (let i = 0; i < all.length; i += 30)
      await Promise.all([
        leader.append(all.slice(i, i + 10).map(bytes)),
        leader.append(all.slice(i + 10, i + 30).map(bytes)),
      ]);

    const found: string[] = [];
    for (let from = 0; from < all.length; from = leader.read(from, { maxBytes: 25 }).nextOffset)
      found.push(...texts(leader, from, 25));

    expect(found).toEqual(all);
    expect(leader.read(137, { maxBytes: 1 }).records[0]?.offset).toBe(137);
  });

  test("passes over what was refused when it was applied", async () => {
    const { leader } = await tenRecords();
    const session = await leader.openSession();
    await session.append(bytes("once"));

    await Promise.allSettled([
      session.append(bytes("once"), { sequence: 1 }),
      leader.append(bytes("a")),
      leader.append(bytes("no"), { expectedOffset: 99 }),
      leader.append(bytes("b"), { expectedOffset: 12 }),
      leader.append(bytes("c")),
    ]);

    expect(texts(leader, 9)).toEqual(["record 9", "once", "a", "b", "c"]);
    expect(texts(leader, 13)).toEqual(["c"]);
  });

  test("of a stranger's offsets is refused", async () => {
    const { leader } = await tenRecords();

    expect(() => leader.read(11)).toThrow(expect.objectContaining({ code: "BEYOND_END" }));
    expect(() => leader.read(-1)).toThrow(/from/u);
    expect(() => leader.read(0, { maxBytes: 0 })).toThrow(/maxBytes/u);
  });

  test("behind a barrier sees what was acknowledged, on every node", async () => {
    const { cluster } = await tenRecords();

    const counts = await Promise.all(
      cluster.logs.map(async (log) => {
        await log.readBarrier();
        return log.read(0).records.length;
      }),
    );

    expect(counts).toEqual([10, 10, 10]);
  });

  test("behind a barrier needs a majority", async () => {
    const { cluster, leader } = await tenRecords();
    for (const log of cluster.logs) if (log !== leader) await cluster.kill(log.status().nodeId);

    const error = await failure(leader.readBarrier({ timeoutMs: 50 }));

    expect(error.outcome).toBe("not-applied");
    expect(leader.read(0).records).toHaveLength(10);
  });

  test("on and on waits for more, and ends with its signal", async () => {
    const { leader } = await tenRecords();
    const controller = new AbortController();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { offset } of leader.tail(8, { signal: controller.signal })) {
        seen.push(offset);
        if (offset === 11) controller.abort();
      }
    })();

    await leader.append(bytes("more"));
    await leader.append(bytes("and more"));

    expect((await failure(reading)).code).toBe("ABORTED");
    expect(seen).toEqual([8, 9, 10, 11]);
  });
});

describe("trimming", () => {
  test("forgets what is before, on every node", async () => {
    const { cluster, leader } = await tenRecords();

    await leader.trim(4);

    for (const log of cluster.logs) {
      await log.readBarrier();
      expect(log.status().firstOffset).toBe(4);
      expect(() => log.read(3)).toThrow(expect.objectContaining({ code: "TRIMMED" }));
      expect(log.read(4).records[0]?.offset).toBe(4);
    }
  });

  test("by retention keeps the newest bytes, and frees the others on every node", async () => {
    const tuning = { segmentBytes: 65_536, snapshotEveryBytes: 65_536 };
    const cluster = await start({ tuning, retention: { bytes: 200_000 } });
    const leader = await cluster.leader();

    for (let i = 0; i < 100; i++) await leader.append(Buffer.alloc(10_000, i));
    await Promise.all(cluster.logs.map((log) => log.readBarrier()));
    // The last trim follows the last append, and the others hear of it after that.
    const offsets = (): Set<number> => {
      return new Set(cluster.logs.map((log) => log.status().firstOffset));
    };
    for (let i = 0; i < 500 && offsets().size > 1; i++)
      await new Promise((resolve) => setTimeout(resolve, 10));

    const first = leader.status().firstOffset;
    expect(first).toBeGreaterThan(60);
    expect(first).toBeLessThan(81);
    for (const log of cluster.logs) {
      // Where each log begins on its disk depends on the snapshots that it has by now.
      expect(log.status().firstOffset).toBe(first);
      expect(log.status().firstIndex).toBeGreaterThan(2);
      expect(log.status().logBytes).toBeLessThan(700_000);
      expect(log.read(first, { maxBytes: 2_000_000 }).records).toHaveLength(100 - first);
    }
  });
});
