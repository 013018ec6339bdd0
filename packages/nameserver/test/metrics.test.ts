// Goal: who watches a NameServer sees what it serves.

import { expect, onTestFinished, test } from "vitest";
import { BrokerRegistration, NameServer } from "../src/index.ts";

test("it tells how many nodes have registered, and is ready once there is one", async () => {
  const server = await NameServer.open({ listen: "127.0.0.1:0", metrics: "127.0.0.1:0" });
  onTestFinished(() => server.close());
  const ask = async (path: string): Promise<[number, string]> => {
    const reply = await fetch(`http://127.0.0.1:${server.metricsPort}${path}`);
    return [reply.status, await reply.text()];
  };

  expect(await ask("/ready")).toEqual([503, "no node has registered here yet\n"]);
  expect((await ask("/health"))[0]).toBe(200);
  const group = { groupId: 1, name: "broker-a", term: 1, leaderNodeId: 1 };
  const registration = new BrokerRegistration(
    { nameServers: [server.address] },
    {
      clusterId: "shop",
      nodeId: 1,
      address: "127.0.0.1:7001",
      group: { ...group, voterNodeIds: [1], learnerNodeIds: [] },
      metadata: { version: 7, topics: [], configuration: [] },
    },
  );
  onTestFinished(() => registration.close());
  await expect.poll(async () => (await ask("/ready"))[0]).toBe(200);

  const [, text] = await ask("/metrics");
  expect(text).toContain('quorumlog_nameserver_nodes{cluster="shop"} 1\n');
  expect(text).toContain('quorumlog_nameserver_metadata_version{cluster="shop"} 7\n');
  expect(text).toContain("quorumlog_nameserver_registrations 1\n");
  expect(text).toContain("process_resident_memory_bytes ");
});
