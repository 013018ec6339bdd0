// Goal: nothing that a stranger sends takes a NameServer down, changes a route, or costs memory.
// Method: raw gRPC calls over real sockets, beside a broker and a client that must not notice.
import { once } from "node:events";
import { fromGrpcFailure, NAME_SERVER_SERVICE, RpcChannel } from "@quorumlog/protocol";
import type { OperationError } from "@quorumlog/protocol";
import { type Cluster, MessageType, type Registration } from "@quorumlog/protocol/messages";
import { VirtualTime } from "@quorumlog/transport/testing";
import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { registrationMessage } from "../src/cluster-message.ts";
import type { NameServer } from "../src/name-server.ts";
import {
  metadata,
  registration,
  startBroker,
  startNameServer,
  startWatch,
  until,
  view,
} from "./kit/registrations.ts";

type Message = Registration.$Properties;

function channelTo({ address }: NameServer): RpcChannel {
  const channel = new RpcChannel({ address });
  onTestFinished(() => {
    channel.close();
  });
  return channel;
}

/** How a stream ends that says this. */
async function refusalOf(
  channel: RpcChannel,
  ...messages: readonly Message[]
): Promise<OperationError> {
  const call = channel.duplex(NAME_SERVER_SERVICE.register);
  call.on("data", () => undefined);
  for (const message of messages) call.write(message);
  const [error] = (await once(call, "error")) as [Error];
  return fromGrpcFailure(error);
}

const good = (): Message => registrationMessage(registration(9));
const messageType = MessageType.MESSAGE_TYPE_NORMAL;
const topic = { name: "orders", topicId: 1, messageType, queueGroupIds: [1] };

test.each<[string, Message, string]>([
  ["cluster_id", { ...good(), clusterId: "" }, "0 bytes are not in [1, 256]"],
  ["cluster_id", { ...good(), clusterId: "é".repeat(129) }, "258 bytes are not in [1, 256]"],
  ["cluster_id", { ...good(), clusterId: "a\u001b[2J" }, '"a\\u001b[2J" has control characters'],
  ["node_id", { ...good(), nodeId: 0 }, "0 is not an integer in [1, 2^32)"],
  ["address", { ...good(), address: "nowhere" }, '"nowhere": no port: expected host:port'],
  ["address", { ...good(), address: `${"a".repeat(400)}:1` }, "402 characters are more than 300"],
  ["group", { ...good(), group: null }, "the first registration of a stream is whole"],
  [
    "group.term",
    { ...good(), group: { ...good().group, term: 2 ** 53 } },
    "9007199254740992 is not an integer in [0, 2^53)",
  ],
  [
    "group.name",
    { ...good(), group: { ...good().group, name: "a\nb" } },
    '"a\nb" has others than letters, digits, %, |, _ and -',
  ],
  [
    "group.voter_node_ids",
    {
      ...good(),
      group: { ...good().group, voterNodeIds: Array.from({ length: 65 }, (_, i) => i) },
    },
    "65 are more than 64",
  ],
  [
    "group: a member",
    { ...good(), group: { ...good().group, voterNodeIds: [1, 2], learnerNodeIds: [2] } },
    "2 is there twice",
  ],
  [
    "metadata.topics: a topic_id",
    { ...good(), metadata: { version: 1, topics: [topic, { ...topic, name: "stock" }] } },
    "1 is there twice",
  ],
  [
    "metadata.topics[0].queue_group_ids",
    { ...good(), metadata: { topics: [{ ...topic, queueGroupIds: Array(2_000).fill(1) }] } },
    "2000 are more than 1024",
  ],
  [
    "metadata.configuration[0].value",
    {
      ...good(),
      metadata: { configuration: [{ namespace: "n", key: "k", value: "x".repeat(70_000) }] },
    },
    "70000 bytes are more than 65536",
  ],
])("a registration with a bad %s is refused", async (field, message, problem) => {
  const server = await startNameServer();

  const error = await refusalOf(channelTo(server), message);

  expect(error.code).toBe("INVALID_ARGUMENT");
  expect(error.problems).toEqual([{ field, problem }]);
});

test("a stream is of one node; one that says otherwise is ended, and off the routes", async () => {
  const server = await startNameServer();
  const channel = channelTo(server);
  startBroker([server], registration(1));

  const other = await refusalOf(channel, good(), { ...good(), nodeId: 8 });
  const elsewhere = await refusalOf(channel, good(), { ...good(), clusterId: "bank" });

  expect(other.problems).toEqual([{ field: "node_id", problem: "this stream is of node 9" }]);
  expect(elsewhere.problems).toEqual([
    { field: "cluster_id", problem: "this stream is of cluster shop" },
  ]);
  const watch = startWatch([server]);
  await until(() => watch.cluster?.groups[0]?.nodes.length === 1);
});

