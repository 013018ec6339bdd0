// Goal: a node that lost the snapshot its log begins behind says so, and does not lead where
// another one can.
// Method: a group in memory; a bit of one node's file flips while the group is down.

import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import type { Transport } from "@quorumlog/transport";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { expect, onTestFinished, test } from "vitest";
import {
  type Environment,
  nodeEnvironment,
  type ReplicaEvent,
  ReplicatedLog,
} from "../src/index.ts";
import { groupDirectory } from "../src/node-directory.ts";

/** Ten times as fast: what takes seconds is over in tenths. */
const FAST: Environment = {
  ...nodeEnvironment,
  now: () => nodeEnvironment.now() * 10,
  after: (delayMs, run) => nodeEnvironment.after(delayMs / 10, run),
};
const SNAPSHOTS = `${groupDirectory("/node", 0)}/snapshots`;

class Node {
  readonly nodeId: number;
  readonly fileSystem: MemoryFileSystem;
  readonly events: ReplicaEvent[] = [];
  readonly #network: MemoryNetwork;
  log!: ReplicatedLog;
  #transport!: Transport;

  constructor(nodeId: number, network: MemoryNetwork) {
    this.nodeId = nodeId;
    this.#network = network;
    this.fileSystem = new MemoryFileSystem({ prng: new Prng(nodeId) });
  }

  async open(): Promise<void> {
    this.#transport = this.#network.transport({ nodeId: this.nodeId, incarnation: 1 });
    this.log = await ReplicatedLog.open({
      directory: "/node",
      clusterId: "c",
      nodeId: this.nodeId,
      peers: { 1: "a:1", 2: "b:1", 3: "c:1" },
      transport: this.#transport,
      fileSystem: this.fileSystem,
      environment: FAST,
      ifMissing: "found",
      tuning: {
        heartbeatMs: 500,
        electionMs: 10_000,
        timeoutMs: 100_000,
        segmentBytes: 65_536,
      },
      onEvent: (event) => this.events.push(event),
    });
  }

  async close(): Promise<void> {
    await this.log.close();
    await new Promise<void>((resolve) => {
      this.#transport.close(resolve);
    });
  }

  snapshots(): string[] {
    const names = this.fileSystem.list(SNAPSHOTS) ?? [];
    return names.filter((name) => name.endsWith(".snapshot")).map((name) => `${SNAPSHOTS}/${name}`);
  }
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!isSo()) {
    expect(performance.now()).toBeLessThan(deadline);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a leader with a damaged base says so, and hands over", async () => {
  const network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
  const nodes = [1, 2, 3].map((nodeId) => new Node(nodeId, network));
  onTestFinished(async () => {
    for (const node of nodes) await node.close();
  });
  await Promise.all(nodes.map((node) => node.open()));
  const [first] = nodes as [Node, Node, Node];
  await until(() => nodes.some(({ log }) => log.status().role === "leader"));
  if (first.log.status().role !== "leader") await first.log.transferLeadership(1);
  await until(() => first.log.status().role === "leader");
  for (let i = 0; i < 3; i++) {
    await first.log.append(Buffer.from(`${i}`));
    await first.log.snapshot();
    await until(() => nodes.every((node) => node.snapshots().length === i + 1));
  }
  await first.log.trim(1);
  // The log begins behind the first of three markers now.
  await until(() => nodes.every(({ log }) => log.status().firstOffset === 1));
  await until(() => first.snapshots().length === 3);
  await first.close();
  const [base] = first.snapshots();
  first.fileSystem.damage(base as string, 10, Uint8Array.of(0xa5));

  await first.open();
  expect(first.events).toContainEqual(expect.objectContaining({ type: "baseDamaged" }));
  await first.log.leader();
  await first.log.transferLeadership(1);
  await until(() => first.log.status().role !== "leader");
  await until(() => nodes.some(({ log }) => log.status().role === "leader"));
}, 60_000);
