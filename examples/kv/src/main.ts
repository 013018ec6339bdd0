/** One node: `PEERS=... node main.js NODE DIRECTORY HTTP_PORT [join] [--tables lmdb|memory]`. */

import { ReplicaError, type ReplicaEvent, ReplicatedStateMachine } from "@quorumlog/replica";
import { LmdbTables, MemoryTables } from "@quorumlog/tables";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { type Command, KeyValueMachine, STATUSES, TABLE_NAMES } from "./kv-machine.ts";

const options = { tables: { type: "string", default: "lmdb" } } as const;
const { positionals, values: flags } = parseArgs({ allowPositionals: true, options });
const [id = "1", directory = "./kv-1", port = "8081", join] = positionals;
const pairs = (process.env["PEERS"] ?? "1=127.0.0.1:7101").split(",");
const node = {
  directory,
  clusterId: "kv",
  nodeId: Number(id),
  ifMissing: join === "join" ? "join" : "found",
  peers: Object.fromEntries(pairs.map((pair) => pair.split("="))) as Record<number, string>,
  token: process.env["TOKEN"] ?? "a token for examples",
  onEvent: (event: ReplicaEvent) => {
    if (event.type === "failed") throw event.error;
    if (event.type === "founding") console.log(`waiting for nodes ${event.waitingFor.join()}`);
    if (event.type === "peerNotReached") console.log(`node ${event.nodeId}: ${event.reason}`);
  },
} as const;
const tables = new (flags.tables === "memory" ? MemoryTables : LmdbTables)(TABLE_NAMES);
const machine = new KeyValueMachine(tables);
const checkpoint = tables instanceof LmdbTables ? { checkpoint: tables } : {};
const group = await ReplicatedStateMachine.open({ ...node, ...checkpoint }, machine);

async function answer({ method, url = "/", headers }: IncomingMessage, body: string) {
  const key = decodeURIComponent(url.slice(1));
  if (method === "GET") await group.readBarrier();
  const value = machine.get(key);
  if (method === "GET") return { status: value === undefined ? 404 : 200, value };
  const expected = headers["if-value"] as string | undefined;
  const command: Command = { key, value: method === "DELETE" ? null : body, expected };
  const [outcome = 0] = await group.execute(Buffer.from(JSON.stringify(command)));
  return { status: STATUSES[outcome] ?? 500, value: outcome === 1 ? machine.get(key) : "" };
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const { status, value = "" } = await answer(request, await text(request));
    response.writeHead(status).end(value);
  } catch (error) {
    const { code, outcome, leaderId, message } = error as ReplicaError;
    // A client that went away, or a key that is not well encoded, stops no node.
    if (!(error instanceof ReplicaError)) response.writeHead(400).end(`${message}\n`);
    else response.writeHead(503, { code, outcome, "leader-id": leaderId ?? 0 }).end(`${message}\n`);
  }
}

createServer((request, response) => void serve(request, response))
  .on("listening", () => console.log(`node ${id} serves on http://127.0.0.1:${port}`))
  .listen(Number(port), "127.0.0.1");
const stop = (): void => void group.close().then(() => process.exit(0));
process.on("SIGINT", stop).on("SIGTERM", stop);
