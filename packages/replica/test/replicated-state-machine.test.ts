// Goal: every copy of the state machine is the same, whatever became of its node meanwhile.
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import type { Transport } from "@quorumlog/transport";
import { afterEach, describe, expect, test } from "vitest";
import {
  type Machine,
  MemoryTable,
  nodeEnvironment,
  type RecordBatch,
  type ReplicaEvent,
  ReplicatedStateMachine,
} from "../src/index.ts";

/** Sets `key=value`, and answers with what stood there. */
class Table implements Machine {
  readonly table = new MemoryTable();

  apply({ records }: RecordBatch): Uint8Array[] {
    return records.map((record) => {
      const [key = "", value = ""] = Buffer.from(record).toString().split("=");
      const before = this.table.get(key) ?? new Uint8Array(0);
      this.table.set(key, Buffer.from(value));
      return before;
    });
  }

  snapshot(): Iterable<Uint8Array> {
    return this.table.snapshot();
  }

  restore(chunks: Iterable<Uint8Array>): void {
    this.table.restore(chunks);
  }

  get contents(): Record<string, string> {
    const rows = [...this.table.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(rows.map(([key, value]) => [key, Buffer.from(value).toString()]));
  }
}

interface Node {
  readonly nodeId: number;
  readonly fileSystem: MemoryFileSystem;
  machine: Table;
  group: ReplicatedStateMachine;
  transport: Transport;
}

const PEERS = { 1: "a:1", 2: "b:1", 3: "c:1" };
const network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
const nodes: Node[] = [];
const events: ReplicaEvent[] = [];

async function open(nodeId: number, fileSystem: MemoryFileSystem, isNew: boolean): Promise<Node> {
  const machine = new Table();
  const transport = network.transport({ nodeId, incarnation: 1 });
  const group = await ReplicatedStateMachine.open(
    {
      directory: "/node",
      clusterId: "c",
      nodeId,
      peers: PEERS,
      transport,
      fileSystem,
      ifMissing: isNew ? "found" : "fail",
      tuning: { segmentBytes: 65_536, snapshotEveryBytes: 65_536 },
      onEvent: (event) => events.push(event),
    },
    machine,
  );
  return { nodeId, fileSystem, machine, group, transport };
}

function disk(seed: number): MemoryFileSystem {
  return new MemoryFileSystem({ prng: new Prng(seed) });
}

async function start(): Promise<void> {
  // Founders wait for each other.
  nodes.push(...(await Promise.all([1, 2, 3].map((nodeId) => open(nodeId, disk(nodeId), true)))));
}

async function kill(node: Node): Promise<void> {
  await new Promise<void>((resolve) => {
    node.transport.close(resolve);
  });
  await node.group.close({ handOver: false });
}

async function restart(node: Node): Promise<void> {
  Object.assign(node, await open(node.nodeId, node.fileSystem, false));
}

async function leader(): Promise<Node> {
  for (;;) {
    const found = nodes.find(({ group }) => group.status().role === "leader");
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function set(text: string): Promise<string> {
  const { group } = await leader();
  return Buffer.from(await group.execute(Buffer.from(text))).toString();
}

afterEach(async () => {
  for (const node of nodes.splice(0)) await kill(node);
  events.length = 0;
});

function* failingPieces(): Generator<Uint8Array> {
  yield Buffer.from("a");
  throw new Error("no more");
}

describe("a replicated state machine", () => {
  test("answers a command, and is the same on every node behind a barrier", async () => {
    await start();

    const answers = [await set("a=1"), await set("a=2"), await set("b=3")];

    expect(answers).toEqual(["", "1", ""]);
    for (const { group, machine } of nodes) {
      await group.readBarrier();
      expect(machine.contents).toEqual({ a: "2", b: "3" });
    }
  });

  test("executes several commands with nothing between", async () => {
    await start();
    const { group } = await leader();

    const answers = await group.executeAll([Buffer.from("a=1"), Buffer.from("a=2")]);

    expect(answers.map((answer) => Buffer.from(answer).toString())).toEqual(["", "1"]);
  });

  test("gives a repeated command its first answer", async () => {
    await start();
    const { group } = await leader();
    const { sessionId } = await group.openSession();
    const session = { sessionId, sequence: 1 };
    await group.execute(Buffer.from("a=1"));

    const first = await group.execute(Buffer.from("a=2"), { session });
    await group.execute(Buffer.from("a=3"));
    const again = await group.execute(Buffer.from("a=2"), { session });

    expect([first, again].map((answer) => Buffer.from(answer).toString())).toEqual(["1", "1"]);
    expect((await leader()).machine.contents).toEqual({ a: "3" });
  });

  test("keeps the answer of a session from whoever was given it", async () => {
    await start();
    const { group } = await leader();
    const { sessionId } = await group.openSession();
    const session = { sessionId, sequence: 1 };
    await group.execute(Buffer.from("a=1"));
    const answers: string[] = [];

    for (let i = 0; i < 3; i++) {
      const answer = await group.execute(Buffer.from("a=2"), { session });
      answers.push(Buffer.from(answer).toString());
      answer.fill(0);
    }

    expect(answers).toEqual(["1", "1", "1"]);
  });

  test("refuses numbers of a session that are none, and nothing beside them", async () => {
    await start();
    const { group } = await leader();

    const [refused] = await Promise.allSettled([
      group.execute(Buffer.from("a=1"), { session: { sessionId: Number.NaN, sequence: 1 } }),
      group.execute(Buffer.from("b=1")),
    ]);

    expect(refused).toMatchObject({ reason: { code: "INVALID_ARGUMENT" } });
    expect((await leader()).machine.contents).toEqual({ b: "1" });
  });

  test("keeps no more of its log than its snapshots need", async () => {
    await start();

    for (let i = 0; i < 60; i++) await set(`key-${i % 7}=${String(i).repeat(4_000)}`);

    const status = (await leader()).group.status();
    expect(status.firstIndex).toBeGreaterThan(20);
    expect(status.logBytes).toBeLessThan(600_000);
  });

  test("is there again after a restart, from a snapshot and the log behind it", async () => {
    await start();
    for (let i = 0; i < 30; i++) await set(`key-${i % 7}=${String(i).repeat(3_000)}`);
    const before = (await leader()).machine.contents;
    for (const node of nodes) await kill(node);

    for (const node of nodes) await restart(node);
    await (await leader()).group.readBarrier();

    expect((await leader()).machine.contents).toEqual(before);
  });

  test("comes to a node that missed too much as a snapshot", async () => {
    await start();
    const late = nodes.find(({ group }) => group.status().role !== "leader") as Node;
    await kill(late);
    nodes.splice(nodes.indexOf(late), 1);
    for (let i = 0; i < 60; i++) await set(`key-${i % 7}=${String(i).repeat(4_000)}`);

    await restart(late);
    nodes.push(late);
    await late.group.readBarrier();

    expect(late.machine.contents).toEqual((await leader()).machine.contents);
    expect(events.map(({ type }) => type)).toContain("snapshotInstalled");
  });

  test("that throws stops its node, and says why", async () => {
    await start();
    const { group, machine } = await leader();
    machine.apply = () => {
      throw new Error("not today");
    };

    await expect(group.execute(Buffer.from("a=1"))).rejects.toThrow(/not today/u);

    expect(events.find(({ type }) => type === "failed")).toBeDefined();
    await expect(group.execute(Buffer.from("a=1"))).rejects.toMatchObject({ code: "FAILED" });
  });

  test.each([
    ["a promise", () => Promise.resolve([]), /apply .* it returned something else/u],
    ["nothing", () => undefined, /apply .* it returned something else/u],
    ["too few answers", () => [], /apply .* it returned 0 for 1/u],
    ["a text", () => ["done"], /apply .* one is something else/u],
  ])("that answers with %s stops its node, and says what it should be", async (_, apply, why) => {
    await start();
    const { group, machine } = await leader();
    machine.apply = apply as never;

    await expect(group.execute(Buffer.from("a=1"))).rejects.toThrow(why);
  });

  test("whose snapshot throws stops its node, and says so", async () => {
    await start();
    const { group, machine } = await leader();
    machine.snapshot = failingPieces;

    await group.snapshot();

    await expect
      .poll(() => events.find(({ type }) => type === "failed"))
      .toMatchObject({
        error: { message: expect.stringMatching(/^a snapshot .*: no more \(/u) as string },
      });
  });
});
