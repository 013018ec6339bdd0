// Goal: a call to a leader says its true outcome, heeds its signal, and ends with its client.
// Method: clients against small brokers on real ports, which lose answers, refuse, and are gone.

import { once } from "node:events";
import { createServer } from "node:net";
import { OperationError, RpcChannel } from "@quorumlog/protocol";
import { expect, onTestFinished, test } from "vitest";
import { Admin, PullConsumer } from "../src/index.ts";
import { SmallCluster } from "./kit/small-cluster.ts";

const ORDERS = { name: "orders", topicId: 7, groupIds: [1] };
const QUEUE = { topic: "orders", queue: 0 };
const ENTRY = { namespace: "shop", key: "currency", value: "EUR" };

async function readerOf(cluster: SmallCluster): Promise<PullConsumer> {
  const nameServers = [cluster.nameServer.address];
  const reader = await PullConsumer.open({ nameServers, consumerGroup: "billing" });
  onTestFinished(() => reader.close());
  await reader.assign([QUEUE]);
  return reader;
}

async function adminOf(cluster: SmallCluster): Promise<Admin> {
  const admin = await Admin.open({ nameServers: [cluster.nameServer.address] });
  onTestFinished(() => admin.close());
  return admin;
}

const lost = (): OperationError => new OperationError("UNAVAILABLE", "the answer is lost");

test("what may have been done is unknown, whatever is said of later attempts", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const reader = await readerOf(cluster);
  let attempts = 0;
  cluster.first.offsets.onCommitted = () => {
    attempts += 1;
    return attempts === 1 ? lost() : cluster.first.notLeader();
  };

  const commit = { queue: QUEUE, offset: 3, timeoutMs: 2_000 };
  const error = await reader.commit(commit).catch((reason: unknown) => reason);

  expect(attempts).toBeGreaterThan(1);
  expect(cluster.first.offsets.committed("billing", 7, 0)).toBe(3);
  // By how it ended last, or by its deadline, as it happens.
  expect(error).toMatchObject({
    code: expect.stringMatching(/^(NOT_LEADER|TIMEOUT)$/),
    outcome: "unknown",
  });
});

test("a group of which nobody answers is told by its name", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const reader = await readerOf(cluster);
  cluster.first.offsets.onCommitted = () => new OperationError("TIMEOUT", "nobody leads");

  const commit = { queue: QUEUE, offset: 3, timeoutMs: 300 };
  const error = await reader.commit(commit).catch((reason: unknown) => reason);

  expect(error).toMatchObject({
    code: "TIMEOUT",
    message: expect.stringMatching(
      /^broker group broker-1 has not answered within 300 ms, 127\.0\.0\.1:\d+ as the last one/,
    ),
  });
});

test("aborted between two attempts, it is unknown what the first one did", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const reader = await readerOf(cluster);
  const controller = new AbortController();
  cluster.first.offsets.onCommitted = () => {
    setTimeout(() => {
      controller.abort();
    }, 100);
    return new OperationError("UNAVAILABLE", "not now", { retryAfterMs: 10_000 });
  };

  const commit = { queue: QUEUE, offset: 3, timeoutMs: 60_000, signal: controller.signal };
  const error = await reader.commit(commit).catch((reason: unknown) => reason);

  expect(error).toMatchObject({ code: "ABORTED", outcome: "unknown" });
});

test("a client that closes ends its calls, and takes no other ones", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const admin = await adminOf(cluster);
  for (const nodeId of [1, 2, 3]) await cluster.first.kill(nodeId);
  const waiting = admin.putConfiguration(ENTRY, { timeoutMs: 600_000 });
  await Promise.all([
    expect(waiting).rejects.toMatchObject({ code: "CLOSED" }),
    new Promise((resolve) => setTimeout(resolve, 50)).then(() => admin.close()),
  ]);

  await expect(admin.putConfiguration(ENTRY, { timeoutMs: 600_000 })).rejects.toMatchObject({
    code: "CLOSED",
    outcome: "not-applied",
  });
});

test("a list has one deadline, however many pages it has", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const admin = await adminOf(cluster);
  let pages = 0;
  cluster.first.offsets.onPage = () => {
    pages += 1;
    return `page ${pages}`;
  };

  const listed = admin.groupOffsets("billing", { timeoutMs: 500 });

  // And tells of that, and not of what was left for the last of them.
  await expect(listed).rejects.toMatchObject({
    code: "TIMEOUT",
    message: expect.stringContaining(" 500 ms") as string,
  });
  expect(pages).toBeGreaterThan(1);
});

test("one signal may stop any number of calls of an admin, without a warning", async () => {
  const groupIds = Array.from({ length: 32 }, () => 1);
  const cluster = await SmallCluster.open(1, [{ ...ORDERS, groupIds }]);
  const admin = await adminOf(cluster);
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  onTestFinished(() => void process.off("warning", onWarning));

  const { signal } = new AbortController();
  await admin.queueOffsets({ topic: "orders", place: "latest" }, { signal });
  await new Promise((resolve) => setTimeout(resolve, 10));

  expect(warnings).toEqual([]);
});

test("whoever waits for a connection heeds its signal", async () => {
  const deaf = createServer();
  deaf.listen(0, "127.0.0.1");
  await once(deaf, "listening");
  onTestFinished(() => void deaf.close());
  const { port } = deaf.address() as { port: number };
  const channel = new RpcChannel({ address: `127.0.0.1:${port}`, tls: {} });
  onTestFinished(() => {
    channel.close();
  });

  const error = await channel
    .connect(600_000, AbortSignal.timeout(50))
    .catch((reason: unknown) => reason);

  expect(error).toMatchObject({ code: "ABORTED", outcome: "not-applied" });
});
