// Goal: whatever a process of clients had under way when it was killed is of unknown outcome, its
// place is taken under other numbers, and a client that does what it cannot ends the run.
// Method: a service that answers no write.

import { expect, onTestFinished, test } from "vitest";
import { startClients } from "../../src/client/running-clients.ts";
import type { Target } from "../../src/cluster/target.ts";
import { operationsOf } from "../../src/history/operations.ts";
import { serveCalls } from "../../src/service/call-server.ts";
import { REGISTER_WORKLOAD } from "../../src/workload/register-workload.ts";
import { beginRun } from "../kit/recorded-run.ts";

const TEST_MS = 120_000;
const { clientCount } = REGISTER_WORKLOAD;

function never(): Promise<object> {
  return new Promise(() => undefined);
}

test(
  "what a killed process had under way is unknown, and its numbers are not used again",
  async () => {
    const server = await serveCalls(
      {
        status: () => ({ nodeId: 1, role: "leader", leaderId: 1 }),
        read: () => ({ value: null }),
        write: never,
        compareAndSet: never,
      },
      { port: 0 },
    );
    onTestFinished(() => server.close());
    const nodes = new Map([[1, `127.0.0.1:${server.port}`]]);
    const target: Target = { kind: "registers", nodes, nameServers: [] };
    const { clients, events, completed } = await beginRun(REGISTER_WORKLOAD, target);
    await completed(clientCount);
    await clients.crash();
    await completed(5 * clientCount);
    await clients.stop();

    // Throws if a number goes on behind an unknown outcome, or has two operations at a time.
    const operations = operationsOf(events);
    const crashed = events.filter(({ error }) => error === "CLIENT_CRASHED");
    expect(crashed.length).toBeGreaterThan(0);
    expect(crashed.every(({ type }) => type === "info")).toBe(true);
    expect(operations.every(({ completion }) => completion !== undefined)).toBe(true);
    const unanswered = events.filter(({ error }) => error === "NO_ANSWER");
    expect(unanswered.length).toBeGreaterThan(0);
    expect(unanswered.every(({ type }) => type === "info")).toBe(true);
    // Nothing is wrong; but who never writes has shown nothing.
    expect(REGISTER_WORKLOAD.check(events)).toMatchObject({ valid: "unknown", anomalies: [] });
  },
  TEST_MS,
);

test(
  "a defect of a client ends the run, and says what it was",
  async () => {
    const target: Target = { kind: "registers", nodes: new Map(), nameServers: [] };
    const nodes = new Map([[1, "127.0.0.1:1"]]);
    const options = { seed: 1 };
    const whole = { ...target, nodes };
    const clients = await startClients(REGISTER_WORKLOAD, whole, options, () => undefined);
    onTestFinished(() => clients.stop());
    // Nobody is left to ask.
    clients.setTarget(target);
    await expect(clients.failed).rejects.toThrow(/process \d of clients of register: .*pick from/u);
    await expect(clients.drain()).rejects.toThrow(/pick from/u);
  },
  TEST_MS,
);
