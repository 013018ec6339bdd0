// Goal: whoever opens a node hears why it finds no peers. Method: two nodes on loopback, whose
// owner has given them different tokens.

import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { type ReplicaEvent, ReplicatedLog } from "../src/index.ts";

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
  });
}

test("a node with another token is told of, by both", async () => {
  const ports = [await freePort(), await freePort()];
  const peers = { 1: `127.0.0.1:${ports[0]}`, 2: `127.0.0.1:${ports[1]}` };
  const controller = new AbortController();
  const told = new Map<number, Set<unknown>>([1, 2].map((nodeId) => [nodeId, new Set()]));
  const onEvent = (nodeId: number, event: ReplicaEvent): void => {
    if (event.type === "peerNotReached") told.get(nodeId)?.add(event.code);
    const isEnough = [...told.values()].every((codes) => codes.has("PEER_TOKEN"));
    if (isEnough) controller.abort();
  };

  const opened = [1, 2].map((nodeId) =>
    ReplicatedLog.open({
      directory: "/node",
      clusterId: "c",
      nodeId,
      peers,
      token: `the token of node ${nodeId} alone`,
      ifMissing: "found",
      fileSystem: new MemoryFileSystem({ prng: new Prng(nodeId) }),
      signal: controller.signal,
      onEvent: (event) => {
        onEvent(nodeId, event);
      },
    }),
  );
  const results = await Promise.allSettled(opened);

  for (const result of results) expect(result).toMatchObject({ reason: { code: "ABORTED" } });
});
