// Goal: a replica lives in a worker thread as it does in a process, and its owner is told which of
// his functions keeps it waiting.
// Method: three workers of this process, with sockets and files of their own; built code, as a user
// would run it.

import { freePort } from "@quorumlog/transport/testing";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";

type Answer = Readonly<Record<string, unknown>>;

/** Opens what it is told to, and does what it is asked. */
const NODE = `
const { parentPort, workerData } = require("node:worker_threads");
const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
const events = [];
let count = 0;
/** Counts commands, and blocks for those that say so. */
const machine = {
  apply({ records }) {
    return records.map((record) => {
      count += 1;
      if (Buffer.from(record).toString() === "slow") sleep(150);
      return Buffer.from(String(count));
    });
  },
  *snapshot() { yield Buffer.from(String(count)); },
  restore(chunks) { for (const chunk of chunks) count = Number(Buffer.from(chunk)); },
};
const run = async () => {
  const { ReplicatedLog, ReplicatedStateMachine } = await import("@quorumlog/replica");
  const options = {
    ...workerData.options,
    tuning: { segmentBytes: 65_536, snapshotEveryBytes: 65_536, electionMs: 3_000 },
    onEvent: ({ type, name, milliseconds }) => events.push({ type, name, milliseconds }),
  };
  const group = workerData.kind === "log"
    ? await ReplicatedLog.open(options)
    : await ReplicatedStateMachine.open(options, machine);
  const requests = {
    leader: () => group.leader(),
    append: async (text) => (await group.append(Buffer.from(text))).offset,
    execute: async (text) => Buffer.from(await group.execute(Buffer.from(text))).toString(),
    read: async () => {
      await group.readBarrier();
      return group.read(0).records.map(({ data }) => Buffer.from(data).toString());
    },
    events: () => events,
    close: () => group.close(),
  };
  parentPort.on("message", async ({ what, text }) => {
    const value = await requests[what](text);
    parentPort.postMessage({ value });
    if (what === "close") parentPort.close();
  });
  parentPort.postMessage({ value: "open" });
};
run();
`;

class Node {
  readonly #worker: Worker;
  readonly exited: Promise<number>;

  constructor(workerData: object) {
    // Without the conditions of this process, by which sources stand for what is built of them.
    this.#worker = new Worker(NODE, { eval: true, execArgv: [], workerData });
    this.exited = new Promise((resolve) => this.#worker.once("exit", resolve));
  }

  answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#worker.once("message", ({ value }: Answer) => {
        this.#worker.off("error", reject);
        resolve(value);
      });
      this.#worker.once("error", reject);
    });
  }

  ask(what: string, text?: string): Promise<unknown> {
    const answer = this.answer();
    this.#worker.postMessage({ what, text });
    return answer;
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }
}

async function openThree(kind: "log" | "machine"): Promise<Node[]> {
  const directory = mkdtempSync(join(tmpdir(), "quorumlog-worker-"));
  const ports = [await freePort(), await freePort(), await freePort()];
  const peers = Object.fromEntries(ports.map((port, i) => [i + 1, `127.0.0.1:${port}`]));
  const nodes = [1, 2, 3].map((nodeId) => {
    const common = { clusterId: "c", peers, token: "a secret of the tests", ifMissing: "found" };
    const options = { ...common, directory: join(directory, `${nodeId}`), nodeId };
    return new Node({ kind, options });
  });
  onTestFinished(async () => {
    await Promise.all(nodes.map((node) => node.terminate()));
    rmSync(directory, { recursive: true, force: true });
  });
  await Promise.all(nodes.map((node) => node.answer()));
  return nodes;
}

async function closeAll(nodes: readonly Node[]): Promise<void> {
  for (const node of nodes) await node.ask("close");
  expect(await Promise.all(nodes.map(({ exited }) => exited))).toEqual([0, 0, 0]);
}

test("three workers of a process are a group: they append, read and close", async () => {
  const nodes = await openThree("log");
  const leader = nodes[Number(await nodes[0]?.ask("leader")) - 1] as Node;
  for (let i = 0; i < 20; i++) expect(await leader.ask("append", `record ${i}`)).toBe(i);

  const expected = Array.from({ length: 20 }, (_, i) => `record ${i}`);
  for (const node of nodes) expect(await node.ask("read")).toEqual(expected);
  await closeAll(nodes);
}, 30_000);

test("a function that blocks its worker is named, and blocks nobody else", async () => {
  const nodes = await openThree("machine");
  const leader = nodes[Number(await nodes[0]?.ask("leader")) - 1] as Node;
  let turns = 0;
  const look = setInterval(() => {
    turns += 1;
  }, 5);
  expect(await leader.ask("execute", "slow")).toBe("1");
  clearInterval(look);

  const events = (await leader.ask("events")) as Answer[];
  const slow = events.find(({ type }) => type === "slowCallback");
  expect(slow).toMatchObject({ name: "apply" });
  expect(slow?.["milliseconds"]).toBeGreaterThanOrEqual(150);
  expect(turns).toBeGreaterThan(3);
  await closeAll(nodes);
}, 30_000);
