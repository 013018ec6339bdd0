// Goal: whatever way a message is sent, it is stored as its producer was told, though leaders die.
// Method: send in each way while or after both leaders are killed; look at what is stored.

import { expect, test } from "vitest";
import {
  codeIn,
  codeOf,
  producerOf,
  queueOfKey,
  range,
  readTopic,
  textsOf,
} from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";
import { storedBatches } from "../kit/stored-batches.ts";

const clusterOf = clusterOfFile();

test("messages sent one by one are stored once each, though leaders are killed", async () => {
  const cluster = clusterOf();
  await (await cluster.admin()).createTopic({ name: "one-by-one", queueCount: 2 });
  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  const failingOver = cluster.failOver();

  const offsets = [];
  for (const number of range(200)) {
    const keys = [String(number % 2)];
    const { offset } = await producer.send("one-by-one", { body: String(number), keys });
    offsets.push(offset);
  }
  await failingOver;

  expect(offsets).toEqual(range(200).map((number) => Math.floor(number / 2)));
  const stored = await readTopic(cluster, "one-by-one", 200);
  for (const { queue, offset, keys, body } of stored)
    expect([keys[0], Buffer.from(body).toString()]).toEqual([`${queue}`, `${2 * offset + queue}`]);
  expect(stored).toHaveLength(200);
});

test("thousands of calls under way are all settled with the places of their messages", async () => {
  const cluster = clusterOf();
  await (await cluster.admin()).createTopic({ name: "many", queueCount: 4 });
  const producer = await producerOf(cluster);

  const failingOver = cluster.failOver();
  const receipts = await Promise.all(
    range(5_000).map((number) => producer.send("many", { body: String(number) })),
  );
  await failingOver;

  const stored = await readTopic(cluster, "many", 5_000);
  const bodies = new Map(stored.map((each) => [`${each.queue}/${each.offset}`, each.text()]));
  expect(bodies.size).toBe(5_000);
  for (const [number, { queue, offset }] of receipts.entries())
    expect(bodies.get(`${queue}/${offset}`)).toBe(String(number));
});

test("a one-way message is stored, and nobody waits for it", async () => {
  const cluster = clusterOf();
  await (await cluster.admin()).createTopic({ name: "one-way", queueCount: 2 });
  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  await producer.send("one-way", { body: "0", keys: ["0"] });
  await producer.send("one-way", { body: "1", keys: ["1"] });
  await cluster.failOver();
  await producer.send("one-way", { body: "0", keys: ["0"] });
  await producer.send("one-way", { body: "1", keys: ["1"] });

  for (const queue of ["0", "1"])
    expect(producer.sendOneWay("one-way", { body: "and away", keys: [queue] })).toBe(true);

  const stored = await readTopic(cluster, "one-way", 6);
  expect(textsOf(stored).filter((text) => text === "and away")).toHaveLength(2);
});

test("a batch is stored together, one message behind the other", async () => {
  const cluster = clusterOf();
  await (await cluster.admin()).createTopic({ name: "batches", queueCount: 2 });
  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  const failingOver = cluster.failOver();

  const batches = await Promise.all(
    range(20).map((batch) => {
      const keys = [String(batch % 2)];
      const messages = range(10).map((number) => ({ body: `${batch} ${number}`, keys }));
      return producer.sendBatch("batches", messages);
    }),
  );
  await failingOver;

  for (const receipts of batches) {
    const first = receipts[0]?.offset ?? -1;
    expect(receipts.map(({ offset }) => offset)).toEqual(range(10).map((i) => first + i));
    expect(new Set(receipts.map(({ queue }) => queue)).size).toBe(1);
  }
  const stored = await readTopic(cluster, "batches", 200);
  expect(new Set(textsOf(stored)).size).toBe(200);
});

test("messages wait for others as long as they may; batches are as large as they may", async () => {
  const cluster = clusterOf();
  await (await cluster.admin()).createTopic({ name: "lingering", queueCount: 2 });
  await (await cluster.admin()).createTopic({ name: "small", queueCount: 2 });
  await cluster.failOver();
  const lingering = await producerOf(cluster, { lingerMs: 5, queueSelector: queueOfKey });
  const small = await producerOf(cluster, { batchBytes: 4_096, queueSelector: queueOfKey });

  for (const queue of [0, 1]) {
    const keys = [String(queue)];
    await lingering.send("lingering", { body: "connects", keys });
    // Two of a pair are sent in turns of their own, and nothing else is under way.
    for (const number of range(10)) {
      const first = lingering.send("lingering", { body: `first ${number}`, keys });
      await new Promise((resolve) => setImmediate(resolve));
      await Promise.all([first, lingering.send("lingering", { body: "second", keys })]);
    }
    const body = Buffer.alloc(1_000);
    await Promise.all(range(40).map(() => small.send("small", { body, keys })));

    // Not of each pair: the process may have stood still for as long.
    expect((await storedBatches(cluster, "lingering", queue)).length).toBeLessThan(21);
    expect((await storedBatches(cluster, "small", queue)).length).toBeGreaterThanOrEqual(10);
  }
});

test("batches are stored compressed, and read as they were", async () => {
  const cluster = clusterOf();
  await (await cluster.admin()).createTopic({ name: "compressed", queueCount: 2 });
  const producer = await producerOf(cluster, {
    compression: "deflate",
    queueSelector: queueOfKey,
  });
  const body = "all work and no play ".repeat(1_000);

  for (const queue of ["0", "1"]) await producer.send("compressed", { body, keys: [queue] });
  await cluster.failOver();

  for (const queue of [0, 1]) {
    const [stored] = await storedBatches(cluster, "compressed", queue);
    expect(stored?.batch?.byteLength).toBeLessThan(body.length / 10);
  }
  expect(textsOf(await readTopic(cluster, "compressed", 2))).toEqual([body, body]);
});