test("of many problems twenty are named", async () => {
  const server = await startNameServer();
  const voterNodeIds = Array.from({ length: 64 }, () => 0);

  const error = await refusalOf(channelTo(server), { ...good(), group: { voterNodeIds } });

  expect(error.problems).toHaveLength(20);
  expect(error.message).toMatch(/; and \d+ more$/u);
});

test("a message of any bytes ends its own stream, and nothing else", async () => {
  const defects: unknown[] = [];
  const server = await startNameServer(
    {},
    {
      onDefect: (error) => {
        defects.push(error);
      },
    },
  );
  const channel = channelTo(server);
  const broker = startBroker([server], registration(1));
  const watch = startWatch([server]);
  await watch.ready();
  const before = watch.cluster;
  const raw = {
    ...NAME_SERVER_SERVICE.register,
    requestSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
  };

  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const call = channel.duplex(raw);
      const isOver = new Promise((resolve) => {
        call.on("status", resolve);
      });
      call.on("error", () => undefined);
      call.on("data", () => undefined);
      call.write(bytes);
      call.end();
      await isOver;
    }),
    { numRuns: 200 },
  );

  expect(defects).toEqual([]);
  expect(broker.upCount).toBe(1);
  expect(watch.cluster).toBe(before);
});

test("a message that is too large is refused by its length", async () => {
  const server = await startNameServer({ messageBytesMax: 4_096 });
  const names = Array.from({ length: 200 }, (_, i) => `orders-${i}`);
  const message = registrationMessage(registration(9, { metadata: metadata(1, ...names) }));

  const call = channelTo(server).duplex(NAME_SERVER_SERVICE.register);
  call.on("data", () => undefined);
  call.write(message);

  const [error] = (await once(call, "error")) as [{ details: string }];
  expect(error.details).toMatch(/larger than max/u);
});

test("over a limit is said to whoever is over it", async () => {
  const server = await startNameServer({
    clusterCountMax: 1,
    registrationCountMax: 2,
    watcherCountMax: 1,
    topicCountMax: 1,
  });
  const channel = channelTo(server);
  const broker = startBroker([server], registration(1));
  await until(() => broker.upCount === 1);
  const watch = startWatch([server]);
  await watch.ready();

  const many = registrationMessage(registration(9, { metadata: metadata(1, "a", "b") }));
  expect((await refusalOf(channel, many)).problems[0]?.problem).toBe("2 are more than 1");
  const foreign = await refusalOf(channel, { ...good(), clusterId: "bank" });
  expect(foreign.code).toBe("TOO_MANY");
  startBroker([server], registration(2));
  await until(() => watch.cluster?.groups[0]?.nodes.length === 2);
  expect((await refusalOf(channel, good())).code).toBe("TOO_MANY");
  const second = channel.serverStream(NAME_SERVER_SERVICE.watchCluster, {});
  second.on("data", () => undefined);
  const [error] = (await once(second, "error")) as [Error];
  expect(fromGrpcFailure(error).code).toBe("TOO_MANY");
});

test("a stream that says nothing is ended", async () => {
  const time = new VirtualTime();
  const server = await startNameServer({}, { scheduler: time });
  const refusal = refusalOf(channelTo(server));
  const broker = startBroker([server], registration(1));
  await until(() => broker.upCount === 1);

  time.pass(30_000);

  expect((await refusal).code).toBe("TIMEOUT");
});

test("topics of a watch are checked", async () => {
  const server = await startNameServer();
  const broker = startBroker([server], registration(1));
  await until(() => broker.upCount === 1);
  const channel = channelTo(server);
  const get = (topics: string[]) => channel.call(NAME_SERVER_SERVICE.getCluster, { topics });

  await expect(get(["a\u0007"])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(get(Array(1_001).fill("a"))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(get(["orders"])).resolves.toMatchObject({ clusterId: "shop" });
});

test("a watcher that does not read is told the newest when it does, and little else", async () => {
  const server = await startNameServer({ messageBytesMax: 16 * 1024 * 1024 });
  // So large that a few of them fill whatever is between the two.
  const names = Array.from({ length: 10_000 }, (_, i) => `topic-${i}-`.padEnd(120, "x"));
  const broker = startBroker([server], registration(1, { metadata: metadata(1, ...names) }));
  const watch = startWatch([server]);
  await watch.ready();
  const call = channelTo(server).serverStream(NAME_SERVER_SERVICE.watchCluster, {});
  const versions: number[] = [];
  call.on("error", () => undefined);
  call.on("data", ({ metadata: told }: Cluster) => {
    versions.push(told?.version ?? 0);
    if (versions.length === 1) call.pause();
  });
  await until(() => versions.length === 1);
  const last = 60;

  for (let version = 2; version <= last; version += 1) {
    broker.tell({ metadata: metadata(version, ...names), group: view({ term: version }) });
    await until(() => watch.cluster?.metadata?.version === version);
  }

  call.resume();
  await until(() => versions.at(-1) === last);
  expect(versions.length).toBeLessThan(30);
  call.cancel();
});
