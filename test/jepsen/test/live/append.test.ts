// Goal: the log of a healthy cluster is found to be in order, and one whose service breaks a
// promise is not. Method: client processes of the workload, against three nodes in this process;
// services that are broken by hand.

import { startCluster } from "@quorumlog/replica/testing";
import { expect, onTestFinished, test } from "vitest";
import { serveLog, type ServedLog } from "../../src/service/log-service.ts";
import type { Target } from "../../src/cluster/target.ts";
import { isDrained } from "../../src/history/history-event.ts";
import { APPEND_WORKLOAD } from "../../src/workload/append-workload.ts";
import { beginRun } from "../kit/recorded-run.ts";

async function serveThree(wrap: (log: ServedLog) => ServedLog): Promise<Target> {
  const cluster = await startCluster();
  onTestFinished(() => cluster.close());
  const nodes = new Map<number, string>();
  for (const log of cluster.logs) {
    const server = await serveLog(wrap(log), { port: 0 });
    onTestFinished(() => server.close());
    nodes.set(log.status().nodeId, `127.0.0.1:${server.port}`);
  }
  return { kind: "log", nodes, nameServers: [] };
}

test("a log that keeps its promises is valid, also when clients crash", async () => {
  const { clients, events, completed } = await beginRun(
    APPEND_WORKLOAD,
    await serveThree((log) => log),
  );
  await completed(500);
  expect(await clients.crash()).toContain("process");
  await completed(1_500);
  expect(await clients.drain()).toBe(true);

  expect(isDrained(events)).toBe(true);
  const verdict = APPEND_WORKLOAD.check(events);
  expect(verdict).toMatchObject({ valid: true, anomalies: [] });
  expect(verdict.counts["acknowledged"]).toBeGreaterThan(300);
  expect(events.map(({ index }) => index)).toEqual(events.map((_, i) => i));
  const actions = new Set(events.map(({ action, type }) => `${action} ${type}`));
  for (const each of ["append ok", "append info", "compareAndAppend ok", "read ok"])
    expect([...actions]).toContain(each);
}, 120_000);
