// Goal: what is acknowledged is stored once, at the offset that was said, in order; whatever else
// happens is told with its true outcome.
// Method: a producer against small brokers on real ports, which refuse, lose answers, and stop.

import { expect, test } from "vitest";
import { OperationError, Producer } from "../src/index.ts";
import { SmallCluster } from "./kit/small-cluster.ts";

const ORDERS = { name: "orders", topicId: 7, groupIds: [1] };
const WIDE = { name: "wide", topicId: 8, groupIds: [1, 1, 1, 1] };

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

test("a message is acknowledged with its place", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();

  const first = await producer.send("orders", { body: "one", tag: "a", keys: ["k"] });
  const second = await producer.send("orders", { body: Buffer.from("two") });

  expect(first.toJSON()).toEqual({
    topic: "orders",
    queue: 0,
    offset: 0,
    messageId: "7-0-0",
    reached: "synced",
    storeTimestamp: expect.any(Number),
    isDuplicate: false,
  });
  expect(second.offset).toBe(1);
  expect(cluster.bodies(7, 0)).toEqual(["one", "two"]);
});

test("an object may be used for the next message while the one before is under way", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();
  const message = { body: "", keys: [""] };

  const sends = ["one", "two", "three"].map((text) => {
    message.body = text;
    message.keys[0] = text;
    return producer.send("orders", message);
  });
  const [first] = message.keys;
  message.keys[0] = undefined as never;
  message.body = undefined as never;
  await Promise.all(sends);

  expect(first).toBe("three");
  expect(cluster.bodies(7, 0)).toEqual(["one", "two", "three"]);
});

test("messages of one turn share a batch, and each gets its own offset", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();

  const receipts = await Promise.all(
    numbers(1_000).map((body) => producer.send("orders", { body })),
  );

  expect(receipts.map(({ offset }) => offset)).toEqual(numbers(1_000).map(Number));
  expect(cluster.bodies(7, 0)).toEqual(numbers(1_000));
  expect(cluster.first.containers.length).toBeLessThan(5);
});

test("batches of a turn for several queues travel in one container", async () => {
  const cluster = await SmallCluster.open(1, [WIDE]);
  const producer = await cluster.producer();

  await Promise.all(
    numbers(100).map((body) => producer.send("wide", { body, messageGroup: `group ${body}` })),
  );

  expect(cluster.first.containers).toEqual([4]);
});

test("messages of one group stay in order; others take the queues in turn", async () => {
  const cluster = await SmallCluster.open(1, [WIDE]);
  const producer = await cluster.producer();

  const grouped = await Promise.all(
    numbers(50).map((body) => producer.send("wide", { body, messageGroup: "g" })),
  );
  const queues = new Set<number>();
  for (const body of numbers(8)) queues.add((await producer.send("wide", { body })).queue);

  expect(new Set(grouped.map(({ queue }) => queue)).size).toBe(1);
  expect(grouped.map(({ offset }) => offset)).toEqual(numbers(50).map(Number));
  expect([...queues].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
});

test("a leader's hint is followed at once, and nothing is stored twice", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();
  await producer.send("orders", { body: "before" });

  cluster.first.elect(2);
  const startedAt = performance.now();
  const after = await producer.send("orders", { body: "after" });

  expect(after.offset).toBe(1);
  expect(performance.now() - startedAt).toBeLessThan(500);
});

test("what was not answered is sent again under its number, and stored once", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();
  cluster.first.lostAnswers = 3;

  const receipt = await producer.send("orders", { body: "once" });

  expect(receipt.isDuplicate).toBe(true);
  expect(cluster.bodies(7, 0)).toEqual(["once"]);
});

