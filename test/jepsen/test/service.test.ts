// Goal: what nodes serve is what their replicas say, and every refusal tells what became of what
// was asked for. Method: calls over HTTP to a group of one, and to a cluster of three in memory.

import { startCluster } from "@quorumlog/replica/testing";
import { expect, onTestFinished, test } from "vitest";
import type { CallServer } from "../src/service/call-server.ts";
import { serveLog } from "../src/service/log-service.ts";
import { serveRegisters } from "../src/service/register-service.ts";
import { openRegisters } from "./kit/single-nodes.ts";

const ANY_PORT = { port: 0 };
const TIMEOUT_MS = 10_000;

type Ask = (call: string, fields?: object) => Promise<readonly [status: number, answer: object]>;

function askerOf(server: CallServer): Ask {
  onTestFinished(() => server.close());
  return async (call, fields = {}) => {
    const body = JSON.stringify({ timeoutMs: TIMEOUT_MS, ...fields });
    const url = `http://127.0.0.1:${server.port}/${call}`;
    const response = await fetch(url, { method: "POST", body });
    return [response.status, (await response.json()) as object];
  };
}

test("registers are read, written, and compared and set", async () => {
  const { group, machine } = await openRegisters();
  const ask = askerOf(await serveRegisters(group, machine, ANY_PORT));

  expect(await ask("status")).toEqual([200, { nodeId: 1, role: "leader", leaderId: 1 }]);
  expect(await ask("read", { key: 7 })).toEqual([200, { value: null }]);
  expect(await ask("compareAndSet", { key: 7, expected: 1, value: 2 })).toEqual([
    200,
    { hasSet: false },
  ]);
  expect(await ask("compareAndSet", { key: 7, expected: null, value: 0 })).toEqual([
    200,
    { hasSet: true },
  ]);
  expect(await ask("compareAndSet", { key: 7, expected: null, value: 3 })).toEqual([
    200,
    { hasSet: false },
  ]);
  expect(await ask("read", { key: 7 })).toEqual([200, { value: 0 }]);
  expect(await ask("write", { key: 7, value: 4 })).toEqual([200, {}]);
  expect(await ask("read", { key: 7 })).toEqual([200, { value: 4 }]);
});

test("what no call is, is refused, and not done", async () => {
  const { group, machine } = await openRegisters();
  const server = await serveRegisters(group, machine, ANY_PORT);
  const ask = askerOf(server);
  const refused = { code: "INVALID_ARGUMENT", outcome: "not-applied" };

  for (const [call, fields] of [
    ["toString", {}],
    ["write", { key: 1 }],
    ["write", { key: -1, value: 1 }],
    ["write", { key: 1, value: "x" }],
    ["write", { key: 1, value: 1, more: "x".repeat(70_000) }],
  ] as const)
    expect(await ask(call, fields)).toMatchObject([400, refused]);
  const url = `http://127.0.0.1:${server.port}/read`;
  const response = await fetch(url, { method: "POST", body: "{" });
  expect([response.status, await response.json()]).toMatchObject([400, refused]);
});

test("a log is appended to and read on any node; followers name the leader", async () => {
  const cluster = await startCluster();
  onTestFinished(() => cluster.close());
  const leader = await cluster.leader();
  const leaderId = leader.status().nodeId;
  const follower = cluster.log(leaderId === 1 ? 2 : 1);
  const askLeader = askerOf(await serveLog(leader, ANY_PORT));
  const askFollower = askerOf(await serveLog(follower, ANY_PORT));

  expect(await askLeader("append", { value: 10 })).toEqual([200, { offset: 0 }]);
  expect(await askLeader("append", { value: 11, bytes: 4096 })).toEqual([200, { offset: 1 }]);
  expect(await askFollower("append", { value: 12 })).toMatchObject([
    503,
    { code: "NOT_LEADER", outcome: "not-applied", leaderId },
  ]);
  expect(await askLeader("compareAndAppend", { expected: 1, value: 13 })).toEqual([
    200,
    { end: 2 },
  ]);
  expect(await askLeader("compareAndAppend", { expected: 2, value: 14 })).toEqual([
    200,
    { end: 2 },
  ]);

  expect(await askFollower("end")).toEqual([200, { end: 3 }]);
  const found = (from: number, recordsMax: number) => askFollower("read", { from, recordsMax });
  expect(await found(0, 10)).toEqual([200, { values: [10, 11, 14], end: 3 }]);
  expect(await found(1, 1)).toEqual([200, { values: [11], end: null }]);
  expect(await found(3, 1)).toEqual([200, { values: [], end: 3 }]);
  expect(await found(9, 1)).toEqual([200, { values: [], end: 3 }]);
});

test("an append that is repeated in its session is stored once", async () => {
  const cluster = await startCluster({ nodes: 1 });
  onTestFinished(() => cluster.close());
  const ask = askerOf(await serveLog(await cluster.leader(), ANY_PORT));

  const [, { sessionId }] = (await ask("openSession")) as [number, { sessionId: number }];
  const append = { value: 10, sessionId, sequence: 1 };
  expect(await ask("append", append)).toEqual([200, { offset: 0 }]);
  expect(await ask("append", append)).toEqual([200, { offset: 0 }]);
  expect(await ask("end")).toEqual([200, { end: 1 }]);
  expect(await ask("append", { value: 11, sessionId: sessionId + 1, sequence: 1 })).toMatchObject([
    503,
    { code: "SESSION_EXPIRED", outcome: "unknown" },
  ]);
});

test("a replica that was closed says so, and a closed server lets go of its port", async () => {
  const cluster = await startCluster({ nodes: 1 });
  onTestFinished(() => cluster.close());
  const log = await cluster.leader();
  const server = await serveLog(log, ANY_PORT);
  const ask = askerOf(await serveLog(log, ANY_PORT));
  await log.close();

  expect(await ask("append", { value: 1 })).toMatchObject([503, { code: "CLOSED" }]);
  await expect(serveLog(log, { port: server.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
  await server.close();
  const next = await serveLog(log, { port: server.port });
  await next.close();
});
