/** A client that writes one thing after another, and is patient. */

import { Admin, Producer } from "@quorumlog/client";
import { onTestFinished } from "vitest";
import type { TestCluster } from "../../src/cluster/test-cluster.ts";

interface Writer {
  /** @returns once the cluster has taken it. */
  write(): Promise<void>;
  /** How many are there. */
  count(): Promise<number>;
}

const PATIENCE_MS = 60_000;
const CALL_MS = 2_000;
const TOPIC = "written";

export async function writerTo(cluster: TestCluster): Promise<Writer> {
  return cluster.kind === "broker" ? brokerWriter(cluster) : callWriter(cluster);
}

async function brokerWriter(cluster: TestCluster): Promise<Writer> {
  const { nameServers } = cluster.target;
  const admin = await Admin.open({ nameServers });
  onTestFinished(() => admin.close());
  await admin.createTopic({ name: TOPIC, queueCount: 1 });
  const producer = await Producer.open({
    nameServers,
    producerGroup: "writers",
    timeoutMs: PATIENCE_MS,
  });
  onTestFinished(() => producer.close());
  return {
    write: async () => {
      await producer.send(TOPIC, { body: "x" });
    },
    count: async () => {
      const ends = await admin.queueOffsets({ topic: TOPIC, place: "latest" });
      return ends.reduce((sum, end) => sum + end, 0);
    },
  };
}

/** The first write is to register 0, and so on. */
function callWriter(cluster: TestCluster): Writer {
  let written = 0;
  const call = async (name: string, input: object): Promise<Record<string, unknown>> =>
    cluster.until(
      `${name} is done`,
      async () => {
        for (const address of cluster.target.nodes.values()) {
          const answer = await callOne(address, name, input);
          if (answer !== undefined) return answer;
        }
        return undefined;
      },
      PATIENCE_MS,
    );
  if (cluster.kind === "log")
    return {
      write: async () => {
        // Compared, so that one whose outcome is not known is not done twice.
        await call("compareAndAppend", { expected: written, value: written });
        written += 1;
      },
      count: async () => Number((await call("end", {}))["end"]),
    };
  return {
    write: async () => {
      await call("write", { key: written, value: written });
      written += 1;
    },
    count: async () => {
      let count = 0;
      for (let key = 0; key < written; key++) {
        const { value } = await call("read", { key });
        if (value === key) count += 1;
      }
      return count;
    },
  };
}

async function callOne(
  address: string,
  name: string,
  input: object,
): Promise<Record<string, unknown> | undefined> {
  try {
    const response = await fetch(`http://${address}/${name}`, {
      method: "POST",
      body: JSON.stringify({ ...input, timeoutMs: CALL_MS }),
      signal: AbortSignal.timeout(2 * CALL_MS),
    });
    if (!response.ok) return undefined;
    return (await response.json()) as Record<string, unknown>;
  } catch {
    // It is down, or silent: the next one is asked.
    return undefined;
  }
}