test("while leaders die and answers are lost, each message is stored once, in order", async () => {
  const cluster = await SmallCluster.open(1, [WIDE]);
  const producer = await cluster.producer({ timeoutMs: 20_000, batchBytes: 4_096 });
  const sends: Promise<unknown>[] = [];
  for (let turn = 0; turn < 60; turn++) {
    for (let i = 0; i < 200; i++)
      sends.push(
        producer.send("wide", {
          body: `${i % 8}:${turn * 25 + (i >> 3)}`,
          messageGroup: `g${i % 8}`,
        }),
      );
    if (turn % 10 === 3) cluster.first.lostAnswers = 2;
    if (turn === 20 || turn === 40) {
      const { leaderNodeId } = cluster.first;
      await cluster.first.kill(leaderNodeId);
      cluster.first.elect(leaderNodeId + 1);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }

  await Promise.all(sends);

  const bodies = [0, 1, 2, 3].flatMap((queue) => cluster.bodies(8, queue));
  expect(bodies).toHaveLength(12_000);
  for (const group of numbers(8)) {
    const own = bodies.filter((body) => body.startsWith(`${group}:`));
    expect(own.map((body) => Number(body.split(":")[1]))).toEqual(numbers(1_500).map(Number));
  }
});

test("without a leader a call ends at its deadline, not applied if it was never sent", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer({ timeoutMs: 200 });
  for (const nodeId of [1, 2, 3]) await cluster.first.kill(nodeId);
  cluster.first.onPublish = () => "ignore";

  const error = await producer.send("orders", { body: "x" }).catch((reason: unknown) => reason);

  expect(error).toMatchObject({ code: "TIMEOUT" });
});

test("a call that was sent and not answered ends as unknown, and the next ones go on", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();
  cluster.first.onPublish = () => "ignore";
  const lost = producer.send("orders", { body: "lost" }, { timeoutMs: 100 });
  await expect(lost).rejects.toMatchObject({ code: "TIMEOUT", outcome: "unknown" });

  cluster.first.onPublish = () => undefined;
  const receipt = await producer.send("orders", { body: "next" });

  expect(receipt.offset).toBe(0);
  expect(cluster.bodies(7, 0)).toEqual(["next"]);
});

test("those behind a batch that was given up are numbered anew, and stored", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();
  let requests = 0;
  cluster.first.onPublish = () => {
    requests += 1;
    return requests === 1 ? "ignore" : undefined;
  };
  const lost = producer.send("orders", { body: "lost" }, { timeoutMs: 100 });
  const outcome = expect(lost).rejects.toMatchObject({ code: "TIMEOUT" });
  await new Promise((resolve) => setTimeout(resolve, 20));

  const behind = await producer.send("orders", { body: "behind" });

  await outcome;
  expect(behind.offset).toBe(0);
  expect(cluster.bodies(7, 0)).toEqual(["behind"]);
});

test("an aborted call that was not sent is not stored", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();
  const controller = new AbortController();

  const given = producer.send("orders", { body: "given up" }, { signal: controller.signal });
  const kept = producer.send("orders", { body: "kept" });
  controller.abort();

  await expect(given).rejects.toMatchObject({ code: "ABORTED", outcome: "not-applied" });
  await kept;
  expect(cluster.bodies(7, 0)).toEqual(["kept"]);
});

test("of a container that is refused, the batch that is to blame is found out", async () => {
  const closed = { name: "closed", topicId: 9, groupIds: [1] };
  const cluster = await SmallCluster.open(1, [ORDERS, closed]);
  const producer = await cluster.producer();
  cluster.first.onPublish = (_nodeId, { batches }) =>
    batches.some((bytes) => (bytes as Buffer).readUInt32LE(12) === 9)
      ? new OperationError("TOPIC_NOT_WRITABLE", "closed")
      : undefined;

  const [good, bad] = await Promise.allSettled([
    producer.send("orders", { body: "good" }),
    producer.send("closed", { body: "bad" }),
  ]);

  expect(good).toMatchObject({ status: "fulfilled" });
  expect(bad).toMatchObject({ reason: { code: "TOPIC_NOT_WRITABLE", outcome: "not-applied" } });
});

test("a full buffer refuses at once, or makes wait", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  cluster.first.delayMs = 50;
  const body = Buffer.alloc(40_000);
  const impatient = await cluster.producer({ bufferBytes: 65_536 });
  const patient = await cluster.producer({ bufferBytes: 65_536, onFull: "wait" });

  const first = impatient.send("orders", { body });
  await expect(impatient.send("orders", { body })).rejects.toMatchObject({ code: "OVERLOADED" });
  expect(impatient.sendOneWay("orders", { body })).toBe(false);
  await first;
  await impatient.send("orders", { body });
  await Promise.all(numbers(5).map(() => patient.send("orders", { body })));

  expect(cluster.bodies(7, 0)).toHaveLength(7);
});

