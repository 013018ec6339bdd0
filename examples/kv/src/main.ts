/**
 * One node of a linearizable key-value store:
 * `node main.js NODE DIRECTORY HTTP_PORT [join] [--tables lmdb|memory]`.
 *
 *     curl -X PUT    localhost:8081/color -d blue
 *     curl           localhost:8081/color
 *     curl -X PUT    localhost:8081/color -d red -H 'if-value: blue'      compare and set
 *     curl -X DELETE localhost:8081/color
 *
 * PEERS names all nodes: `1=127.0.0.1:7101,2=127.0.0.1:7102,3=127.0.0.1:7103`. With tables in
 * LMDB, which is the default, a node is there again sooner.
 */

import { ReplicaError, ReplicatedStateMachine } from "@quorumlog/replica";
import { LmdbTables, MemoryTables } from "@quorumlog/tables";
import { createServer, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { ANSWER, type Command, KeyValueMachine, TABLE_NAMES } from "./kv-machine.ts";

const { positionals, values: flags } = parseArgs({
  allowPositionals: true,
  options: { tables: { type: "string", default: "lmdb" } },
});
const [id = "1", directory = "./kv-1", port = "8081", join] = positionals;
if (flags.tables !== "lmdb" && flags.tables !== "memory") {
  console.error(`--tables ${flags.tables}: is neither lmdb nor memory`);
  process.exit(2);
}
const peers = Object.fromEntries(
  (process.env["PEERS"] ?? "1=127.0.0.1:7101").split(",").map((pair) => pair.split("=")),
) as Record<number, string>;
const checkpoint = flags.tables === "lmdb" ? new LmdbTables(TABLE_NAMES) : undefined;
const machine = new KeyValueMachine(checkpoint ?? new MemoryTables(TABLE_NAMES));
const group = await ReplicatedStateMachine.open(
  {
    directory,
    clusterId: "kv",
    nodeId: Number(id),
    ifMissing: join === "join" ? "join" : "found",
    peers,
    token: process.env["TOKEN"] ?? "a token for examples",
    ...(checkpoint === undefined ? {} : { checkpoint }),
    onEvent: (event) => {
      if (event.type === "founding") console.log(`waiting for nodes ${event.waitingFor.join()}`);
      if (event.type === "peerNotReached") console.log(`node ${event.nodeId}: ${event.reason}`);
      if (event.type !== "failed") return;
      console.error(event.error);
      process.exit(1);
    },
  },
  machine,
);

function keyOf(url: string): string | undefined {
  try {
    return decodeURIComponent(url.slice(1));
  } catch {
    return undefined;
  }
}

async function answer(request: IncomingMessage): Promise<[number, string]> {
  const key = keyOf(request.url ?? "/");
  if (key === undefined) return [400, "the key is not well encoded\n"];
  if (request.method === "GET") {
    await group.readBarrier();
    const value = machine.get(key);
    return value === undefined ? [404, ""] : [200, value];
  }
  const value = request.method === "DELETE" ? null : await text(request);
  const expected = request.headers["if-value"];
  const command: Command = {
    key,
    value,
    ...(typeof expected === "string" ? { expected: expected === "" ? null : expected } : {}),
  };
  const [outcome] = await group.execute(Buffer.from(JSON.stringify(command)));
  if (outcome === ANSWER.refused) return [413, "the key or the value is too large\n"];
  return outcome === ANSWER.done ? [204, ""] : [409, machine.get(key) ?? ""];
}

const server = createServer((request, response) => {
  answer(request).then(
    ([status, body]) => response.writeHead(status).end(body),
    (error: unknown) => {
      // Whoever went away before the end of a request hears of nothing, and stops no node.
      if (request.destroyed && !request.complete) return;
      if (!(error instanceof ReplicaError)) throw error;
      const { code, outcome, leaderId = "", message } = error;
      response.writeHead(503, { code, outcome, "leader-id": leaderId }).end(`${message}\n`);
    },
  );
});
server.listen(Number(port), "127.0.0.1", () => {
  console.log(`node ${id} serves on http://127.0.0.1:${port}`);
});

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    server.close();
    server.closeAllConnections();
    void group.close().then(() => process.exit(0));
  });
