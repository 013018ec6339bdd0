// Goal: a node that runs mends what is damaged of its log, whoever meets it: the scrub, a reader, a
// follower that needs it, the state that is to be applied. Method: whole clusters in memory; files
// of sealed segments are damaged under their nodes.

import { LogError } from "@quorumlog/log";
import { describe, expect, test } from "vitest";
import {
  type DamagedCluster,
  demandAll,
  demandEqual,
  fill,
  filledCluster,
  flip,
  recordOf,
  second,
  segmentsOf,
  SMALL,
} from "./kit/damage.ts";

const SCRUB = { scrubBytesPerSecond: 64 * 1024 * 1024, scrubEveryMs: 200 };
const NO_SCRUB = { scrubBytesPerSecond: 0 };

function typesOf({ events }: DamagedCluster, nodeId: number): string[] {
  return events.filter((each) => each.nodeId === nodeId).map(({ event }) => event.type);
}

async function repaired(filled: DamagedCluster, nodeId: number, count: number): Promise<void> {
  await expect
    .poll(() => filled.cluster.log(nodeId).status().logCondition.damagesRepaired, {
      timeout: 10_000,
    })
    .toBe(count);
}

function canRead({ cluster, count }: DamagedCluster, nodeId: number): boolean {
  try {
    demandAll(cluster.log(nodeId), count);
    return true;
  } catch (error) {
    if (error instanceof LogError && error.code === "LOG_CORRUPT") return false;
    throw error;
  }
}

describe("damage that nobody has met", () => {
  test("is found by the scrub, and repaired", async () => {
    await using filled = await filledCluster({ tuning: { ...SMALL, ...SCRUB } });
    const { cluster } = filled;
    for (const nodeId of [1, 2, 3])
      flip(cluster, nodeId, segmentsOf(cluster, nodeId)[nodeId] as string);

    await Promise.all([1, 2, 3].map((nodeId) => repaired(filled, nodeId, 1)));

    await fill(filled, 20);
    await demandEqual(filled);
    expect(cluster.log(1).status().logCondition).toMatchObject({ damagesFound: 1 });
    await expect.poll(() => cluster.log(1).status().logCondition.scrubbedAt).toBeTypeOf("number");
  });

  test("is told of, and left alone, without the option", async () => {
    const tuning = { ...SMALL, ...SCRUB };
    await using filled = await filledCluster({ tuning, recoverFromPeers: false });
    const { cluster } = filled;
    flip(cluster, 1, second(segmentsOf(cluster, 1)));
    await expect.poll(() => typesOf(filled, 1)).toContain("logDamaged");
    await fill(filled, 20);
    expect(cluster.log(1).status().logCondition).toMatchObject({
      damagesFound: 1,
      damagesRepaired: 0,
    });
  });
});

describe("a reader", () => {
  test("is told that it is being repaired, and can read it then", async () => {
    await using filled = await filledCluster({ tuning: { ...SMALL, ...NO_SCRUB } });
    const { cluster, count } = filled;
    const log = cluster.log(1);
    flip(cluster, 1, second(segmentsOf(cluster, 1)));

    let error: unknown;
    try {
      demandAll(log, count);
    } catch (thrown) {
      error = thrown;
    }

    expect(error).toBeInstanceOf(LogError);
    expect(error).toMatchObject({ code: "LOG_CORRUPT" });
    expect((error as Error).message).toContain("is being repaired");
    // What is sound goes on being read.
    expect(log.read(0).records.length).toBeGreaterThan(0);
    await repaired(filled, 1, 1);
    demandAll(log, count);
  });

  test("that tails waits for it", async () => {
    await using filled = await filledCluster({ tuning: { ...SMALL, ...NO_SCRUB } });
    const { cluster, count } = filled;
    flip(cluster, 1, second(segmentsOf(cluster, 1)));
    let next = 0;
    for await (const { offset, data } of cluster.log(1).tail(0)) {
      expect(offset).toBe(next);
      expect(Buffer.compare(data, recordOf(offset))).toBe(0);
      next += 1;
      if (next === count) break;
    }
    expect(cluster.log(1).status().logCondition.damagesRepaired).toBe(1);
  });
});

test("a leader that cannot read what a follower needs has it repaired, and goes on", async () => {
  await using filled = await filledCluster({ tuning: { ...SMALL, ...NO_SCRUB } });
  const { cluster } = filled;
  const leader = await cluster.leader();
  const { nodeId } = leader.status();
  const behind = [1, 2, 3].find((id) => id !== nodeId) as number;
  await cluster.kill(behind);
  const before = segmentsOf(cluster, nodeId).length;
  await fill(filled, 400);
  const fresh = segmentsOf(cluster, nodeId).slice(before + 3);
  for (const path of fresh.slice(0, 2)) flip(cluster, nodeId, path);

  await cluster.restart(behind);

  await expect
    .poll(() => cluster.log(behind).status().nextOffset, { timeout: 10_000 })
    .toBe(filled.count);
  // If another one leads by now, nobody has met the damage but this reader.
  await expect.poll(() => canRead(filled, nodeId), { timeout: 10_000 }).toBe(true);
  await demandEqual(filled);
  await repaired(filled, nodeId, 2);
});

test("a node that has to apply what is damaged waits for the repair", async () => {
  await using filled = await filledCluster({ tuning: { ...SMALL, ...NO_SCRUB } });
  const { cluster } = filled;
  await cluster.kill(1);
  // Its state is older than that: all is applied again from here on.
  for (const path of segmentsOf(cluster, 1)) flip(cluster, 1, path);

  await cluster.restart(1);

  await fill(filled, 20);
  await demandEqual(filled);
  expect(typesOf(filled, 1)).toContain("logRepaired");
});

test("what is damaged on all nodes stays so, is said, and everything else goes on", async () => {
  await using filled = await filledCluster({ tuning: { ...SMALL, ...SCRUB } });
  const { cluster } = filled;
  for (const nodeId of [1, 2, 3])
    for (let at = 6_000; at < 60_000; at += 1_000)
      flip(cluster, nodeId, second(segmentsOf(cluster, nodeId)), at);

  await expect.poll(() => typesOf(filled, 1), { timeout: 15_000 }).toContain("logRepairFailed");

  await fill(filled, 20);
  const failed = filled.events.find(({ event }) => event.type === "logRepairFailed")?.event;
  const error = failed?.type === "logRepairFailed" ? failed.error : undefined;
  expect(error?.message).toContain("nobody has entry");
  expect(() => demandAll(cluster.log(1), filled.count)).toThrow(LogError);
}, 20_000);
