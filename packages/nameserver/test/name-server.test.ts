// Goal: what brokers say reaches watching clients at once, and outlives the NameServers they told.
// Method: NameServers, brokers' registrations and watches in this process, over real sockets.
import { OperationError } from "@quorumlog/protocol";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { BrokerRegistration } from "../src/broker-registration.ts";
import type { ClusterWatchEvent } from "../src/cluster-watch.ts";
import { NameServer } from "../src/name-server.ts";
import type { NameServerEvent } from "../src/name-server-event.ts";
import { VirtualTime } from "@quorumlog/transport/testing";
import {
  metadata,
  registration,
  startBroker,
  startNameServer,
  startWatch,
  until,
  view,
} from "./kit/registrations.ts";

/** Before who has lost a NameServer tries it again. */
const DELAY_MS_MAX = 400;

test("a route carries leader, term and replicas of a group, and the metadata", async () => {
  const server = await startNameServer();
  startBroker([server], registration(1, { metadata: metadata(3, "orders") }));
  startBroker([server], registration(2));
  startBroker([server], registration(3, { group: view({ voterNodeIds: [1, 2] }) }));
  const watch = startWatch([server]);

  await until(() => (watch.cluster?.groups[0]?.nodes.length ?? 0) === 3);
  await watch.ready();

  expect(watch.cluster).toEqual({
    clusterId: "shop",
    groups: [
      {
        groupId: 1,
        name: "broker-a",
        term: 1,
        leaderNodeId: 1,
        nodes: [
          { nodeId: 1, address: "127.0.0.1:20001", isVoter: true },
          { nodeId: 2, address: "127.0.0.1:20002", isVoter: true },
          { nodeId: 3, address: "127.0.0.1:20003", isVoter: true },
        ],
      },
    ],
    metadata: metadata(3, "orders"),
  });
});

test("a new leader is told without a timer, and without the metadata that are known", async () => {
  const scheduler = new VirtualTime();
  const server = await startNameServer({}, { scheduler });
  startBroker([server], registration(1, { metadata: metadata(3, "orders") }), { scheduler });
  const second = startBroker([server], registration(2), { scheduler });
  const watch = startWatch([server], { scheduler });
  await until(() => (watch.cluster?.groups[0]?.nodes.length ?? 0) === 2);

  // No time passes for anybody: whatever arrives was pushed.
  for (let term = 2; term <= 10; term += 1) {
    second.tell({ group: view({ term, leaderNodeId: 2 }) });
    await until(() => watch.cluster?.groups[0]?.term === term);
  }

  expect(watch.cluster?.groups[0]?.leaderNodeId).toBe(2);
  expect(watch.cluster?.metadata).toEqual(metadata(3, "orders"));
});

test("a topic and a configuration value reach those who watch, newest only", async () => {
  const server = await startNameServer();
  const broker = startBroker([server], registration(1, { metadata: metadata(3, "orders") }));
  const watch = startWatch([server]);
  const narrow = startWatch([server], { topics: ["stock"] });
  await Promise.all([watch.ready(), narrow.ready()]);

  broker.tell({ metadata: metadata(4, "orders", "stock") });
  await until(() => watch.cluster?.metadata?.version === 4);
  broker.tell({ metadata: metadata(2) });
  broker.tell({ group: view({ term: 9 }) });
  await until(() => watch.cluster?.groups[0]?.term === 9);

  expect(watch.cluster?.metadata).toEqual(metadata(4, "orders", "stock"));
  await until(() => narrow.cluster?.metadata?.version === 4);
  expect(narrow.cluster?.metadata?.topics.map(({ name }) => name)).toEqual(["stock"]);
});

test("the end of a stream takes its node off the routes; a client keeps the last one", async () => {
  const server = await startNameServer();
  const leader = startBroker([server], registration(1));
  startBroker([server], registration(2));
  const watch = startWatch([server]);
  await until(() => (watch.cluster?.groups[0]?.nodes.length ?? 0) === 2);

  await leader.close();
  const late = startWatch([server]);
  await until(() => (late.cluster?.groups[0]?.nodes.length ?? 0) === 1);

  expect(late.cluster?.groups[0]).toMatchObject({ leaderNodeId: 0, nodes: [{ nodeId: 2 }] });
  expect(watch.cluster?.groups[0]?.leaderNodeId).toBe(1);
});