test("any number of calls that wait may fail one behind the other, and none is left", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  cluster.first.delayMs = 100;
  let isRefusing = false;
  const producer = await cluster.producer({
    bufferBytes: 65_536,
    onFull: "wait",
    timeoutMs: 20_000,
    queueSelector: () => {
      if (isRefusing) throw new OperationError("TOPIC_NOT_WRITABLE", "it was closed meanwhile");
      return 0;
    },
  });
  const sends = numbers(30_000).map(() => producer.send("orders", { body: Buffer.alloc(1_000) }));
  isRefusing = true;
  const settled = await Promise.allSettled(sends);
  isRefusing = false;
  const stored = settled.filter(({ status }) => status === "fulfilled").length;

  expect(stored).toBeGreaterThan(0);
  expect((await producer.send("orders", { body: "x" })).offset).toBe(stored);
});

test("small messages are bounded, too: a call counts with what it takes itself", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer({ bufferBytes: 65_536 });
  const settled = await Promise.allSettled(
    numbers(1_000).map(() => producer.send("orders", { body: "" })),
  );
  const stored = settled.filter(({ status }) => status === "fulfilled").length;

  expect(stored).toBeGreaterThan(50);
  expect(stored).toBeLessThan(200);
});

test("a broker is given the time of whoever waits for longest, and no less", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();
  const patience: number[] = [];
  cluster.first.onPublish = (_, { timeoutMs }) => {
    patience.push(timeoutMs);
    return undefined;
  };
  const patient = producer.send("orders", { body: "a" }, { timeoutMs: 20_000 });
  await producer.send("orders", { body: "b" }, { timeoutMs: 2_000 });
  await patient;

  expect(patience).toHaveLength(1);
  expect(patience[0]).toBeGreaterThan(10_000);
});

test("a batch of messages is stored together, and a one-way message is, too", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer({ compression: "deflate" });

  const [batch] = await Promise.all([
    producer.sendBatch(
      "orders",
      numbers(500).map((body) => ({ body: body.padStart(40) })),
    ),
    producer.send("orders", { body: "alone" }, { durability: "leader" }),
  ]);
  producer.sendOneWay("orders", { body: "one way" });
  await producer.close();

  expect(batch.map(({ offset }) => offset)).toEqual(numbers(500).map(Number));
  expect(cluster.bodies(7, 0).map((body) => body.trim())).toEqual([
    ...numbers(500),
    "alone",
    "one way",
  ]);
  expect(cluster.first.queue(7, 0).batches[0]?.bytes.length).toBeLessThan(10_000);
});

test("queues of several groups are used, and a slow broker is given no new batches", async () => {
  const cluster = await SmallCluster.open(2, [{ name: "both", topicId: 5, groupIds: [1, 2] }]);
  const producer = await cluster.producer();
  (cluster.groups[1] as (typeof cluster.groups)[0]).delayMs = 1_000;
  const stuck = numbers(2).map((body) => producer.send("both", { body }));
  stuck.push(producer.send("both", { body: "x" }));
  await new Promise((resolve) => setTimeout(resolve, 10));
  stuck.push(producer.send("both", { body: "y" }));
  await new Promise((resolve) => setTimeout(resolve, 500));

  const queues: number[] = [];
  for (const body of numbers(6)) queues.push((await producer.send("both", { body })).queue);

  expect(queues).toEqual([0, 0, 0, 0, 0, 0]);
  expect(new Set((await Promise.all(stuck)).map(({ queue }) => queue))).toEqual(new Set([0, 1]));
});

test("a group without a leader is given nothing, also by a producer that is new", async () => {
  const cluster = await SmallCluster.open(2, [{ name: "both", topicId: 5, groupIds: [1, 2] }]);
  (cluster.groups[1] as (typeof cluster.groups)[0]).leaderNodeId = 99;
  cluster.tell();

  // Each begins with any queue.
  for (let i = 0; i < 8; i++) {
    const producer = await cluster.producer();
    expect((await producer.send("both", { body: "x" })).queue).toBe(0);
  }
});

