// Goal: the example is a linearizable store that survives the death of its leader, and no client
// stops it. Method: three processes of it on loopback, built, with tables of both kinds.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "@quorumlog/transport/testing";
import { expect, onTestFinished, test } from "vitest";

const PROGRAM = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const NODE_IDS = [1, 2, 3] as const;
type NodeId = (typeof NODE_IDS)[number];

interface Answer {
  readonly status: number;
  readonly body: string;
}

class Store {
  readonly #folder = mkdtempSync(join(tmpdir(), "quorumlog-kv-"));
  readonly #ports = new Map<NodeId, number>();
  readonly #processes = new Map<NodeId, ChildProcess>();
  #peers = "";

  async begin(): Promise<void> {
    const pairs: string[] = [];
    for (const id of NODE_IDS) {
      pairs.push(`${id}=127.0.0.1:${await freePort()}`);
      this.#ports.set(id, await freePort());
    }
    this.#peers = pairs.join(",");
    await Promise.all(NODE_IDS.map((id) => this.start(id)));
  }

  async start(id: NodeId): Promise<void> {
    const args = [PROGRAM, `${id}`, join(this.#folder, `${id}`), `${this.port(id)}`];
    const child = spawn(process.execPath, [...args, "--tables", id === 3 ? "memory" : "lmdb"], {
      env: { ...process.env, PEERS: this.#peers },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#processes.set(id, child);
    let said = "";
    await new Promise<void>((resolve, reject) => {
      child.stdout.on("data", (bytes: Buffer) => {
        said += bytes.toString();
        if (said.includes("serves on")) resolve();
      });
      child.once("exit", () => {
        reject(new Error(`node ${id} ended before it served: ${said}`));
      });
    });
  }

  /** @returns its exit code, or the signal that ended it. */
  async stop(id: NodeId, signal: NodeJS.Signals): Promise<unknown> {
    const child = this.#processes.get(id) as ChildProcess;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    child.kill(signal);
    const [code, by] = (await once(child, "exit")) as [number | null, string | null];
    return code ?? by;
  }

  async end(): Promise<void> {
    await Promise.all([...this.#processes.keys()].map((id) => this.stop(id, "SIGKILL")));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  port(id: NodeId): number {
    return this.#ports.get(id) as number;
  }

  async get(id: NodeId, key: string): Promise<Answer> {
    const response = await fetch(`http://127.0.0.1:${this.port(id)}/${key}`);
    return { status: response.status, body: await response.text() };
  }

  /** At whichever node of these leads. @returns the leader's id as well. */
  async put(key: string, init: RequestInit, ids = NODE_IDS as readonly NodeId[]) {
    for (let i = 0; i < 600; i++) {
      for (const id of ids) {
        const url = `http://127.0.0.1:${this.port(id)}/${key}`;
        const response = await fetch(url, { method: "PUT", ...init });
        const body = await response.text();
        if (response.status !== 503) return { leaderId: id, status: response.status, body };
        expect(response.headers.get("outcome")).toBe("not-applied");
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error("nobody leads");
  }
}

function onlyIf(value: string): RequestInit {
  return { body: "red", headers: { "if-value": value } };
}

test("three processes keep one value per key, whoever dies and whoever asks", async () => {
  const store = new Store();
  onTestFinished(() => store.end());
  await store.begin();

  const { leaderId, status } = await store.put("color", { body: "blue" });
  expect(status).toBe(204);
  for (const id of NODE_IDS)
    expect(await store.get(id, "color")).toEqual({ status: 200, body: "blue" });
  expect(await store.get(leaderId, "size")).toEqual({ status: 404, body: "" });

  expect(await store.put("color", onlyIf("green"))).toMatchObject({ status: 409, body: "blue" });
  expect(await store.put("color", onlyIf("blue"))).toMatchObject({ status: 204 });
  expect(await store.put("color", onlyIf(""))).toMatchObject({ status: 409, body: "red" });
  expect(await store.put("size", onlyIf(""))).toMatchObject({ status: 204 });
  expect(await store.put("size", { method: "DELETE" })).toMatchObject({ status: 204 });
  expect(await store.get(1, "size")).toMatchObject({ status: 404 });
  expect(await store.put("k".repeat(4_000), { body: "v" })).toMatchObject({ status: 413 });
  expect(await store.get(leaderId, "%zz")).toMatchObject({ status: 400 });

  // A client that goes away in the middle of a request.
  const client = connect(store.port(leaderId), "127.0.0.1");
  client.end("PUT /color HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf");
  client.resume();
  await once(client, "close");

  expect(await store.stop(leaderId, "SIGKILL")).toBe("SIGKILL");
  const left = NODE_IDS.filter((id) => id !== leaderId);
  expect(await store.put("color", { body: "green" }, left)).toMatchObject({ status: 204 });
  await store.start(leaderId);
  for (const id of NODE_IDS)
    expect(await store.get(id, "color")).toEqual({ status: 200, body: "green" });

  expect(await Promise.all(NODE_IDS.map((id) => store.stop(id, "SIGTERM")))).toEqual([0, 0, 0]);
}, 60_000);
