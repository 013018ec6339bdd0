// Goal: whoever breaks a promise is found out: a workload asks for enough, records it as it was,
// and its check sees it. Method: nodes of this process whose service is spoiled by hand, on its way
// to clients; clusters whose operator does what nobody may do while somebody counts on it.

import { Admin } from "@quorumlog/client";
import { ReplicaError } from "@quorumlog/replica";
import { startCluster } from "@quorumlog/replica/testing";
import { Prng, required } from "@quorumlog/std";
import { cpSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import type { Target } from "../../src/cluster/target.ts";
import { TestCluster } from "../../src/cluster/test-cluster.ts";
import type { CallServer } from "../../src/service/call-server.ts";
import { serveLog, type ServedLog } from "../../src/service/log-service.ts";
import { serveRegisters } from "../../src/service/register-service.ts";
import { workloadNamed } from "../../src/workload/all-workloads.ts";
import { beginRun } from "../kit/recorded-run.ts";
import { openRegisters, type Registers } from "../kit/single-nodes.ts";

const TEST_MS = 240_000;
const ANY_PORT = { port: 0 };
const OPERATIONS = 800;
/** What was put back may not be consumed to its end. */
const DRAIN_MS = 15_000;

function addressOf(server: CallServer): string {
  onTestFinished(() => server.close());
  return `127.0.0.1:${server.port}`;
}

/** @returns the kinds of anomalies that were found. */
async function kindsFound(name: string, target: Target): Promise<string[]> {
  const workload = workloadNamed(name);
  const { clients, events, completed } = await beginRun(workload, target);
  await completed(OPERATIONS);
  await clients.drain();
  const { valid, anomalies } = workload.check(events);
  expect(valid).toBe(false);
  return [...new Set(anomalies.map(({ kind }) => kind))];
}

/** Once in so many calls. */
function everySo(often: number): () => boolean {
  const prng = new Prng(11);
  return () => prng.below(often) === 0;
}

/** All that a replica of a log serves, but for what is spoiled of it. */
function spoiled(log: ServedLog, own: Partial<ServedLog>): ServedLog {
  return {
    append: (data, options) => log.append(data, options),
    openSession: (options) => log.openSession(options),
    session: (sessionId, sequence) => log.session(sessionId, sequence),
    read: (from, options) => log.read(from, options),
    readBarrier: (options) => log.readBarrier(options),
    status: () => log.status(),
    ...own,
  };
}

/** Reads are of a copy, which is brought up to date now and then. */
function withStaleReads(log: ServedLog): ServedLog {
  let nextOffset = 0;
  const timer = setInterval(() => {
    ({ nextOffset } = log.status());
  }, 150);
  onTestFinished(() => {
    clearInterval(timer);
  });
  return spoiled(log, {
    readBarrier: () => Promise.resolve(),
    status: () => ({ ...log.status(), nextOffset }),
  });
}

function withLostAppends(log: ServedLog): ServedLog {
  const isLost = everySo(50);
  return spoiled(log, {
    append: async (data, options) => {
      if (!isLost() || log.status().role !== "leader") return log.append(data, options);
      const { nextOffset: offset } = log.status();
      const at = { offset, count: 1, index: 0, term: 0, isDuplicate: false };
      return { durability: "quorum", reached: "synced", ...at };
    },
  });
}

function withDoubledAppends(log: ServedLog): ServedLog {
  const isDoubled = everySo(50);
  return spoiled(log, {
    append: async (data, options) => {
      const ack = await log.append(data, options);
      if (isDoubled() && options?.expectedOffset === undefined) await log.append(data);
      return ack;
    },
  });
}

/** It is stored, whatever is expected, and said to be where that was. */
function withBlindComparisons(log: ServedLog): ServedLog {
  return spoiled(log, {
    append: (data) => log.append(data),
  });
}

/** An append that was refused is stored later. */
function withLateAppends(log: ServedLog): ServedLog {
  const isLate = everySo(50);
  return spoiled(log, {
    append: async (data, options) => {
      if (!isLate() || log.status().role !== "leader") return log.append(data, options);
      await log.append(data);
      throw new ReplicaError("OVERLOADED", "it is said not to be stored");
    },
  });
}

test.each([
  ["stale-read", withStaleReads],
  ["inconsistent-offset", withLostAppends],
  ["duplicate", withDoubledAppends],
  ["wrong-offset", withBlindComparisons],
  ["aborted-read", withLateAppends],
] as const)(
  "a log with %s is found out",
  async (kind, spoil) => {
    const cluster = await startCluster();
    onTestFinished(() => cluster.close());
    const nodes = new Map<number, string>();
    for (const log of cluster.logs)
      nodes.set(log.status().nodeId, addressOf(await serveLog(spoil(log), ANY_PORT)));

    expect(await kindsFound("append", { kind: "log", nodes, nameServers: [] })).toContain(kind);
  },
  TEST_MS,
);

type ServedGroup = Parameters<typeof serveRegisters>[0];
type ServedMachine = Parameters<typeof serveRegisters>[1];
type Spoil = (registers: Registers) => readonly [group: ServedGroup, machine: ServedMachine];

/** What it was a while ago. */
const staleReads: Spoil = ({ group, machine }) => {
  const copies = new Map<string, string | undefined>();
  const timer = setInterval(() => {
    copies.clear();
  }, 100);
  onTestFinished(() => {
    clearInterval(timer);
  });
  return [
    group,
    {
      get: (key) => {
        if (!copies.has(key)) copies.set(key, machine.get(key));
        return copies.get(key);
      },
    },
  ];
};

const lostWrites: Spoil = ({ group, machine }) => {
  const isLost = everySo(50);
  const execute: ServedGroup["execute"] = (command, options) =>
    isLost() ? Promise.resolve(Buffer.of(0)) : group.execute(command, options);
  return [{ ...served(group), execute }, machine];
};

/** Compared with what is here, and then written, whatever came between. */
const tornComparisons: Spoil = ({ group, machine }) => {
  const execute: ServedGroup["execute"] = async (command, options) => {
    const { expected, ...rest } = JSON.parse(Buffer.from(command).toString()) as {
      key: string;
      value: string;
      expected?: string;
    };
    if (expected === undefined) return group.execute(command, options);
    if ((machine.get(rest.key) ?? "") !== expected) return Buffer.of(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return group.execute(Buffer.from(JSON.stringify(rest)), options);
  };
  return [{ ...served(group), execute }, machine];
};

function served(group: ServedGroup): ServedGroup {
  return {
    execute: (command, options) => group.execute(command, options),
    readBarrier: (options) => group.readBarrier(options),
    status: () => group.status(),
  };
}

test.each([
  ["stale reads", staleReads],
  ["lost writes", lostWrites],
  ["torn comparisons", tornComparisons],
] as const)(
  "registers with %s are found out",
  async (_name, spoil) => {
    const [group, machine] = spoil(await openRegisters());
    const address = addressOf(await serveRegisters(group, machine, ANY_PORT));
    const target: Target = { kind: "registers", nodes: new Map([[1, address]]), nameServers: [] };

    expect(await kindsFound("register", target)).toEqual(["not-linearizable"]);
  },
  TEST_MS,
);

/** As an operator does who knows no better: the only node gets the files of a while ago. */
async function restoreFormerFiles(cluster: TestCluster, wait: () => Promise<void>): Promise<void> {
  const nodeId = required(cluster.founders[0], "a node");
  const directory = cluster.plan.directoryOf(nodeId);
  const copy = `${directory}.copy`;
  await cluster.kill(nodeId);
  cpSync(directory, copy, { recursive: true });
  await cluster.startNode(nodeId);
  await wait();
  await cluster.kill(nodeId);
  cluster.wipe(nodeId);
  cpSync(copy, directory, { recursive: true });
  await cluster.startNode(nodeId);
}

test.each([
  ["queue", ["inconsistent-place"]],
  ["kafka", ["inconsistent-offsets"]],
  ["ordered", ["inconsistent-place", "nonmonotonic-publish"]],
  ["offsets", ["offset-went-back"]],
] as const)(
  "%s: files that were put back are found out",
  async (name, wanted) => {
    const cluster = await TestCluster.start({ kind: "broker", nodes: 1, nameServers: 1, seed: 3 });
    onTestFinished(() => cluster.stop());
    const workload = workloadNamed(name);
    const { clients, events, completed } = await beginRun(workload, cluster.target);
    await completed(OPERATIONS);
    await restoreFormerFiles(cluster, () => completed(2 * OPERATIONS));
    await completed(3 * OPERATIONS);
    await clients.drain(DRAIN_MS);

    const kinds = new Set(workload.check(events).anomalies.map(({ kind }) => kind));
    for (const kind of wanted) expect([...kinds]).toContain(kind);
  },
  TEST_MS,
);

test(
  "queue: what a group was moved past is found out",
  async () => {
    const cluster = await TestCluster.start({ kind: "broker", nodes: 1, nameServers: 1, seed: 3 });
    onTestFinished(() => cluster.stop());
    const { target } = cluster;
    const workload = workloadNamed("queue");
    const { clients, events, completed } = await beginRun(workload, target);
    await using admin = await Admin.open({ nameServers: target.nameServers });
    await completed(OPERATIONS);
    // Members begin anew each time: what comes meanwhile is passed over by the next one.
    const order = {
      group: "jepsen-queue-consumers",
      topic: "jepsen-queue",
      place: "latest",
    } as const;
    for (let i = 0; i < 30; i++) await admin.resetOffsets(order);
    expect(await clients.drain()).toBe(true);

    const { valid, anomalies } = workload.check(events);
    expect(valid).toBe(false);
    expect(new Set(anomalies.map(({ kind }) => kind))).toEqual(new Set(["lost"]));
  },
  TEST_MS,
);
