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
import type { SnapshotError } from "../src/snapshot-error.ts";
import { CHUNK_HEADER_BYTES } from "../src/snapshot-file.ts";
import { SNAPSHOT_HEADER_BYTES } from "../src/snapshot-header.ts";

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

  async open(scrubEveryMs = 86_400_000): Promise<void> {
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
        scrubEveryMs,
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

/** The log begins behind the first of three snapshots, and the first node leads. */
async function trimmedGroup(scrubEveryMs?: number): Promise<[Node, Node, Node]> {
  const network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
  const nodes = [1, 2, 3].map((nodeId) => new Node(nodeId, network));
  onTestFinished(async () => {
    for (const node of nodes) await node.close();
  });
  await Promise.all(nodes.map((node) => node.open(scrubEveryMs)));
  const [first, second, third] = nodes as [Node, Node, Node];
  await until(() => nodes.some(({ log }) => log.status().role === "leader"));
  if (first.log.status().role !== "leader") await first.log.transferLeadership(1);
  await until(() => first.log.status().role === "leader");
  for (let i = 0; i < 3; i++) {
    await first.log.append(Buffer.from(`${i}`));
    await first.log.snapshot();
    await until(() => nodes.every((node) => node.snapshots().length === i + 1));
  }
  await first.log.trim(1);
  await until(() => nodes.every(({ log }) => log.status().firstOffset === 1));
  await until(() => first.snapshots().length === 3);
  return [first, second, third];
}

test("a leader with a damaged base says so, and hands over", async () => {
  const nodes = await trimmedGroup();
  const [first] = nodes;
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

test("the scrub finds a snapshot that is damaged under a node that runs", async () => {
  const nodes = await trimmedGroup(1_000);
  const [first] = nodes;
  const before = first.snapshots();
  const [base, , newest] = before as [string, string, string];
  const inItsChunk = SNAPSHOT_HEADER_BYTES + CHUNK_HEADER_BYTES + 1;
  const failures = (): string[] =>
    first.events.flatMap((event) =>
      event.type === "snapshotFailed" ? [(event.error as SnapshotError).file ?? ""] : [],
    );
  const has = (type: string): boolean => first.events.some((event) => event.type === type);

  first.fileSystem.damage(newest, inItsChunk, Uint8Array.of(0xa5));
  await until(() => failures().length > 0);
  expect(failures()).toEqual([newest]);
  expect(has("baseDamaged")).toBe(false);

  first.fileSystem.damage(base, inItsChunk, Uint8Array.of(0xa5));
  await until(() => has("baseDamaged"));
  expect(failures()).toEqual([newest, base]);
  // It hands over; then the next trim has the log begin behind a sound one.
  await until(() => nodes.some(({ log }) => log !== first.log && log.status().role === "leader"));
  const { log } = nodes.find((node) => node.log.status().role === "leader") as Node;
  const { firstIndex } = first.log.status();
  await log.append(Buffer.from("3"));
  await log.snapshot();
  await until(() => first.snapshots().some((name) => !before.includes(name)));
  await log.trim(3);
  await until(() => first.log.status().firstIndex > firstIndex);
  // Each was told of once.
  expect(failures()).toEqual([newest, base]);
});
