// Goal: a broker group that is closed while it makes itself known leaves nothing open behind it.
// Method: a node of a group of its own, over real sockets, to a metadata group that keeps it
// waiting.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BrokerRegistration, NameServer } from "@quorumlog/nameserver";
import { ADMIN_SERVICE, RpcServer } from "@quorumlog/protocol";
import { expect, onTestFinished, test } from "vitest";
import { Broker } from "../src/index.ts";

function onDefect(error: unknown): never {
  throw error;
}

/** Of the admin service, what a group that follows asks for; it registers nobody until it may. */
class SlowMetadata {
  watching = 0;
  registering = 0;
  #letGo: () => void = () => undefined;
  readonly #may = new Promise<void>((resolve) => {
    this.#letGo = resolve;
  });
  readonly #server = new RpcServer({ listen: "127.0.0.1:0", onDefect });

  async open(nameServer: string): Promise<void> {
    const { registerGroup, watchMetadata } = ADMIN_SERVICE;
    this.#server.handle(
      { registerGroup, watchMetadata },
      {
        registerGroup: {
          unary: async () => {
            this.registering += 1;
            await this.#may;
            return {};
          },
        },
        watchMetadata: {
          serverStream: (call) => {
            this.watching += 1;
            call.on("cancelled", () => {
              this.watching -= 1;
            });
          },
        },
      },
    );
    await this.#server.open();
    const registration = new BrokerRegistration(
      { nameServers: [nameServer] },
      {
        clusterId: "test",
        nodeId: 1,
        address: `127.0.0.1:${this.#server.port}`,
        group: {
          groupId: 1,
          name: "broker-a",
          term: 1,
          leaderNodeId: 1,
          voterNodeIds: [1],
          learnerNodeIds: [],
        },
        metadata: { version: 1, topics: [], configuration: [] },
      },
    );
    onTestFinished(async () => {
      await registration.close();
      await this.#server.close(0);
    });
  }

  letGo(): void {
    this.#letGo();
  }
}

test("a group that is closed while it registers watches nothing afterwards", async () => {
  const nameServer = await NameServer.open({ listen: "127.0.0.1:0" }, { onDefect });
  onTestFinished(() => nameServer.close());
  const metadata = new SlowMetadata();
  await metadata.open(nameServer.address);
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-broker-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const broker = await Broker.open({
    listen: "127.0.0.1:0",
    groupId: 2,
    nameServers: [nameServer.address],
    replica: {
      directory: join(folder, "node"),
      clusterId: "test",
      nodeId: 2,
      // Nobody dials it: it is alone.
      peers: { 2: "127.0.0.1:1" },
      listen: "127.0.0.1:0",
      token: "a secret of the test",
      ifMissing: "found",
    },
    onDefect,
  });
  await expect.poll(() => metadata.registering, { timeout: 20_000 }).toBeGreaterThan(0);

  await broker.close();
  metadata.letGo();

  // As long as it takes to begin a stream, many times.
  await new Promise((resolve) => setTimeout(resolve, 500));
  await expect.poll(() => metadata.watching, { timeout: 20_000 }).toBe(0);
});