test("queues are taken in turn, by message group, or as a selector says", async () => {
  const cluster = clusterOf();
  await (await cluster.admin()).createTopic({ name: "selected", queueCount: 4 });
  const producer = await producerOf(cluster);
  const choosing = await producerOf(cluster, { queueSelector: (_, count) => count - 1 });
  const queuesOf = async (messageGroup?: string): Promise<number[]> => {
    const queues: number[] = [];
    for (const number of range(12)) {
      const group = messageGroup === undefined ? {} : { messageGroup };
      const { queue } = await producer.send("selected", { body: String(number), ...group });
      queues.push(queue);
    }
    return queues;
  };

  const before = await queuesOf("group 1");
  await cluster.failOver();

  expect(new Set([...before, ...(await queuesOf("group 1"))]).size).toBe(1);
  expect(new Set(await queuesOf()).size).toBe(4);
  expect((await choosing.send("selected", { body: "" })).queue).toBe(3);
});

test("a broker that stands still is given no new batches, and loses none that it has", async () => {
  const cluster = clusterOf();
  await (await cluster.admin()).createTopic({ name: "avoiding", queueCount: 4 });
  await cluster.failOver();
  await cluster.whole();
  const producer = await producerOf(cluster);
  const still = cluster.nodeIdsOf(2);
  for (const nodeId of still) cluster.pause(nodeId);

  // Those of the first ones that went to its queues wait for it.
  const early = range(8).map((number) => producer.send("avoiding", { body: String(number) }));
  // Each is a batch of its own: taken in turn, half of them would wait.
  const sendInTurn = async (): Promise<true> => {
    for (const number of range(8)) await producer.send("avoiding", { body: `late ${number}` });
    return true;
  };
  await cluster.until("messages go elsewhere", () => Promise.race([sendInTurn(), sleep(5_000)]));
  for (const nodeId of still) cluster.resume(nodeId);

  expect(await Promise.all(early)).toHaveLength(8);
});

test("a full buffer refuses a message, or has it wait", async () => {
  const cluster = clusterOf();
  await (await cluster.admin()).createTopic({ name: "bounded", queueCount: 2 });
  const failing = await producerOf(cluster, { bufferBytes: 65_536 });
  const waiting = await producerOf(cluster, { bufferBytes: 65_536, onFull: "wait" });
  const body = Buffer.alloc(10_000);
  const failingOver = cluster.failOver();

  const refused = await Promise.allSettled(range(20).map(() => failing.send("bounded", { body })));
  const taken = await Promise.all(range(20).map(() => waiting.send("bounded", { body })));
  await failingOver;

  const codes = refused.map((each) => (each.status === "rejected" ? codeIn(each.reason) : "taken"));
  expect(codes).toEqual([...range(6).map(() => "taken"), ...range(14).map(() => "OVERLOADED")]);
  expect(taken).toHaveLength(20);
  expect(await readTopic(cluster, "bounded", 26)).toHaveLength(26);
});

test("each durability is reached that is asked for, and only a quorum's has a place", async () => {
  const cluster = clusterOf();
  await (await cluster.admin()).createTopic({ name: "durable", queueCount: 2 });
  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  await cluster.failOver();

  for (const queue of ["0", "1"]) {
    const message = { body: "kept", keys: [queue] };
    const quorum = await producer.send("durable", message);
    const leader = await producer.send("durable", message, { durability: "leader" });
    const memory = await producer.send("durable", message, { durability: "async" });
    expect([quorum, leader, memory].map(({ reached, offset }) => [reached, offset])).toEqual([
      ["synced", 0],
      ["synced", undefined],
      ["memory", undefined],
    ]);
  }
  expect(await readTopic(cluster, "durable", 6)).toHaveLength(6);
});

test("a call ends by its signal and by its deadline, with what is known of it", async () => {
  const cluster = clusterOf();
  await (await cluster.admin()).createTopic({ name: "given-up", queueCount: 2 });
  await cluster.failOver();
  await cluster.whole();
  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  for (const queue of ["0", "1"]) await producer.send("given-up", empty(queue));
  const all = cluster.groupIds.flatMap((groupId) => cluster.nodeIdsOf(groupId));
  for (const nodeId of all) cluster.pause(nodeId);

  const controller = new AbortController();
  const { signal } = controller;
  const aborted = producer.send("given-up", empty("0"), { signal });
  const late = producer.send("given-up", empty("1"), { timeoutMs: 300 });
  setTimeout(() => {
    controller.abort();
  }, 100);

  await expect(aborted).rejects.toMatchObject({ code: "ABORTED", outcome: "unknown" });
  await expect(late).rejects.toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
  for (const nodeId of all) cluster.resume(nodeId);
  for (const queue of ["0", "1"]) await producer.send("given-up", empty(queue));
});

test("a message that cannot be one is refused with all that is wrong with it", async () => {
  const cluster = clusterOf();
  await (await cluster.admin()).createTopic({ name: "strict", queueCount: 2 });
  const producer = await producerOf(cluster);
  await cluster.failOver();

  const large = producer.send("strict", { body: Buffer.alloc(4 * 1024 * 1024 + 1) });
  const wrong = producer.send("strict", { body: "", tag: "a||b", keys: [""] });

  await expect(large).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE", outcome: "not-applied" });
  expect(await codeOf(wrong)).toBe("INVALID_ARGUMENT");
  await producer.send("strict", { body: Buffer.alloc(4 * 1024 * 1024 - 1_024) });
});

function sleep(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds, undefined);
  });
}

function empty(queue: string): { readonly body: string; readonly keys: readonly string[] } {
  return { body: "", keys: [queue] };
}
