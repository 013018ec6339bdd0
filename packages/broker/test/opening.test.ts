// Goal: a node that cannot be opened says why, leaves alone what is another's, and holds nothing.
// Method: nodes of groups of one, in directories and at ports that somebody else has.

import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RpcServer } from "@quorumlog/protocol";
import { expect, onTestFinished, test } from "vitest";
import { Broker, type BrokerEvent, type BrokerOptions } from "../src/index.ts";

interface Wish {
  readonly directory: string;
  readonly nodeId?: number;
  readonly more?: Partial<BrokerOptions>;
}

function open({ directory, nodeId = 1, more }: Wish): Promise<Broker> {
  return Broker.open({
    listen: "127.0.0.1:0",
    nameServers: [],
    replica: {
      directory,
      clusterId: "test",
      nodeId,
      // Nobody dials it: it is alone.
      peers: { [nodeId]: "127.0.0.1:1" },
      listen: "127.0.0.1:0",
      token: "a secret of the test",
      ifMissing: "found",
    },
    ...more,
    onDefect: (error) => {
      throw error;
    },
  });
}

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-broker-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return join(folder, "node");
}

/** A port that somebody has, as `host:port`. */
async function takenAddress(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it has no port");
  return `127.0.0.1:${address.port}`;
}

/** Ports that nobody has, as far as anybody can tell. */
async function freeAddresses(): Promise<[string, string]> {
  const at = { listen: "127.0.0.1:0", onDefect: () => undefined };
  const servers = [new RpcServer(at), new RpcServer(at)] as const;
  await Promise.all(servers.map((server) => server.open()));
  const [one, other] = servers;
  const addresses: [string, string] = [`127.0.0.1:${one.port}`, `127.0.0.1:${other.port}`];
  await Promise.all(servers.map((server) => server.close()));
  return addresses;
}

/** Of this process; none where the system does not say. */
function openFiles(): string[] {
  const folder = "/proc/self/fd";
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((descriptor) => {
    try {
      return [readlinkSync(join(folder, descriptor))];
    } catch {
      // It was closed meanwhile.
      return [];
    }
  });
}

test("a directory that is in use, or another node's or group's, is left as it is", async () => {
  const directory = scratch();
  const broker = await open({ directory });
  // As of a span that is just being written.
  const unfinished = join(directory, "queue-index", "span-0000000000000000.new");
  writeFileSync(unfinished, "");

  await expect(open({ directory })).rejects.toMatchObject({ code: "LOG_LOCKED" });
  await expect(open({ directory, nodeId: 2 })).rejects.toThrow("belongs to node 1");
  await expect(open({ directory, more: { groupId: 2 } })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("belongs to broker group 1, and not to 2"),
  });
  expect(existsSync(unfinished)).toBe(true);
  expect(existsSync(join(directory, "group-2"))).toBe(false);

  await broker.close();
  const again = await open({ directory });
  await expect.poll(() => existsSync(unfinished)).toBe(false);
  await again.close();
});

test("a port that is taken fails the start, and the others are free again", async () => {
  const directory = scratch();
  const listen = await takenAddress();
  const metrics = await takenAddress();
  await expect(open({ directory, more: { listen } })).rejects.toThrow("EADDRINUSE");
  const free = new RpcServer({ listen: "127.0.0.1:0", onDefect: () => undefined });
  await free.open();
  const address = `127.0.0.1:${free.port}`;
  await free.close();
  await expect(open({ directory, more: { listen: address, metrics } })).rejects.toThrow(
    "EADDRINUSE",
  );

  const broker = await open({ directory, more: { listen: address } });
  expect(broker.port).toBe(free.port);
  await broker.close();
});

test("a start that fails late lets go of every port and file", async () => {
  const directory = scratch();
  await (await open({ directory })).close();
  const taken = await takenAddress();
  const [listen, metrics] = await freeAddresses();
  const isOpen = (): string[] => openFiles().filter((path) => path.startsWith(directory));
  const wishes: (Partial<BrokerOptions> & { readonly code: string })[] = [
    { listen: taken, code: "LISTEN_FAILED" },
    { listen, metrics: taken, code: "LISTEN_FAILED" },
    // Looks like one, and is none.
    { listen, metrics, nameServers: ["127.0.0.1:99999"], code: "INVALID_ARGUMENT" },
  ];

  for (const { code, ...more } of wishes) {
    await expect(open({ directory, more })).rejects.toMatchObject({ code });
    await expect.poll(isOpen).toEqual([]);
  }

  const broker = await open({ directory, more: { listen, metrics } });
  expect(`127.0.0.1:${broker.port}`).toBe(listen);
  await broker.close();
  await expect.poll(isOpen).toEqual([]);
});

test("a NameServer that is not reached is told of", async () => {
  const nameServer = await takenAddress();
  const events: BrokerEvent[] = [];
  const broker = await open({
    directory: scratch(),
    more: {
      nameServers: [nameServer],
      onEvent: (event) => {
        events.push(event);
      },
    },
  });
  await expect
    .poll(() => events, { timeout: 30_000 })
    .toContainEqual(expect.objectContaining({ type: "nameServerDown", nameServer }));
  await broker.close();
});
