/** What brokers' nodes say, and NameServers to say it to. */

import { onTestFinished } from "vitest";
import type { ClusterMetadata, GroupView } from "../../src/cluster.ts";
import {
  BrokerRegistration,
  type BrokerRegistrationOptions,
  type NodeRegistration,
} from "../../src/broker-registration.ts";
import { ClusterWatch, type ClusterWatchOptions } from "../../src/cluster-watch.ts";
import { NameServer } from "../../src/name-server.ts";
import type { NameServerOptions, NameServerSurroundings } from "../../src/name-server-options.ts";

export function view(fields: Partial<GroupView> = {}): GroupView {
  return {
    groupId: 1,
    name: "broker-a",
    term: 1,
    leaderNodeId: 1,
    voterNodeIds: [1, 2, 3],
    learnerNodeIds: [],
    ...fields,
  };
}

export function metadata(version: number, ...topics: readonly string[]): ClusterMetadata {
  return {
    version,
    topics: topics.map((name, i) => ({
      name,
      topicId: i + 1,
      messageType: 1,
      isReadable: true,
      isWritable: true,
      queueGroupIds: [1, 1, 1, 1],
      version,
    })),
    configuration: [{ namespace: "ORDER_TOPIC_CONFIG", key: "orders", value: "broker-a:4" }],
  };
}

export function registration(
  nodeId: number,
  fields: Partial<NodeRegistration> = {},
): NodeRegistration {
  return {
    clusterId: "shop",
    nodeId,
    address: `127.0.0.1:${20_000 + nodeId}`,
    group: view(),
    metadata: undefined,
    ...fields,
  };
}

/** Closed when the test is over; so are the others. A defect fails the test. */
export async function startNameServer(
  options: Partial<NameServerOptions> = {},
  surroundings: NameServerSurroundings = {},
): Promise<NameServer> {
  const server = await NameServer.open({ listen: "127.0.0.1:0", ...options }, surroundings);
  onTestFinished(() => server.close());
  return server;
}

export function startBroker(
  nameServers: readonly NameServer[],
  said: NodeRegistration,
  options: Partial<BrokerRegistrationOptions> = {},
): BrokerRegistration {
  const addresses = nameServers.map(({ address }) => address);
  const broker = new BrokerRegistration({ nameServers: addresses, ...options }, said);
  onTestFinished(() => broker.close());
  return broker;
}

export function startWatch(
  nameServers: readonly NameServer[],
  options: Partial<ClusterWatchOptions> = {},
): ClusterWatch {
  const addresses = nameServers.map(({ address }) => address);
  const watch = new ClusterWatch({ nameServers: addresses, ...options });
  onTestFinished(() => watch.close());
  return watch;
}

/** Polls until it holds; the test's own limit of time is the bound. */
export async function until(holds: () => boolean, timeoutMs = 10_000): Promise<number> {
  const begin = performance.now();
  while (!holds()) {
    if (performance.now() - begin > timeoutMs) throw new Error(`not within ${timeoutMs} ms`);
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
  return performance.now() - begin;
}
