// Goal: the log behind a state machine can be content of its own: it is read, trimmed and given to
// new nodes as that of a log is, while the machine applies it.
// Method: three real replicas in memory, with a machine that lists what it was given.

import { describe, expect, test } from "vitest";
import type { Machine, ReplicatedStateMachine } from "../src/index.ts";
import { failure } from "./kit/clusters.ts";
import { FiledMachine } from "./kit/filed-machine.ts";
import { type Listing, MachineCluster } from "./kit/machine-cluster.ts";

/** All that can be read, from the first offset on. */
function textsOf(group: ReplicatedStateMachine): string[] {
  const texts: string[] = [];
  let next = group.status().firstOffset;
  while (next < group.status().nextOffset) {
    const { records, nextOffset } = group.read(next);
    texts.push(...records.map(({ data }) => Buffer.from(data).toString()));
    next = nextOffset;
  }
  return texts;
}

function promising(listing: Listing): Machine {
  return Object.assign(listing, { covers: () => Promise.resolve(true) as never });
}

describe("a log that is kept", () => {
  test("is read on every node, from its first command on, however long it is", async () => {
    const cluster = await MachineCluster.start({ retention: "keep" });

    const texts = await cluster.fill(60);

    for (const { group, listing } of cluster.nodes) {
      await group.readBarrier();
      expect(group.status().firstOffset).toBe(0);
      expect(textsOf(group)).toEqual(texts);
      expect(listing.texts).toEqual(texts);
    }
  });

  test("is applied from the newest snapshot on after a restart, and read as a whole", async () => {
    const cluster = await MachineCluster.start({ retention: {} });
    const texts = await cluster.fill(60);
    const { nodeId } = await cluster.leader();
    await cluster.kill(nodeId);

    const { group, listing } = await cluster.open(nodeId);
    await group.readBarrier();

    expect(listing.texts).toEqual(texts);
    expect(listing.appliedCount).toBeLessThan(30);
    expect(textsOf(group)).toEqual(texts);
  });

  test("gives any one of its commands alone, wherever it is in an entry", async () => {
    const cluster = await MachineCluster.start({ retention: "keep" });
    const { group, nodeId } = await cluster.leader();
    const texts = Array.from({ length: 900 }, (_, i) => `${i} `.padEnd(200 + (i % 7), "x"));
    for (let i = 0; i < texts.length; i += 30)
      await group.executeAll(texts.slice(i, i + 30).map((text) => Buffer.from(text)));
    await cluster.kill(nodeId);
    const { group: reopened } = await cluster.open(nodeId);
    await reopened.readBarrier();

    const alone = texts.map((_text, i) => {
      const { records, nextOffset } = reopened.read((i * 7) % texts.length, { maxBytes: 1 });
      return [records.map(({ offset, data }) => `${offset}: ${String(data)}`), nextOffset];
    });

    expect(alone).toEqual(
      texts.map((_text, i) => {
        const offset = (i * 7) % texts.length;
        return [[`${offset}: ${texts[offset] ?? ""}`], offset + 1];
      }),
    );
  });

  test("is followed, and more of it waited for", async () => {
    const cluster = await MachineCluster.start({ retention: "keep" });
    const { group } = await cluster.leader();
    const seen: string[] = [];

    const reading = (async () => {
      for await (const { offset, data } of group.tail(0)) {
        seen.push(`${offset} ${Buffer.from(data).toString()}`);
        if (seen.length === 3) break;
      }
    })();
    await group.executeAll([Buffer.from("a"), Buffer.from("b")]);
    await group.execute(Buffer.from("c"));
    await reading;

    expect(seen).toEqual(["0 a", "1 b", "2 c"]);
  });
});