test("a node that is silent for too long leaves the routes, and comes back by itself", async () => {
  const time = new VirtualTime();
  const events: NameServerEvent[] = [];
  const onEvent = (event: NameServerEvent): void => {
    events.push(event);
  };
  const server = await startNameServer({}, { scheduler: time, onEvent });
  const broker = startBroker([server], registration(1));
  await until(() => broker.upCount === 1);

  time.pass(120_000);
  expect(events.filter(({ type }) => type === "left")).toEqual([]);
  time.pass(10_000);

  const left = { type: "left", clusterId: "shop", nodeId: 1, reason: "expired" };
  expect(events.filter(({ type }) => type === "left")).toEqual([left]);
  await until(() => broker.upCount === 0);
  await until(() => broker.upCount === 1);
});

test("heartbeats keep a node on the routes", async () => {
  const time = new VirtualTime();
  const reasons: string[] = [];
  const server = await startNameServer(
    {},
    {
      scheduler: time,
      onEvent: (event) => {
        if (event.type === "left") reasons.push(event.reason);
      },
    },
  );
  const broker = startBroker([server], registration(1), { heartbeatMs: 10 });
  await until(() => broker.upCount === 1);

  for (let i = 0; i < 20; i += 1) {
    time.pass(30_000);
    await new Promise((resolve) => {
      setTimeout(resolve, 40);
    });
  }

  expect(reasons).toEqual([]);
});

test("all NameServers are killed, one is back with nothing: two delays tell all", async () => {
  const scheduler = new VirtualTime();
  const servers = [await startNameServer(), await startNameServer()];
  const options = { metadata: metadata(7, "orders", "stock") };
  const brokers = [1, 2, 3].map((id) =>
    startBroker(servers, registration(id, options), { scheduler }),
  );
  const watch = startWatch(servers);
  await until(() => (watch.cluster?.groups[0]?.nodes.length ?? 0) === 3);
  await until(() => brokers.every(({ upCount }) => upCount === 2));
  const before = watch.cluster;

  const [first] = servers as [NameServer, NameServer];
  await Promise.all(servers.map((server) => server.close()));
  await until(() => brokers.every(({ upCount }) => upCount === 0));
  expect(watch.cluster).toEqual(before);
  const back = await startNameServer({ listen: first.address });
  let isEarly = false;
  const onEvent = (event: ClusterWatchEvent): void => {
    isEarly ||= event.type === "nameServerDown";
  };
  const fresh = startWatch([back], { scheduler, onEvent });
  await until(() => isEarly);

  // What each has waited for at most, and less than a second together.
  scheduler.pass(DELAY_MS_MAX);
  await until(() => brokers.every(({ upCount }) => upCount === 1));
  scheduler.pass(DELAY_MS_MAX);
  await until(() => (fresh.cluster?.groups[0]?.nodes.length ?? 0) === 3);
  expect(fresh.cluster).toEqual(before);
  expect(watch.cluster).toEqual(before);
  brokers[1]?.tell({ group: view({ term: 2, leaderNodeId: 2 }) });
  await until(() => watch.cluster?.groups[0]?.leaderNodeId === 2);
});

test("a connection that nobody answers is given up, and made anew", async () => {
  const scheduler = new VirtualTime();
  const silent = createServer();
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const taken: Socket[] = [];
  silent.on("connection", (socket) => taken.push(socket));
  onTestFinished(() => {
    for (const socket of taken) socket.destroy();
    silent.close();
  });
  const { port } = silent.address() as AddressInfo;
  const codes: string[] = [];
  const broker = new BrokerRegistration(
    {
      nameServers: [`127.0.0.1:${port}`],
      scheduler,
      onEvent: (event) => {
        if (event.type === "nameServerDown") codes.push(event.error.code);
      },
    },
    registration(1),
  );
  onTestFinished(async () => {
    const closing = broker.close();
    // Nobody hears its farewell.
    scheduler.pass(1_000);
    await closing;
  });
  await until(() => taken.length === 1);

  scheduler.pass(2_000);
  expect(codes).toEqual(["TIMEOUT"]);
  scheduler.pass(DELAY_MS_MAX);

  await until(() => taken.length === 2);
});

test("of two streams of one node the newest stays, and the other one is told", async () => {
  const server = await startNameServer();
  const errors: string[] = [];
  startBroker([server], registration(1), {
    onEvent: (event) => {
      if (event.type === "nameServerDown") errors.push(event.error.code);
    },
  });
  const watch = startWatch([server]);
  await watch.ready();

  const other = startBroker([server], registration(1, { address: "127.0.0.1:30001" }));

  await until(() => other.upCount === 1 && errors.length === 1);
  expect(errors).toEqual(["REPLACED"]);
  const addressOf = () => watch.cluster?.groups[0]?.nodes[0]?.address;
  await until(() => addressOf() === "127.0.0.1:30001");
});

