// Goal: final reads come to their end when every node was read, and not before: one that does not
// answer for a while, or knows no leader, is waited for.
// Method: two nodes without a cluster, the second of which has what the first one has not.

import { expect, onTestFinished, test } from "vitest";
import type { Target } from "../../src/cluster/target.ts";
import { CallError } from "../../src/service/call-error.ts";
import { type Calls, serveCalls } from "../../src/service/call-server.ts";
import { workloadNamed } from "../../src/workload/all-workloads.ts";
import { beginRun } from "../kit/recorded-run.ts";

const TEST_MS = 120_000;
const AWAY_MS = 500;
const OPERATIONS = 30;
const MARK = 77;

function refuse(): never {
  const message = "nobody leads";
  throw new CallError({ code: "NO_LEADER", outcome: "not-applied", leaderId: null, message });
}

function leads(): object {
  return { nodeId: 1, role: "leader", leaderId: 1 };
}

async function serve(calls: Calls): Promise<string> {
  const server = await serveCalls(calls, { port: 0 });
  onTestFinished(() => server.close());
  return `127.0.0.1:${server.port}`;
}

test.each([
  ["append", { values: [], end: 0 }, { values: [MARK], end: 1 }],
  ["register", { value: null }, { value: MARK }],
] as const)(
  "%s: a node that is away when they begin is read as well",
  async (name, empty, marked) => {
    let isAway = true;
    const first = await serve({ status: leads, read: () => empty });
    const second = await serve({
      status: () => (isAway ? { nodeId: 2, role: "follower", leaderId: null } : leads()),
      read: () => (isAway ? refuse() : marked),
    });
    const nodes = new Map([
      [1, first],
      [2, second],
    ]);
    const kind = name === "append" ? "log" : "registers";
    const target: Target = { kind, nodes, nameServers: [] };
    const { clients, events, completed } = await beginRun(workloadNamed(name), target);
    await completed(OPERATIONS);
    setTimeout(() => {
      isAway = false;
    }, AWAY_MS);
    expect(await clients.drain()).toBe(true);

    const read = events.filter(({ type, action }) => type === "ok" && action === "read");
    expect(JSON.stringify(read.map(({ value }) => value))).toContain(String(MARK));
    expect(workloadNamed(name).check(events).valid).toBe(false);
  },
  TEST_MS,
);