test("a new topic is met within a second, an unknown one is refused", async () => {
  const cluster = await SmallCluster.open(1, []);
  const producer = await cluster.producer();

  const early = producer.send("orders", { body: "early" });
  await new Promise((resolve) => setTimeout(resolve, 50));
  cluster.setTopics([ORDERS]);

  expect((await early).offset).toBe(0);
  await expect(producer.send("other", { body: "x" })).rejects.toMatchObject({
    code: "UNKNOWN_TOPIC",
    outcome: "not-applied",
  });
});

test.each([
  ["a new topic", "UNKNOWN_TOPIC"],
  ["a permission", "TOPIC_NOT_WRITABLE"],
] as const)("a broker that has not heard of %s is asked again", async (_news, code) => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();
  let refusals = 3;
  cluster.first.onPublish = () => {
    refusals -= 1;
    return refusals < 0 ? undefined : new OperationError(code, "not yet");
  };

  expect((await producer.send("orders", { body: "x" })).offset).toBe(0);
});

test.each([
  ["a topic that was deleted", "UNKNOWN_TOPIC"],
  ["a permission that was taken away", "TOPIC_NOT_WRITABLE"],
] as const)("a broker that knows more than the routes of %s is believed", async (_news, code) => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();
  await cluster.nameServer.close();
  let attempts = 0;
  cluster.first.onPublish = () => {
    attempts += 1;
    return new OperationError(code, "so it is", { metadataVersion: 100 });
  };

  const refusal = { code, outcome: "not-applied", metadataVersion: 100 };
  await expect(producer.send("orders", { body: "x" })).rejects.toMatchObject(refusal);

  // The first attempt may have been under way when it heard of that.
  expect(attempts).toBe(2);
});

test("a deadline that passes says who has refused until then, and why", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();
  cluster.first.onPublish = () =>
    new OperationError("UNKNOWN_TOPIC", "never heard of it", { metadataVersion: 0 });

  const send = producer.send("orders", { body: "x" }, { timeoutMs: 300 });

  const cause = { code: "UNKNOWN_TOPIC" };
  await expect(send).rejects.toMatchObject({ code: "TIMEOUT", outcome: "not-applied", cause });
  const address = cluster.first.address(cluster.first.leaderNodeId);
  await expect(send).rejects.toThrow(`by ${address}: UNKNOWN_TOPIC: never heard of it`);
});

test("the last route stays when every NameServer is gone", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();
  await cluster.nameServer.close();
  cluster.first.elect(3);

  expect((await producer.send("orders", { body: "still" })).offset).toBe(0);
});

test("what cannot be is refused with all that is wrong with it", async () => {
  const cluster = await SmallCluster.open(1, [
    { ...ORDERS, isFifo: true },
    { ...WIDE, isWritable: false },
  ]);
  const producer = await cluster.producer();
  const wrong = { nameServers: ["nowhere"], lingerMs: 9, colour: "red" } as never;

  await expect(Producer.open(wrong)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    problems: [
      { field: "nameServers" },
      { field: "lingerMs" },
      { field: "colour" },
      { field: "producerGroup", problem: "missing" },
    ],
  });
  await expect(producer.send("orders", { body: 5, tags: "x" } as never)).rejects.toMatchObject({
    problems: [{ field: "body" }, { field: "tags" }],
  });
  await expect(producer.send("orders", { body: "x", tag: "a|b" })).rejects.toMatchObject({
    problems: [{ field: "tag" }],
  });
  await expect(producer.send("orders", { body: "no group" })).rejects.toMatchObject({
    code: "MESSAGE_TYPE_MISMATCH",
  });
  await expect(producer.send("wide", { body: "x" })).rejects.toMatchObject({
    code: "TOPIC_NOT_WRITABLE",
  });
  await expect(
    producer.send("orders", { body: Buffer.alloc(4_194_305), messageGroup: "g" }),
  ).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE", outcome: "not-applied" });
  await producer.close();
  await expect(producer.send("orders", { body: "late" })).rejects.toMatchObject({ code: "CLOSED" });
});

test("one signal may stop any number of calls, without a warning", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => {
    warnings.push(warning);
  };
  process.on("warning", onWarning);
  const controller = new AbortController();
  const { signal } = controller;

  const sends = numbers(50).map((body) => producer.send("orders", { body }, { signal }));
  controller.abort();

  for (const { status } of await Promise.allSettled(sends)) expect(status).toBe("rejected");
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});