test("several clusters are kept apart; a client of one of several says of which", async () => {
  const server = await startNameServer();
  startBroker([server], registration(1));
  const shop = startWatch([server]);
  await shop.ready();
  startBroker([server], registration(1, { clusterId: "bank" }));
  const bank = startWatch([server], { clusterId: "bank" });

  expect((await bank.ready()).clusterId).toBe("bank");
  const codes: string[] = [];
  startWatch([server], {
    onEvent: (event) => {
      if (event.type === "nameServerDown") codes.push(event.error.code);
    },
  });
  await until(() => codes.length > 0);
  expect(codes[0]).toBe("INVALID_ARGUMENT");
  expect(shop.cluster?.clusterId).toBe("shop");
});

test("a node that came by mistake, and went, is forgotten", async () => {
  const server = await startNameServer({ scanMs: 20 });
  startBroker([server], registration(1));
  const stray = startBroker([server], registration(1, { clusterId: "bank" }));
  await until(() => stray.upCount === 1);
  await stray.close();
  const watch = startWatch([server]);

  expect((await watch.ready()).clusterId).toBe("shop");
});

test("a client that knows its cluster follows it where another one is served by now", async () => {
  const first = await startNameServer();
  const second = await startNameServer();
  startBroker([second], registration(1, { clusterId: "bank" }));
  const shop = startBroker([first, second], registration(1));
  await until(() => shop.upCount === 2);
  // The second one asks which cluster is meant, as long as that is not known.
  const watch = startWatch([first, second]);
  await watch.ready();
  await first.close();
  shop.tell({ group: view({ term: 2, leaderNodeId: 1 }) });

  await until(() => watch.cluster?.groups[0]?.term === 2);
});

test("a NameServer of one cluster refuses another one's nodes and clients, by name", async () => {
  const server = await startNameServer({ clusterId: "bank" });
  const messages: string[] = [];
  const onEvent = (event: { type: string; error?: OperationError }): void => {
    if (event.error !== undefined) messages.push(event.error.message);
  };

  startBroker([server], registration(1), { onEvent });
  await until(() => messages.length === 1);
  const watch = startWatch([server], { clusterId: "shop", onEvent });
  await until(() => messages.length >= 2);

  expect(messages[0]).toBe("cluster_id: this NameServer serves cluster bank, not shop");
  await expect(watch.refresh()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("a watch goes on to the next NameServer, and keeps what it knows without any", async () => {
  const servers = [await startNameServer(), await startNameServer()];
  const broker = startBroker(servers, registration(1));
  await until(() => broker.upCount === 2);
  const up: string[] = [];
  const watch = startWatch(servers, {
    onEvent: (event) => {
      if (event.type === "nameServerUp") up.push(event.nameServer);
    },
  });
  await until(() => up.length === 1);

  const watched = servers.find(({ address }) => address === up[0]);
  const other = servers.find((server) => server !== watched);
  await watched?.close();
  await until(() => up.length === 2);
  broker.tell({ group: view({ term: 4 }) });
  await until(() => watch.cluster?.groups[0]?.term === 4);
  await other?.close();

  await expect(watch.refresh()).rejects.toBeInstanceOf(OperationError);
  expect((await watch.ready()).groups[0]?.term).toBe(4);
});

test("what does not fit is said before anything listens", async () => {
  const open = NameServer.open({ listen: "127.0.0.1:0", scanMs: 0, clusterId: "\u0000" });

  await expect(open).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    problems: [{ field: "scanMs" }, { field: "clusterId" }],
  });
  const nowhere = NameServer.open({ listen: "nowhere" });
  await expect(nowhere).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("programs without types are told of every option that does not fit", async () => {
  const given = {
    expiry: 5,
    tls: { certificate: "x" },
    metrics: 9_876,
    clusterId: 7,
    watcherCountMax: "9",
  };
  const surroundings = { onEvents: () => undefined, onDefect: "throw" };
  const open = NameServer.open(given as never, surroundings as never);

  await expect(open).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  const problems = await open.then(
    () => [],
    (error: OperationError) => error.problems,
  );
  const fields = ["expiry", "tls", "metrics", "clusterId", "watcherCountMax"];
  fields.push("onEvents", "onDefect", "listen");
  expect(problems.map(({ field }) => field)).toEqual(fields);
  for (const nothing of [undefined, null, "127.0.0.1:0"])
    await expect(NameServer.open(nothing as never)).rejects.toThrow("options: ");
});