describe("a log with limits", () => {
  test("forgets what is beyond them, and the state keeps what followed from it", async () => {
    const cluster = await MachineCluster.start({ retention: { bytes: 131_072 } });

    const texts = await cluster.fill(120);

    const { group, listing } = await cluster.leader();
    await expect.poll(() => group.status().firstOffset).toBeGreaterThan(50);
    expect(group.status().nextOffset - group.status().firstOffset).toBeGreaterThan(30);
    expect(textsOf(group)).toEqual(texts.slice(group.status().firstOffset));
    expect(listing.texts).toEqual(texts);
    expect(() => group.read(0)).toThrow(expect.objectContaining({ code: "TRIMMED" }));
  });
});

describe("a trim", () => {
  test("forgets what is before it on every node, and frees no more than that", async () => {
    const cluster = await MachineCluster.start({ retention: "keep" });
    const texts = await cluster.fill(80);
    const { group } = await cluster.leader();

    await group.trim(50);

    for (const each of cluster.nodes) {
      await each.group.readBarrier();
      expect(each.group.status().firstOffset).toBe(50);
      expect(() => each.group.read(49)).toThrow(expect.objectContaining({ firstOffset: 50 }));
      expect(textsOf(each.group)).toEqual(texts.slice(50));
      await expect.poll(() => each.group.status().firstIndex).toBeGreaterThan(20);
    }
  });

  test("leaves a new node the snapshot where the log begins, and all of the log", async () => {
    const cluster = await MachineCluster.start({ retention: "keep" });
    const texts = await cluster.fill(80);
    const { group } = await cluster.leader();
    await group.trim(50);
    await expect.poll(() => group.status().firstIndex).toBeGreaterThan(20);

    const { group: joined, listing } = await cluster.open(4, "join");
    await group.addLearner(4, "node-4:1");
    await expect.poll(() => joined.status().appliedIndex).toBe(group.status().appliedIndex);

    expect(listing.texts).toEqual(texts);
    expect(listing.appliedCount).toBeGreaterThanOrEqual(30);
    expect(textsOf(joined)).toEqual(texts.slice(50));
  });
});

test("a log that is compacted is neither read nor trimmed", async () => {
  const cluster = await MachineCluster.start();
  await cluster.fill(1);
  const { group } = await cluster.leader();

  const refused = expect.objectContaining({
    code: "INVALID_ARGUMENT",
    outcome: "not-applied",
    message: expect.stringMatching(/^retention: the log is compacted/u) as string,
  }) as Error;

  expect(() => group.read(0)).toThrow(refused);
  expect(await failure(group.trim(1))).toEqual(refused);
  expect(await failure(group.tail(0).next())).toEqual(refused);
  expect(group.status().firstOffset).toBe(0);
});

describe("files of the machine's own", () => {
  test("that are lost are made again from all that the log retains", async () => {
    const filed = new Map<number, FiledMachine>();
    const around = (listing: Listing, nodeId: number): FiledMachine => {
      const machine = new FiledMachine(listing);
      filed.set(nodeId, machine);
      return machine;
    };
    const cluster = await MachineCluster.start({ retention: "keep", around });
    const texts = await cluster.fill(80);
    const { group } = await cluster.leader();
    await group.trim(50);
    const late = cluster.nodes.find((node) => node.group !== group)?.nodeId as number;
    const follower = cluster.node(late).group;
    await expect.poll(() => follower.status().firstIndex).toBeGreaterThan(20);
    await cluster.kill(late);

    const reopened = await cluster.open(late);
    await reopened.group.readBarrier();

    const machine = filed.get(late) as FiledMachine;
    const { begin } = machine;
    expect(begin).toBeGreaterThan(0);
    expect(begin).toBeLessThanOrEqual(50);
    expect(machine.applied).toEqual(Array.from({ length: 80 - begin }, (_, i) => begin + i));
    expect(machine.lines).toEqual(texts.slice(begin));
    expect(reopened.listing.texts).toEqual(texts);
  });

  test("that no yes or no is said of stop the node as it opens", async () => {
    await expect(MachineCluster.start({ around: promising })).rejects.toThrow(
      "covers of the state machine has to return true or false",
    );
  });
});
